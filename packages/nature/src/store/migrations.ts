import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { natureError } from "../errors.ts";

/** One step of the schema: plain SQL, in Prisma's folder layout. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file in hex, as Prisma's own tools record it. */
  readonly checksum: string;
}

/** What the database says was applied. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
}

/**
 * Where applied migrations are recorded: Prisma's own table, so that its command line can be used on the same database
 * (`prisma migrate status`, `migrate diff`).
 */
export const MIGRATION_TABLE = "_prisma_migrations";

/** The migrations of a dialect, in their order. A published one is never changed. */
export function readMigrations(dialect: "sqlite" | "postgresql"): Migration[] {
  const folder = new URL(`../../prisma/${dialect}/migrations/`, import.meta.url);
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  return names.sort().map((name) => {
    const sql = readFileSync(new URL(`${name}/migration.sql`, folder), "utf8");
    return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
  });
}

/**
 * What is still to be applied.
 * @throws store.unusable – the database has what we do not know (it belongs to a newer program), or was made from another text
 */
export function pendingMigrations(known: readonly Migration[], applied: readonly AppliedMigration[], where: string): Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const { name, checksum } of applied) {
    const ours = byName.get(name);
    if (ours === undefined) {
      throw natureError(
        "store.unusable",
        `${where} has the migration ${name}, which this program does not know; start a newer program, or use another database`,
        { details: { migration: name, known: known.map((one) => one.name) } },
      );
    }
    if (ours.checksum !== checksum) {
      throw natureError(
        "store.unusable",
        `the tables in ${where} were made by another text of migration ${name} than this program has; use the program that made them, or another database`,
        { details: { migration: name, found: checksum, expected: ours.checksum } },
      );
    }
  }
  const done = new Set(applied.map(({ name }) => name));
  return known.filter(({ name }) => !done.has(name));
}
