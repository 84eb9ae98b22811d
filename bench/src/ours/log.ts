import { rmSync } from "node:fs";
import { createMessage } from "@metanode/core";
import { openSqliteLog } from "@metanode/core/log";
import type { Appender } from "../appender.ts";
import { diskFolder } from "../processes.ts";

/** Our log in SQLite, as an embedded node opens it. */
export async function openOurLog(): Promise<Appender> {
  const folder = diskFolder("log-");
  const log = await openSqliteLog({ folder });
  const stream = await log.stream("bench");
  return {
    append: (id, payload) => stream.append(createMessage({ id, type: "bench.append", source: "/bench", data: payload })),
    count: async () => (await stream.info()).messages,
    note: "one message per append, envelope and de-duplication by id included",
    close: async () => {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
