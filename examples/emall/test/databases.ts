import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Clock } from "@metanode/core/clock";
import { openPostgresStore, openSqliteStore, type Store } from "@metanode/nature";
import pg from "pg";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    postgresSocket: string;
  }
}

/** An empty database, for one test. */
export interface TestDatabase extends AsyncDisposable {
  /** A store on it; on SQLite there is one at a time. Closed with the database at the latest. */
  open(clock: Clock): Promise<Store>;
}

/** A kind of database that the mall runs on. */
export interface DatabaseKind {
  readonly name: string;
  /** Why it cannot be tried here. */
  readonly skip: string | undefined;
  create(): Promise<TestDatabase>;
}

/** The server that the tests of this run share, or why there is none. */
const server: { readonly url: string } | { readonly reason: string } = JSON.parse(await text(connect(inject("postgresSocket"))));

export const sqlite: DatabaseKind = {
  name: "SQLite",
  skip: undefined,
  async create() {
    const folder = await mkdtemp(join(tmpdir(), "emall-"));
    return database(
      (clock) => openSqliteStore({ folder, clock }),
      () => rm(folder, { recursive: true }),
    );
  },
};

let count = 0;

export const postgres: DatabaseKind = {
  name: "PostgreSQL",
  skip: "reason" in server ? server.reason : undefined,
  async create() {
    if ("reason" in server) throw new Error(server.reason);
    const name = `emall_${process.pid}_${count++}`;
    await administer(server.url, `CREATE DATABASE ${name}`);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return database(
      (clock) => openPostgresStore({ url: url.href, clock, maxConnections: 4 }),
      () => administer(server.url, `DROP DATABASE ${name} WITH (FORCE)`),
    );
  },
};

/** Both, with the reason in the name of one that cannot be tried. */
export const databases = [sqlite, postgres].map((kind) => ({
  ...kind,
  title: kind.skip === undefined ? kind.name : `${kind.name} (${kind.skip})`,
}));

function database(open: (clock: Clock) => Promise<Store>, remove: () => Promise<void>): TestDatabase {
  const stores: Store[] = [];
  return {
    async open(clock) {
      const store = await open(clock);
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await remove();
    },
  };
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
