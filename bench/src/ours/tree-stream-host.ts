/** A process with one node of a tree that streams bytes, or reads them: `node tree-stream-host.ts`. */
import { createNode, handlerMember, type MetaNode } from "@metanode/core";
import { type TreeModule, treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { answerQuestions } from "../processes.ts";
import { collected } from "../tree.ts";
import { ITEM_BYTES, STREAMED_TYPE, type StreamOrder } from "../tree-stream.ts";

/** Between two looks at the resident memory. */
const LOOK_MS = 50;
/** Longer than ten gigabytes take on any machine. */
const TIMEOUT_MS = 3_600_000;

const module: TreeModule = treeModule({ listen: "127.0.0.1:0" });
let node: MetaNode | undefined;
/** Items that the leaf has given, and that the root has read. */
let given = 0;
let taken = 0;
let reading: AsyncIterator<unknown> | undefined;
let watch: { readonly before: number; most: number; readonly timer: NodeJS.Timeout } | undefined;

async function make(name: string): Promise<string> {
  node = await createNode({ name, modules: [module], logger: pino({ level: "silent" }) });
  node.router.register({ type: STREAMED_TYPE, member: handlerMember(name, ({ data }) => items(Number(data))), streaming: true });
  return (await module.tree.token({ purpose: "adopt" })).text;
}

/** Items of new memory, as those of a file are; each begins with its number. */
async function* items(count: number): AsyncGenerator<Uint8Array> {
  for (let number = 0; number < count; number++) {
    const item = Buffer.alloc(ITEM_BYTES, number & 0xff);
    item.writeUInt32LE(number);
    given = number + 1;
    yield item;
  }
}

/** Calls for the stream of the node at a path, and reads nothing of it yet. */
function open({ path = "", items: count = 0 }: StreamOrder): void {
  const message = { type: STREAMED_TYPE, data: count, extensions: { target: path } };
  reading = node?.stream(message, { timeoutMs: TIMEOUT_MS })[Symbol.asyncIterator]();
  taken = 0;
}

/** Reads so many items, or to the end, and gives how many have been read so far. */
async function read(most: number): Promise<number> {
  for (let n = 0; n < most; n++) {
    const next = await reading?.next();
    if (next?.done !== false) break;
    const item = next.value as Buffer;
    if (item.byteLength !== ITEM_BYTES) throw new Error(`item ${taken} has ${item.byteLength} bytes, not ${ITEM_BYTES}`);
    const number = Buffer.from(item.buffer, item.byteOffset, 4).readUInt32LE();
    if (number !== taken || item.at(-1) !== (taken & 0xff)) throw new Error(`item ${number} came where ${taken} was due`);
    taken++;
  }
  return taken;
}

/** Looks at the resident memory from now on, at the beginning without garbage. */
async function begin(): Promise<void> {
  await collected();
  const before = process.memoryUsage.rss();
  const timer = setInterval(look, LOOK_MS);
  watch = { before, most: before, timer };
}

function look(): void {
  if (watch !== undefined) watch.most = Math.max(watch.most, process.memoryUsage.rss());
}

function grown(): number {
  look();
  if (watch === undefined) return Number.NaN;
  clearInterval(watch.timer);
  return (watch.most - watch.before) / 1e6;
}

async function answer(question: object): Promise<unknown> {
  const order = question as StreamOrder;
  switch (order.verb) {
    case "make":
      return make(order.name ?? "");
    case "adopt":
      return (await module.tree.adopt(order.token ?? "")).id;
    case "watch":
      return begin();
    case "grown":
      return grown();
    case "given":
      return given;
    case "open":
      return open(order);
    default:
      return read(order.items ?? Number.POSITIVE_INFINITY);
  }
}

answerQuestions(answer, async () => node?.close());
