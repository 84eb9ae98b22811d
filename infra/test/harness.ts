/** What the suites of the providers have in common. Not a test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode, type MetaNode } from "@metanode/core";
import { treeModule } from "@metanode/core/tree";
import { pino } from "pino";

/** The processor that nodes under test run. */
export const WORKER = fileURLToPath(new URL("./fixtures/worker.ts", import.meta.url));

/** An agent from source, run by the Node that runs the tests. */
export const AGENT: readonly string[] = [process.execPath, fileURLToPath(import.meta.resolve("@metanode/agent/main"))];

/** A folder for one test, gone with it. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "mn-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A node that manages, with short beats, so that a lost child is missed soon. */
export async function startManager(folder: string, listen = "127.0.0.1:0"): Promise<MetaNode> {
  return createNode({
    name: "root",
    folder: join(folder, "root"),
    modules: [treeModule({ listen, heartbeatMs: 200 })],
    logger: pino({ level: "silent" }),
  });
}
