import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@metanode/nature";
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
  database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN");
  database.exec("CREATE TEMP TABLE flow (number INTEGER PRIMARY KEY, id TEXT)");
  const flows = COUNT / (STEPS.flow3 + 1);
  database
    .prepare(
      `INSERT INTO flow (id) WITH RECURSIVE n (n, id) AS (
        SELECT 1, abs(random()) UNION ALL SELECT n + 1, abs(random()) FROM n WHERE n < ?)
      SELECT printf('%020u', id) FROM n ORDER BY id`,
    )
    .run(flows);
  const content = JSON.stringify({ number: 0, order: "2026-000017", filler: "x".repeat(160) });
  for (let step = 0; step <= STEPS.flow3; step++) {
    const isInput = step === 0;
    database
      .prepare(
        `INSERT INTO instance (row, meta, id, para, version, content, context, sys_context, states, from_key, from_ref, created_ms)
        SELECT ?1 + number, ?2, id, '', 0, ?3, '{}', '{}', '[]', ?4 || '|' || ltrim(id, '0') || '||0', ?5 + number, 1750000000000 FROM flow`,
      )
      .run(
        step * flows,
        stepMeta("flow3", step),
        content,
        isInput ? null : stepMeta("flow3", step - 1),
        isInput ? null : (step - 1) * flows,
      );
  }
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
