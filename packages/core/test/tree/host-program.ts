/** A process that hosts nodes of a tree and does what the test that forked it says. Not a test. */
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { systemClock } from "../../src/clock.ts";
import { asMetanodeError, toWire } from "../../src/errors.ts";
import { createNode, handlerMember, type MetaNode, wait } from "../../src/index.ts";
import type { MessageInit } from "../../src/message/message.ts";
import { processors } from "../../src/node/processors.ts";
import type { CallOptions } from "../../src/router/router.ts";
import { TREE, type TreeModule, treeModule } from "../../src/tree/index.ts";
import { ByteReader, byteItems, Scales } from "./byte-stream.ts";
import type { NodeSpec, Order } from "./cluster.ts";
import { transportOf } from "./dialect.ts";
import { type Offer, offerLoad } from "./offered-load.ts";

interface Hosted {
  readonly node: MetaNode;
  readonly module: TreeModule;
  readonly seen: Map<string, number>;
}

const nodes = new Map<string, Hosted>();
const readers = new Map<string, ByteReader>();
const scales = new Scales();
const loads = new Map<string, { stop: boolean; done: Promise<unknown> }>();

/** What every node of the tests handles; each counts what it has handled. */
function register({ node, seen }: Hosted, types: readonly string[]): void {
  const count = (type: string): number => {
    seen.set(type, (seen.get(type) ?? 0) + 1);
    return seen.get(type) as number;
  };
  const add = (type: string, handle: Parameters<typeof handlerMember>[1], streaming = false): void => {
    node.router.register({ type, member: handlerMember(type, handle), streaming });
  };
  add("echo", ({ data }) => ({ name: node.name, data, count: count("echo") }));
  add("sleep", async ({ data }, { signal }) => {
    count("sleep");
    const { ms = 0, only } = (data ?? {}) as { ms?: number; only?: string };
    if (only !== undefined && only !== node.name) return node.name;
    await wait(systemClock, ms, signal).catch((error: unknown) => {
      count("withdrawn");
      throw error;
    });
    return node.name;
  });
  add("fail", ({ data }) => {
    count("fail");
    if (data === undefined || (data as string[]).includes(node.name)) throw new Error(`${node.name} fails`);
    return node.name;
  });
  add("number", () => count("number") && Number(node.name.replaceAll(/\D/g, "") || 1));
  add("trace", ({ traceparent }) => traceparent);
  add("bytes", ({ data }) => byteItems(Number(data), (given) => seen.set("bytes", given)), true);
  for (const type of types) add(type, () => ({ name: node.name, count: count(type) }));
}

async function start({ name, types = [], folder, processors: specs = [], dialect, ...options }: NodeSpec): Promise<unknown> {
  const module = treeModule({
    listen: "127.0.0.1:0",
    heartbeatMs: 500,
    ...options,
    ...(dialect ? { transport: transportOf(dialect) } : {}),
  });
  const node = await createNode({
    name,
    modules: specs.length === 0 ? [module] : [module, processors(specs)],
    logger: pino({ level: "silent" }),
    ...(folder ? { folder } : {}),
  });
  const hosted = { node, module, seen: new Map() };
  register(hosted, types);
  nodes.set(name, hosted);
  return { id: module.tree.id, address: module.tree.address };
}

/** Calls again and again, and counts what came of it. */
async function load(
  hosted: Hosted,
  init: MessageInit,
  { perSecond }: { perSecond: number },
  state: { stop: boolean },
): Promise<unknown> {
  const codes: Record<string, number> = {};
  const answered: Record<string, number> = {};
  const open = new Set<Promise<unknown>>();
  while (!state.stop) {
    const one = hosted.node.call({ ...init, id: randomUUID() }).then(
      (value) => {
        const by = (value as { name?: string })?.name ?? "?";
        answered[by] = (answered[by] ?? 0) + 1;
      },
      (error: unknown) => {
        const { code, message } = asMetanodeError(error);
        codes[`${code}: ${message}`] = (codes[`${code}: ${message}`] ?? 0) + 1;
      },
    );
    open.add(one);
    void one.finally(() => open.delete(one));
    await wait(systemClock, 1_000 / perSecond);
  }
  await Promise.all(open);
  return { answered, errors: codes };
}

async function gathered(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function obey({ verb, name = "", args = [] }: Order): Promise<unknown> {
  const hosted = nodes.get(name) as Hosted;
  const [first, second] = args as [never, never];
  switch (verb) {
    case "start":
      return start(first);
    case "call":
      return hosted.node.call(first, second);
    case "stream":
      return gathered(hosted.node.stream(first, second));
    case "open":
      readers.set(name, new ByteReader(hosted.node.stream(first, second)));
      return undefined;
    case "read":
      return readers.get(name)?.read(first);
    case "leave":
      return readers.get(name)?.leave();
    case "weigh":
      return scales.begin();
    case "grown":
      return scales.end();
    case "token":
      return (await hosted.module.tree.token({ purpose: first })).text;
    case "join":
      return hosted.module.tree.join(first);
    case "failure":
      return hosted.module.tree.upward.joinFailure && toWire(hosted.module.tree.upward.joinFailure);
    case "describe":
      return hosted.node.call({ type: TREE.describe });
    case "seen":
      return Object.fromEntries(hosted.seen);
    case "load": {
      const state = { stop: false };
      loads.set(name, Object.assign(state, { done: load(hosted, first, second, state) }));
      return undefined;
    }
    case "offer": {
      const { init, options, offer } = first as { init: MessageInit; options: CallOptions; offer: Offer };
      return offerLoad(() => hosted.node.call({ ...init, id: randomUUID() }, options), offer);
    }
    case "unload": {
      const running = loads.get(name);
      if (running !== undefined) running.stop = true;
      return running?.done;
    }
    case "close":
      await hosted.node.close();
      nodes.delete(name);
      return undefined;
    case "reset":
      for (const state of loads.values()) state.stop = true;
      loads.clear();
      await Promise.all([...nodes.values()].map(({ node }) => node.close()));
      nodes.clear();
      return undefined;
    default:
      throw new Error(`no verb ${String(verb)}`);
  }
}

process.on("message", (order: Order) => {
  obey(order).then(
    (value) => process.send?.({ id: order.id, value }),
    (error: unknown) => process.send?.({ id: order.id, error: toWire(error) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ id: 0 });
