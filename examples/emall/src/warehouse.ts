import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A warehouse, which is another program and speaks HTTP. */
export interface Warehouse extends AsyncDisposable {
  /** Where it takes orders. */
  readonly url: string;
  /** Orders that it was sent. */
  readonly received: () => number;
}

/** How it works. */
export interface WarehouseOptions {
  /** How long it packs, in milliseconds. @default 200 */
  readonly packMs?: number;
  /** Told of what went wrong. */
  readonly onError?: (error: unknown) => void;
}

/** The part of what an executor is sent that a warehouse looks at. @source the JSON of Nature's executors */
interface Job {
  readonly task_id: number;
  readonly from: object;
}

/** How long the order is left to it; without a callback by then it is sent again, in seconds. */
const PATIENCE_S = 60;

/**
 * An executor that takes its time: it answers at once that it will be a while, and calls back when the order is packed. What it calls back
 * with is the state of the order that it was sent; the relation makes it the next version.
 */
export async function openWarehouse({ packMs = 200, onError }: WarehouseOptions = {}): Promise<Warehouse> {
  let received = 0;
  const pending = new Set<NodeJS.Timeout>();
  const server = createServer(async (request, response) => {
    const job = await readJob(request);
    const callbackUrl = request.headers["metanode-callback"];
    received++;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ type: "Delay", num: PATIENCE_S }));
    const timer = setTimeout(() => {
      pending.delete(timer);
      callBack(String(callbackUrl), job).catch((error: unknown) => onError?.(error));
    }, packMs);
    pending.add(timer);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/send_to_warehouse`,
    received: () => received,
    async [Symbol.asyncDispose]() {
      for (const timer of pending) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readJob(request: IncomingMessage): Promise<Job> {
  return parseLossless(await text(request)) as Job;
}

async function callBack(url: string, { task_id, from }: Job): Promise<void> {
  const body = JSON.stringify({ task_id, result: { type: "Instances", ins: [from] } });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!response.ok) throw new Error(`the callback was refused with status ${response.status}: ${await response.text()}`);
}

/** What the compiler's library does not know of JSON yet. */
interface SourceJson {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
}

/** Ids are numbers of 64 bits, longer than those of JavaScript: they are kept as they were written. */
function parseLossless(json: string): unknown {
  const { parse, rawJSON } = JSON as unknown as SourceJson;
  return parse(json, (_key, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined ? rawJSON(source) : value,
  );
}
