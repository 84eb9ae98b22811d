import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Clock } from "@metanode/core/clock";
import { toWire } from "@metanode/core/errors";
import {
  builtIns,
  Catalog,
  createCredentials,
  createHttpExecutors,
  defineExecutors,
  Engine,
  type EngineReport,
  fromNatureResult,
  type Instance,
  type JoinedFlows,
  parseLossless,
  type Resolvers,
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
  readonly engine: Engine;
  readonly store: Store;
}

/**
 * Runs flows on a store, with a door on the loopback through which executors answer later. Ends with the store still open.
 * @param flows – made once the address of the door is known
 */
export async function openWorkflows(store: Store, flows: JoinedFlows, options: WorkflowOptions = {}): Promise<Workflows> {
  const { clock, onStored, onReport } = options;
  // Every node on this store takes the callbacks of every other one.
  const secret = await store.setting("emall.callback.secret", randomBytes(32).toString("base64"));
  const credentials = createCredentials(secret);
  const door = createServer();
  door.listen(0, "127.0.0.1");
  await new Promise((resolve) => door.once("listening", resolve));
  const callbackUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}/callback`;
  const http = createHttpExecutors({ credentials, callbackUrl });
  const catalog = new Catalog(flows);
  const resolvers: Resolvers = {
    local: defineExecutors(flows.executors),
    builtin: builtIns({ store, resolvers: () => resolvers }),
    http: http.http,
    https: http.https,
  };
  const engine = new Engine(
    {
      store,
      catalog: () => catalog,
      resolvers,
      credential: credentials.credential,
      ...(onStored === undefined ? {} : { onStored }),
      ...(onReport === undefined ? {} : { onReport }),
    },
    clock === undefined ? {} : { clock },
  );
  takeCallbacks(door, engine, credentials.open);
  engine.start();
  return {
    engine,
    store,
    async [Symbol.asyncDispose]() {
      await engine.stop();
      http.close();
      door.closeAllConnections();
      await new Promise((resolve) => door.close(resolve));
    },
  };
}

/** `POST {"task_id": …, "result": {…}}`, as executors of Nature call back: the number cannot be guessed, so whoever knows it was asked. */
function takeCallbacks(door: Server, engine: Engine, open: (sealed: number) => number): void {
  door.on("request", async (request: IncomingMessage, response) => {
    try {
      const { task_id, result } = parseLossless(await text(request)) as { task_id: number; result: unknown };
      await engine.callback(open(task_id), fromNatureResult(result));
      response.setHeader("content-type", "application/json").end('{"Ok":null}');
    } catch (error) {
      response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ Err: toWire(error) }));
    }
  });
}
