import { createMessage } from "@metanode/core";
import { z } from "zod";
import { keyReader } from "../record/key.ts";
import { defineBuiltIn, needService } from "../stage/built-in.ts";
import { sinkAction } from "./sink.ts";

const settings = z.object({
  stream: z.string().min(1).describe("The stream of the log; made on first use."),
  type: z.string().min(1).default("stream.record").describe("The type of the messages."),
  subject: z.string().optional().describe("Path to the subject in a record: `user.id`."),
  maxRecords: z.int().min(1).max(10_000).default(1_000).describe("Most messages of one append."),
});

/**
 * `log.write`: records as messages at the end of a stream of the log. A record is done once it is stored durably.
 *
 * Idempotent within the window of the stream (`dedupWindowMs`): the id of the record, with the name of the graph, is the dedup key,
 * so what a crash brings again is not stored again.
 */
export const logWrite = defineBuiltIn({
  name: "log.write",
  summary: "Appends records to a stream of the log.",
  settings,
  make: ({ stream: name, type, subject, maxRecords }, node, services) => {
    const log = needService(services, "log", node);
    const subjectOf = subject === undefined ? undefined : keyReader(subject);
    return sinkAction(
      async ({ graph }) => {
        const stream = await log.stream(name);
        return {
          write: async (load) => {
            const messages = [...load.records()].map(({ record, id }) => {
              const of = subjectOf?.(record);
              const about = of === undefined || of === "" ? {} : { subject: of };
              return createMessage({
                id: `${graph}/${id}`,
                source: `/graphs/${graph}/${node.name}`,
                type,
                data: record,
                ...about,
              });
            });
            await stream.append(messages);
          },
        };
      },
      { maxRecords },
    );
  },
});
