import { parentPort, workerData } from "node:worker_threads";
import { coreError, toWire } from "../errors.ts";
import { giveBackMemory } from "../memory.ts";
import { SqliteStore } from "./sqlite-store.ts";
import {
  type PackedBatch,
  packRecords,
  packResult,
  unpackBatch,
  type WorkerAnswer,
  type WorkerRequest,
  type WorkerStart,
} from "./sqlite-wire.ts";

/**
 * The thread that has the database: it does one request after the other, so that waiting for the disk never holds up
 * the event loop of the node. It ends by itself after `close`.
 */

const port = parentPort;
if (port === null) throw coreError("core.internal", "this file is the thread of a log and not to be run by itself");

function serve(store: SqliteStore, { op, args }: WorkerRequest): unknown {
  switch (op) {
    case "commit": {
      const batch = args[0] as PackedBatch;
      return packResult(batch, store.commit(unpackBatch(batch)));
    }
    case "read": {
      const { records, throughSequence } = store.read(...(args as Parameters<SqliteStore["read"]>));
      return { records: packRecords(records), throughSequence };
    }
    case "readHeld":
      return packRecords(store.readHeld(...(args as Parameters<SqliteStore["readHeld"]>)));
    default: {
      const method = store[op] as (...given: readonly unknown[]) => unknown;
      return method.apply(store, [...args]);
    }
  }
}

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
  port.on("message", (request: WorkerRequest) => {
    try {
      if (request.op !== "close") store.recover();
      answer({ id: request.id, value: serve(store, request) });
    } catch (thrown) {
      answer({ id: request.id, error: toWire(thrown) });
    }
    if (request.op === "close") port.close();
  });
  answer({ id: 0, value: undefined });
  giveBackMemory();
}
