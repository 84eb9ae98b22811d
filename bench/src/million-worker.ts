/** The process that makes idle actors and weighs them: `node --expose-gc million-worker.ts <contender> <count>`. */
import type { Million } from "./actors.ts";
import { type NodeWorld, nodeWorlds } from "./worlds.ts";

const [name = "", text = ""] = process.argv.slice(2);
const count = Number(text);

/** Bytes that live, in the heap of JavaScript and outside of it. */
function allocatedBytes(): number {
  if (globalThis.gc === undefined) throw new Error("needs --expose-gc");
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const world = await nodeWorlds[name as NodeWorld]();
if (world.spawn === undefined) throw new Error(`${name} makes no idle actors`);
const beforeBytes = allocatedBytes();
const startMs = performance.now();
const made = await world.spawn(count);
const tookMs = performance.now() - startMs;
const bytesEach = (allocatedBytes() - beforeBytes) / count;
// `made` is used after the weighing, so that nothing of it can have been collected before.
if (typeof made.end !== "function") throw new Error("nothing was made");
process.send?.({ tookMs, bytesEach } satisfies Million, () => process.exit(0));
