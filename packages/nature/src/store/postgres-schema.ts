import { type AppliedMigration, MIGRATION_TABLE, pendingMigrations, readMigrations } from "./migrations.ts";
import type { Connections } from "./postgres-connections.ts";

/** The lock of Prisma's own tools for the same purpose, so that those and we keep out of each other's way. */
const LOCK = 72_707_369;

/**
 * Brings the schema up to date, in one transaction and one node at a time: the others wait, and find it done.
 * @throws store.unusable – the database belongs to a newer program, or was made from another text
 */
export async function migratePostgres(connections: Connections): Promise<void> {
  const known = readMigrations("postgresql");
  await connections.transact(async (run) => {
    await run({ text: `SELECT pg_advisory_xact_lock(${LOCK})` });
    await run({
      text: `CREATE TABLE IF NOT EXISTS ${MIGRATION_TABLE} (
        id VARCHAR(36) PRIMARY KEY NOT NULL,
        checksum VARCHAR(64) NOT NULL,
        finished_at TIMESTAMPTZ,
        migration_name VARCHAR(255) NOT NULL,
        logs TEXT,
        rolled_back_at TIMESTAMPTZ,
        started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        applied_steps_count INTEGER NOT NULL DEFAULT 0
      )`,
    });
    const rows = await run({ text: `SELECT migration_name, checksum FROM ${MIGRATION_TABLE} WHERE rolled_back_at IS NULL` });
    const applied = rows.map(([name, checksum]): AppliedMigration => ({ name: String(name), checksum: String(checksum) }));
    for (const { name, sql, checksum } of pendingMigrations(known, applied, `the database at ${connections.place}`)) {
      await run({ text: sql });
      await run({
        text: `INSERT INTO ${MIGRATION_TABLE} (id, checksum, finished_at, migration_name, applied_steps_count)
          VALUES ($1, $2, now(), $3, 1)`,
        values: [crypto.randomUUID(), checksum, name],
      });
    }
  });
}
