import type { ActorWorld, Million } from "./actors.ts";
import { runModule } from "./processes.ts";
import type { NodeWorld } from "./worlds.ts";

/** Enough for a million actors of 7 KB; no contender comes near it in its ordinary work. */
const HEAP_MB = 7_168;

/** The world of a contender that runs in Node: it makes its million in a process of its own. */
export async function withMillion(name: NodeWorld, openWorld: () => Promise<ActorWorld>): Promise<ActorWorld> {
  const world = await openWorld();
  const execArgv = ["--expose-gc", `--max-old-space-size=${HEAP_MB}`];
  const module = new URL("./million-worker.ts", import.meta.url);
  return { ...world, million: (count) => runModule<Million>(module, [name, String(count)], execArgv) };
}
