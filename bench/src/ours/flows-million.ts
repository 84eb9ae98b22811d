import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "../../../packages/nature/src/store/sqlite.ts";
import { STEPS } from "../flows.ts";
import { stepMeta } from "./flows.ts";

/** Instances that are stored already. */
const COUNT = 1_000_000;

/** Makes a database with a million instances, as flows of three steps would have left them: their ids are spread as hashes are. */
export async function storeMillion(folder: string): Promise<void> {
  await (await openSqliteStore({ folder })).close();
  const file = readdirSync(folder).find((name) => name.endsWith(".sqlite"));
  if (file === undefined) throw new Error(`there is no database in ${folder}`);
  // Another copy of SQLite than ours: nobody else has the file open now.
  const database = new DatabaseSync(join(folder, file));
  database.exec(
    "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; CREATE TEMP TABLE flow (id TEXT PRIMARY KEY) WITHOUT ROWID; BEGIN",
  );
  const each = COUNT / (STEPS.flow3 + 1);
  database
    .prepare(
      `INSERT OR IGNORE INTO flow WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
      SELECT printf('%020u', abs(random())) FROM n`,
    )
    .run(each);
  for (let step = 0; step <= STEPS.flow3; step++) {
    const from = step === 0 ? "NULL" : `'${stepMeta("flow3", step - 1)}|' || ltrim(id, '0') || '||0'`;
    const content = JSON.stringify({ number: 0, order: "2026-000017", filler: "x".repeat(160) });
    database
      .prepare(
        `INSERT INTO instance (meta, id, para, version, content, context, sys_context, states, from_key, created_ms)
        SELECT ?, id, '', 0, ?, '{}', '{}', '[]', ${from}, 1750000000000 FROM flow ORDER BY id`,
      )
      .run(stepMeta("flow3", step), content);
  }
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
