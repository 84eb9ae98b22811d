import { rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type PostgresServer, startPostgres } from "./server.ts";

/*
 * One PostgreSQL for a whole run of tests, started when the first test asks for it and not before: whoever connects to a socket is told
 * its address, or why there is none.
 */

declare module "vitest" {
  interface ProvidedContext {
    postgresSocket: string;
  }
}

let door: Server | undefined;
let starting: Promise<PostgresServer> | undefined;

export function setup(project: TestProject): void {
  const socket = join(tmpdir(), `metanode-postgres-${process.pid}.sock`);
  rmSync(socket, { force: true });
  door = createServer((connection) => {
    connection.on("error", () => undefined);
    // Nothing here outlives the run, so nothing needs to reach the platter: starting and filling a database takes half the time.
    starting ??= startPostgres(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    starting.then(
      ({ url }) => connection.end(JSON.stringify({ url })),
      (error: Error) => connection.end(JSON.stringify({ reason: `no PostgreSQL here: ${error.message}` })),
    );
  });
  door.listen(socket);
  project.provide("postgresSocket", socket);
}

export async function teardown(): Promise<void> {
  door?.close();
  const server = await starting?.catch(() => undefined);
  await server?.dispose();
}
