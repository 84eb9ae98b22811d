import { parentPort, workerData } from "node:worker_threads";
import { MetanodeError, toWire } from "@metanode/core/errors";
import { giveBackMemory } from "@metanode/core/internal/memory";
import { SqliteStore } from "./sqlite-store.ts";
import type { WorkerAnswer, WorkerRequest, WorkerStart } from "./sqlite-wire.ts";

/**
 * The thread that has the database: it does one request after the other, so that waiting for the disk never holds up the event loop of the
 * node. It ends by itself after `close`.
 */

const port = parentPort;
if (port === null) throw new MetanodeError("core.internal", "this file is the thread of a store and not to be run by itself");

function start(): SqliteStore | undefined {
  try {
    return new SqliteStore(workerData as WorkerStart);
  } catch (thrown) {
    answer({ id: 0, error: toWire(thrown) });
    return undefined;
  }
}

function answer(given: WorkerAnswer): void {
  port?.postMessage(given);
}

const store = start();
if (store !== undefined) {
  port.on("message", ({ id, op, args }: WorkerRequest) => {
    try {
      store.recover();
      const method = store[op as keyof SqliteStore] as (...given: readonly unknown[]) => unknown;
      answer({ id, value: method.apply(store, [...args]) });
    } catch (thrown) {
      answer({ id, error: toWire(thrown) });
    }
    if (op === "close") port.close();
  });
  answer({ id: 0, value: undefined });
  giveBackMemory();
}
