import { MetanodeError } from "@metanode/core/errors";
import pg from "pg";
import { natureError } from "../errors.ts";
import type { Row } from "./rows.ts";

/** How a database server is reached. */
export interface ConnectionOptions {
  readonly url: string;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

/** A statement and what goes into it. With a name it is prepared once per connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** Runs statements one after the other on one connection. */
export type Run = (statement: Statement) => Promise<Row[]>;

const INT8 = 20;
/** Numbers of 64 bits come as numbers: times, counts and ids of tasks stay below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 ? Number : (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format),
};

/**
 * Whatever the server's presets are: what a commit resolved is on the disk, and each statement sees what others have committed. The rest is
 * for plans that do not depend on how much is in the tables when they are made (see postgres-commit.ts): lookups by index, and joins of
 * what a statement was given by hash.
 */
export const SESSION = `SET synchronous_commit = on; SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;
  SET enable_seqscan = off; SET enable_nestloop = off; SET jit = off`;

/**
 * Connections to a PostgreSQL that may go away and come back: each use takes a live one, or a new one.
 * What fails is one of our errors; `details.outcome` is `unknown` when a write was sent and its answer did not come.
 */
export class Connections {
  /** Of the database, without its secrets. */
  readonly place: string;
  readonly #pool: pg.Pool;

  constructor({ url, maxConnections, connectTimeoutMs, answerTimeoutMs }: ConnectionOptions) {
    const { hostname, port, pathname } = new URL(url);
    this.place = `${hostname}${port === "" ? "" : `:${port}`}${pathname}`;
    this.#pool = new pg.Pool({
      connectionString: url,
      max: maxConnections,
      connectionTimeoutMillis: connectTimeoutMs,
      // The server gives up first, so that nothing is still under way there when we do.
      statement_timeout: Math.ceil(answerTimeoutMs * 0.8),
      query_timeout: answerTimeoutMs,
      keepAlive: true,
      application_name: "metanode",
      types: types as pg.CustomTypesConfig,
      onConnect: (client) => client.query(SESSION),
    });
    // A connection that breaks while nobody uses it is replaced; one in use fails its statement.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** One statement that writes nothing. */
  read(statement: Statement): Promise<Row[]> {
    return this.#use("read", (run) => run(statement));
  }

  /** One statement that is a transaction of its own. */
  write(statement: Statement): Promise<Row[]> {
    return this.#use(
      "write",
      (run) => run(statement),
      () => true,
    );
  }

  /** Statements that are one transaction, the only one of its own. */
  async writeAll(statements: readonly Statement[]): Promise<void> {
    const [only] = statements;
    if (statements.length === 1 && only !== undefined) await this.write(only);
    else
      await this.transact(async (run) => {
        for (const statement of statements) await run(statement);
      });
  }

  /** Several statements as one transaction; nothing of it happened if `work` rejects. */
  transact<T>(work: (run: Run) => Promise<T>): Promise<T> {
    let isEnding = false;
    const whole = async (run: Run): Promise<T> => {
      await run({ text: "BEGIN" });
      const result = await work(run);
      isEnding = true;
      await run({ text: "COMMIT" });
      return result;
    };
    return this.#use("write", whole, () => isEnding);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #use<T>(what: string, work: (run: Run) => Promise<T>, mayBeDone: () => boolean = () => false): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (thrown) {
      throw connectionError(thrown, this.place);
    }
    try {
      const result = await work((statement) => runOn(client, statement));
      client.release();
      return result;
    } catch (thrown) {
      const isBroken = !isServerError(thrown);
      await leave(client, isBroken);
      throw databaseError(thrown, { what, place: this.place, isUnknown: isBroken && mayBeDone() });
    }
  }
}

async function runOn(client: pg.PoolClient, { name, text, values }: Statement): Promise<Row[]> {
  const query = { text, values: values as unknown[] | undefined, rowMode: "array" as const };
  const { rows } = await client.query(name === undefined ? query : { ...query, name });
  return rows as unknown as Row[];
}

/** Gives a connection back after a failure, for others if it is sound. */
async function leave(client: pg.PoolClient, isBroken: boolean): Promise<void> {
  if (isBroken) {
    client.release(true);
    return;
  }
  // Outside of a transaction it only warns.
  const isSound = await client.query("ROLLBACK").then(
    () => true,
    () => false,
  );
  client.release(!isSound);
}

/** What SQLSTATE a server answered with; undefined = it was no answer of a server. */
export function sqlState(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && thrown instanceof pg.DatabaseError ? code : undefined;
}

/** Whether the server answered, and goes on: what is not so leaves a connection that nobody can use. */
function isServerError(thrown: unknown): boolean {
  if (thrown instanceof MetanodeError) return true;
  const state = sqlState(thrown);
  return state !== undefined && !state.startsWith("57P") && !state.startsWith("08");
}

/** What another try, with a newer view of the data, sets right: another writer was first, or two waited for each other. */
const COLLISIONS: ReadonlySet<string> = new Set(["23505", "40001", "40P01"]);

/** Whether a failure is only that two writers met. */
export function isCollision(error: unknown): boolean {
  return COLLISIONS.has(String((error as MetanodeError).details?.sqlState));
}

/** Whether nobody knows what became of a write. */
export function isUnknown(error: unknown): boolean {
  return (error as MetanodeError).details?.outcome === "unknown";
}

function connectionError(thrown: unknown, place: string): MetanodeError {
  const { message } = thrown as Error;
  const state = sqlState(thrown);
  // 28 = who we are, 3D = no such database: waiting does not help.
  if (state !== undefined && /^(28|3D)/.test(state)) {
    return natureError("store.unusable", `the database at ${place} refuses us: ${message}; check DATABASE_URL`, {
      details: { sqlState: state },
      cause: thrown,
    });
  }
  return natureError("store.unavailable", `the database at ${place} cannot be reached: ${message || String(thrown)}`, {
    details: state === undefined ? {} : { sqlState: state },
    cause: thrown,
  });
}

/** Turns what the driver threw into an error of ours; ours pass as they are. */
function databaseError(
  thrown: unknown,
  { what, place, isUnknown }: { what: string; place: string; isUnknown: boolean },
): MetanodeError {
  if (thrown instanceof MetanodeError) return thrown;
  const { message } = thrown as Error;
  const state = sqlState(thrown);
  const info = {
    details: { ...(state === undefined ? {} : { sqlState: state }), ...(isUnknown ? { outcome: "unknown" } : {}) },
    cause: thrown,
  };
  if (state === undefined || /^(08|53|57|58)/.test(state) || state === "25006") {
    return natureError("store.unavailable", `the database at ${place} could not ${what}: ${message}`, info);
  }
  if (COLLISIONS.has(state)) {
    return natureError(
      "store.unavailable",
      `the database at ${place} could not ${what}, others write the same: ${message}`,
      info,
    );
  }
  if (state === "22021" || state === "22P05") {
    return natureError("instance.invalid", `text holds a character that the database at ${place} cannot store: ${message}`, info);
  }
  if (state === "42501") {
    return natureError("store.unusable", `the database at ${place} allows us not enough: ${message}; grant us its schema`, info);
  }
  return new MetanodeError("core.internal", `the database at ${place} could not ${what}: ${message}`, info);
}
