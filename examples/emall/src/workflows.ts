import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { toWire } from "@metanode/core/errors";
import {
  fromNatureResult,
  type JoinedFlows,
  type Nature,
  type NatureOptions,
  openNature,
  parseLossless,
  type Store,
} from "@metanode/nature";

/** Flows at work on a store. */
export interface Workflows extends AsyncDisposable {
  readonly engine: Nature["engine"];
  readonly store: Store;
}

/**
 * Runs flows on a store, with a door on the loopback through which executors answer later. Ends with the store still open.
 */
export async function openWorkflows(
  store: Store,
  flows: JoinedFlows,
  options: Pick<NatureOptions, "clock" | "onStored" | "onReport"> = {},
): Promise<Workflows> {
  const door = createServer();
  door.listen(0, "127.0.0.1");
  await new Promise((resolve) => door.once("listening", resolve));
  const callbackUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}/callback`;
  const nature = await openNature({ ...options, store, flows: [flows], http: { callbackUrl } });
  takeCallbacks(door, nature);
  return {
    engine: nature.engine,
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
