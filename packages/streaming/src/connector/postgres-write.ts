import type { Pool } from "pg";
import type { z } from "zod";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { Writer } from "./batching.ts";
import { ID_TABLE, onConflict, quoted, type Row, rowsOf, tableSettings } from "./columns.ts";
import { refused, unreachable } from "./faults.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";
import { urlOf, urlSettings } from "./url-setting.ts";

const settings = tableSettings.extend(urlSettings);

type PostgresSettings = z.infer<typeof settings>;

/**
 * `postgres.write`: records as rows of a table of PostgreSQL, one statement per load. A record is done once the statement is
 * committed. Values are sent as JSON and read by the types of the columns.
 *
 * Idempotent: with `key`, a row that comes again replaces itself; without, ids of records are kept in `metanode_records`, in the same
 * statement, and a record whose id is known is not written again; old ids may be deleted by their `at`. A row that the table refuses
 * is given up; the others are written.
 *
 * Needs the package `pg`, which is optional.
 */
export const postgresWrite = defineBuiltIn({
  name: "postgres.write",
  summary: "Writes records as rows of a PostgreSQL table.",
  settings,
  make: (given) => {
    const { maxRecords, maxWaitMs } = given;
    return sinkAction(({ graph }) => PostgresWriter.open(given, graph), { maxRecords, maxWaitMs });
  },
});

class PostgresWriter implements Writer {
  readonly #pool: Pool;
  readonly #settings: PostgresSettings;
  readonly #graph: string;
  readonly #statement: string;

  static async open(settings: PostgresSettings, graph: string): Promise<PostgresWriter> {
    const connectionString = urlOf(settings);
    const { default: pg } = await import("pg").catch((cause) => {
      throw unreachable("postgres.write needs the package pg; install it", cause);
    });
    const pool = new pg.Pool({ connectionString, max: 1, connectionTimeoutMillis: 10_000 });
    pool.on("error", () => undefined); // the next statement opens another connection
    try {
      if (settings.key.length === 0) {
        await pool.query(`CREATE TABLE IF NOT EXISTS ${ID_TABLE} (id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`);
      }
    } catch (error) {
      await pool.end();
      throw unreachable("the database cannot be used", error);
    }
    return new PostgresWriter(pool, settings, graph);
  }

  private constructor(pool: Pool, settings: PostgresSettings, graph: string) {
    this.#pool = pool;
    this.#settings = settings;
    this.#graph = graph;
    this.#statement = statementFor(settings);
  }

  async write(load: Load): Promise<void> {
    const rows = rowsOf(load.records(), this.#settings);
    const { table } = this.#settings;
    try {
      await this.#pool.query(this.#statement, [this.#json(rows)]);
    } catch (error) {
      throw isAboutRows(error)
        ? refused(`the table ${table} refuses it`, error)
        : unreachable(`${table} cannot be written`, error);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  #json(rows: readonly Row[]): string {
    const names = Object.keys(this.#settings.columns);
    return JSON.stringify(
      rows.map(({ id, values }) => ({
        id: `${this.#graph}/${id}`,
        row: Object.fromEntries(names.map((name, index) => [name, values[index]])),
      })),
    );
  }
}

function statementFor(settings: PostgresSettings): string {
  const table = settings.table.split(".").map(quoted).join(".");
  const names = Object.keys(settings.columns).map(quoted);
  const given = "given AS (SELECT item->>'id' AS id, item->'row' AS row FROM jsonb_array_elements($1::jsonb) AS of(item))";
  const fresh = `fresh AS (INSERT INTO ${ID_TABLE} (id) SELECT id FROM given ON CONFLICT DO NOTHING RETURNING id)`;
  const isKeyed = settings.key.length > 0;
  return [
    `WITH ${given}${isKeyed ? "" : `, ${fresh}`}`,
    `INSERT INTO ${table} (${names.join(", ")}) SELECT ${names.map((name) => `typed.${name}`).join(", ")}`,
    `FROM given ${isKeyed ? "" : "JOIN fresh USING (id) "}CROSS JOIN LATERAL jsonb_populate_record(NULL::${table}, given.row) AS typed`,
    onConflict(settings),
  ].join(" ");
}

/** Data exceptions and broken constraints. @source PostgreSQL, appendix A: classes 22 and 23 */
function isAboutRows(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code.startsWith("22") || code.startsWith("23");
}
