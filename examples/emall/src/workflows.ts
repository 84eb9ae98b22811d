import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Clock } from "@metanode/core/clock";
import { toWire } from "@metanode/core/errors";
import {
  type EngineReport,
  fromNatureResult,
  type Instance,
  type JoinedFlows,
  type Nature,
  openNature,
  parseLossless,
  type Store,
} from "@metanode/nature";

/** How flows are run. */
export interface WorkflowOptions {
  /** @default the machine's */
  readonly clock?: Clock;
  /** Told of every instance, once it is on the disk. */
  readonly onStored?: (instance: Instance) => void;
  /** Told of what people should know: tries that failed, work that was given up. */
  readonly onReport?: (report: EngineReport) => void;
}

/** Flows at work on a store. */
export interface Workflows extends AsyncDisposable {
  readonly nature: Nature;
  readonly store: Store;
}

/**
 * Runs flows on a store, with a door on the loopback through which executors answer later. Ends with the store still open. */
export async function openWorkflows(store: Store, flows: JoinedFlows, options: WorkflowOptions = {}): Promise<Workflows> {
  const door = createServer();
  door.listen(0, "127.0.0.1");
  await new Promise((resolve) => door.once("listening", resolve));
  const callbackUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}/callback`;
  const nature = await openNature({ store, flows: [flows], http: { callbackUrl }, ...options });
  takeCallbacks(door, nature);
  return {
    nature,
    store,
    async [Symbol.asyncDispose]() {
      await nature.stop();
      door.closeAllConnections();
      await new Promise((resolve) => door.close(resolve));
    },
  };
}

/** `POST {"task_id": …, "result": {…}}`, as executors of Nature call back: the number cannot be guessed, so whoever knows it was asked. */
function takeCallbacks(door: Server, nature: Nature): void {
  door.on("request", async (request: IncomingMessage, response) => {
    try {
      const { task_id, result } = parseLossless(await text(request)) as { task_id: number; result: unknown };
      await nature.sealedCallback(task_id, fromNatureResult(result));
      response.setHeader("content-type", "application/json").end('{"Ok":null}');
    } catch (error) {
      response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ Err: toWire(error) }));
    }
  });
}
