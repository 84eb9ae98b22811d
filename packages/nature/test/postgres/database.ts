import { connect } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";
import { inject } from "vitest";

/** The server that the tests of this run share, or why there is none. */
export async function sharedPostgres(): Promise<{ readonly url: string } | { readonly reason: string }> {
  return JSON.parse(await text(connect(inject("postgresSocket"))));
}

let count = 0;

/** Makes an empty database on a server, for one test. */
export async function testDatabase(serverUrl: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const name = `test_${process.pid}_${count++}`;
  await administer(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, [Symbol.asyncDispose]: () => administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`) };
}

/** Runs statements on a database, beside the store. */
export async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
