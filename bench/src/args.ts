import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface BenchArgs {
  readonly name: string | undefined;
  readonly list: boolean;
  readonly json: boolean;
  readonly samples: number;
  readonly sampleMs: number;
  readonly install: boolean;
  /** The contenders that are to take part; all of them if absent. */
  readonly only: readonly string[] | undefined;
}

/** The line that explains the command. */
export const USAGE = `npm run bench -- <name> [--json] [--samples <count>] [--sample-ms <ms>] [--only <contender,…>] [--no-install]
npm run bench -- --list`;

/** @throws {Error} An option is unknown or out of range; the message says which. */
export function parseBenchArgs(args: readonly string[]): BenchArgs {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      samples: { type: "string", default: "5" },
      "sample-ms": { type: "string", default: "1000" },
      install: { type: "boolean", default: true },
      only: { type: "string" },
    },
  });
  if (positionals.length > 1) throw new Error(`expected one bench, found ${positionals.join(" ")}`);
  return {
    name: positionals[0],
    list: values.list,
    json: values.json,
    samples: integer("--samples", values.samples, 1),
    sampleMs: integer("--sample-ms", values["sample-ms"], 10),
    install: values.install,
    only: values.only?.split(","),
  };
}

function integer(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`${option} is ${text}, expected a whole number of at least ${least}`);
  return value;
}
