import { rmSync } from "node:fs";
import * as path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Appender } from "../appender.ts";
import { diskFolder } from "../processes.ts";

/** The bare baseline: SQLite in this process, one INSERT per transaction, each on the disk before the next begins. */
export async function openSqliteRows(): Promise<Appender> {
  const folder = diskFolder("sqlite-rows-");
  const database = new DatabaseSync(path.join(folder, "rows.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE rows (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, data TEXT NOT NULL) STRICT");
  const insert = database.prepare("INSERT INTO rows (id, data) VALUES (?, ?)");
  const count = database.prepare("SELECT count(*) AS count FROM rows");
  return {
    append: (id, payload) => insert.run(id, JSON.stringify(payload)),
    count: async () => Number(count.get()?.count),
    note: "WAL, synchronous=FULL, one INSERT per transaction",
    close: async () => {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
