import { lost } from "./actors.ts";
import type { Contender, Measure, Running } from "./contender.ts";
import { median } from "./load.ts";

/** Messages from the first to the last of a round: so many are under way at most. */
const BATCH = 200_000;
const CALLS = 500;

/** Two nodes with an actor each. */
export interface TwoNodes {
  /** The one sends `count` messages to the other and gives how many that has handled when the last one has arrived. */
  send(count: number): Promise<number>;
  /** The one calls the other `count` times, one after the other. */
  call(count: number): Promise<void>;
  close(): Promise<void>;
}

/** What a contender of the bench opens. */
export interface RemoteWorld {
  /** Two nodes in two processes, over sockets. */
  openProcesses(): Promise<TwoNodes>;
  /** Two nodes in one process, joined in memory, where there is such a thing. */
  openMemory?(): Promise<TwoNodes>;
}

/** The measures of the bench of actors on two nodes. */
export const remoteMeasures: readonly Measure[] = [
  {
    name: "send.remote",
    unit: "msg/s",
    better: "higher",
    note: `one-way, one sender and one receiver in two processes, over gRPC on loopback, small integers to a name, in rounds of ${BATCH}, counted when the last is handled`,
  },
  {
    name: "send.remote.memory",
    unit: "msg/s",
    better: "higher",
    note: "the same between two nodes of one process: encoding and decoding without sockets, on one thread",
  },
  {
    name: "call.remote",
    unit: "us",
    better: "lower",
    note: "call and answer between two processes, one at a time, the median of rounds",
  },
];

/** Rounds of `work` over about `durationMs`; the median of what they give. */
async function rounds(durationMs: number, work: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  const endMs = performance.now() + durationMs;
  do values.push(await work());
  while (performance.now() < endMs);
  return median(values);
}

async function sendRate(nodes: TwoNodes): Promise<number> {
  const startMs = performance.now();
  const seen = await nodes.send(BATCH);
  if (seen !== BATCH) throw lost(seen, BATCH);
  return BATCH / ((performance.now() - startMs) / 1_000);
}

async function callTime(nodes: TwoNodes): Promise<number> {
  const startMs = performance.now();
  await nodes.call(CALLS);
  return ((performance.now() - startMs) * 1_000) / CALLS;
}

/** A contender of the bench of actors on two nodes. */
export function remoteContender(name: string, world: RemoteWorld): Contender {
  return {
    name,
    open: async (): Promise<Running> => {
      const processes = await world.openProcesses();
      const memory = await world.openMemory?.();
      return {
        samplers: {
          "send.remote": (durationMs) => rounds(durationMs, () => sendRate(processes)),
          ...(memory === undefined
            ? {}
            : { "send.remote.memory": (durationMs: number) => rounds(durationMs, () => sendRate(memory)) }),
          "call.remote": (durationMs) => rounds(durationMs, () => callTime(processes)),
        },
        close: async () => {
          await memory?.close();
          await processes.close();
        },
      };
    },
  };
}
