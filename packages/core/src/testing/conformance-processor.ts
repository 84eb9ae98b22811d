import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MetanodeError } from "../errors.ts";
import { defineProcessor } from "../processor/author.ts";
import { serve } from "../processor/serve.ts";

/** Room for the calls of a check that fills every place and still asks for more. */
const CONCURRENCY = 32;

/**
 * The types that the full conformance kit asks for, as a reference for other languages. Run as a program
 * (`conformanceProcessorFile`) or in process.
 */
export const conformanceProcessor = defineProcessor({
  name: "conformance",
  concurrency: CONCURRENCY,
  types: {
    "conformance.echo": {
      description: "Answers with what it was sent: a JSON value, or bytes.",
      handle: (data: unknown) => data,
    },
    "conformance.fail": {
      description: "Fails with the message, and the code if one is given.",
      input: {
        type: "object",
        required: ["message"],
        properties: { code: { type: "string" }, message: { type: "string" } },
      },
      handle: ({ code, message }: { code?: string; message: string }): null => {
        throw new MetanodeError(code ?? "processor.failed", message);
      },
    },
    "conformance.sleep": {
      description: "Answers `ms` milliseconds later; stops when the call is withdrawn.",
      input: {
        type: "object",
        required: ["ms"],
        properties: { ms: { type: "integer", minimum: 0 } },
        examples: [{ ms: 0 }],
      },
      handle: ({ ms }: { ms: number }, { signal }) => sleep(ms, ms, { signal }),
    },
    "conformance.count": {
      description: "Streams 1 to n.",
      input: { type: "object", required: ["n"], properties: { n: { type: "integer", minimum: 0 } } },
      async *handle({ n }: { n: number }) {
        for (let item = 1; item <= n; item++) yield item;
      },
    },
    "conformance.call": {
      description: "Sends the message through the node and answers with the answer.",
      input: { type: "object", required: ["type"], properties: { type: { type: "string" }, data: {} } },
      handle: ({ type, data }: { type: string; data?: unknown }, context) => context.call(type, data),
    },
  },
});

/** This file, as a program that a node or the kit can start. */
export const conformanceProcessorFile: string = fileURLToPath(import.meta.url);

if (import.meta.main) await serve(conformanceProcessor);
