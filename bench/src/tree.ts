import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Measure, Sampler } from "./contender.ts";
import { median } from "./load.ts";

/** A set of nodes that know how to reach each other, in several processes. */
export interface NodeWorld {
  readonly nodes: number;
  /** Asks every node, and gives how many answered. */
  askAll(): Promise<number>;
  /** Asks one node that is four levels below the one that asks, or as far away as there is. */
  askFar(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a world of so many nodes. */
export type OpenNodes = (nodes: number, fanOut: number) => Promise<NodeWorld>;

const IDLE_MS = 20_000;
/** For-alls per sample. A world takes long to open, and each sample may need a new one. */
const ASKED = 7;

export const treeMeasures: readonly Measure[] = [
  ...[585, 1_000].map((nodes) => ({
    name: `forall.${nodes}`,
    unit: "ms",
    better: "lower" as const,
    note: `one message to each of ${nodes} nodes in five processes, until every one has answered; the median of ${ASKED}`,
    maxSamples: 3,
  })),
  ...[100, 1_000].map((nodes) => ({
    name: `heartbeat.${nodes}`,
    unit: "B/s",
    better: "lower" as const,
    note: `bytes per node and second over loopback, headers of TCP and IP included, while ${nodes} nodes have nothing to do for ${IDLE_MS / 1_000} s, with the heartbeat that comes along: ours 1 s`,
    isFresh: true,
    maxSamples: 1,
  })),
  {
    name: "call.far",
    unit: "us",
    better: "lower",
    note: "one call at a time to a node four levels below, through the three between; for a peer without levels, to another node",
    maxSamples: 3,
  },
  {
    name: "child.memory",
    unit: "KB",
    better: "lower",
    note: "resident memory of a process that holds one node, for each of 500 direct children in other processes; for a peer, for each of 500 other nodes",
    isFresh: true,
    maxSamples: 1,
  },
];

/** The one world that there is: what nodes of another contender say to each other would count as this one's. */
let current: { readonly key: string; readonly open: OpenNodes; readonly world: NodeWorld } | undefined;

async function worldOf(open: OpenNodes, nodes: number, fanOut: number): Promise<NodeWorld> {
  const key = `${nodes}/${fanOut}`;
  if (current?.key === key && current.open === open) return current.world;
  await closeWorld();
  const world = await open(nodes, fanOut);
  current = { key, open, world };
  return world;
}

async function closeWorld(): Promise<void> {
  const closing = current?.world;
  current = undefined;
  await closing?.close();
}

/** The samplers that all contenders share; worlds are opened when they are asked for. */
export function treeSamplers(open: OpenNodes): { samplers: Record<string, Sampler>; close(): Promise<void> } {
  const forAll =
    (nodes: number, fanOut: number): Sampler =>
    async () => {
      const world = await worldOf(open, nodes, fanOut);
      const times: number[] = [];
      for (let n = 0; n < ASKED; n++) {
        const startMs = performance.now();
        const answered = await world.askAll();
        times.push(performance.now() - startMs);
        if (answered !== nodes) throw new Error(`${answered} of ${nodes} nodes answered`);
      }
      return median(times);
    };
  const heartbeat =
    (nodes: number, fanOut: number): Sampler =>
    async () => {
      await worldOf(open, nodes, fanOut);
      await delay(3_000); // what the making of the world has set going is over
      const before = loopbackBytes();
      await delay(IDLE_MS);
      return (loopbackBytes() - before) / nodes / (IDLE_MS / 1_000);
    };
  return {
    samplers: {
      "forall.585": forAll(585, 8),
      "forall.1000": forAll(1_000, 10),
      "heartbeat.100": heartbeat(100, 10),
      "heartbeat.1000": heartbeat(1_000, 10),
      "call.far": async (durationMs) => {
        const world = await worldOf(open, 585, 4);
        const times: number[] = [];
        for (const endMs = performance.now() + durationMs; performance.now() < endMs; ) {
          const startMs = performance.now();
          await world.askFar();
          times.push((performance.now() - startMs) * 1_000);
        }
        return median(times);
      },
    },
    close: closeWorld,
  };
}

/** Bytes that the loopback interface has sent since the machine was started. */
function loopbackBytes(): number {
  const line = readFileSync("/proc/net/dev", "utf8")
    .split("\n")
    .find((one) => one.trim().startsWith("lo:"));
  const sent = line?.split(":")[1]?.trim().split(/\s+/)[8];
  if (sent === undefined) throw new Error("/proc/net/dev does not tell of the loopback interface");
  return Number(sent);
}

/** Resident memory of this process after a collection, in kilobytes. */
export async function residentKilobytes(): Promise<number> {
  await collected();
  return process.memoryUsage().rss / 1_000;
}

/** Collects the garbage of this process, several times, because what is let go by one collection is found by the next. */
export async function collected(): Promise<void> {
  const session = new Session();
  session.connect();
  for (let n = 0; n < 3; n++) {
    await session.post("HeapProfiler.collectGarbage");
    await delay(200);
  }
  session.disconnect();
}
