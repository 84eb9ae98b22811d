import { type EventLoopUtilization, performance } from "node:perf_hooks";
import { type Clock, systemClock, type Timer } from "./clock.ts";

/*
 * Gives back the memory of work that is done. V8 collects when it needs room, and a process without work needs none: it would keep the
 * garbage of its last work, and the pages around what is left, for as long as it is idle. The same holds for each of its threads.
 *
 * M1. Once after each time of work, when the event loop has been idle for QUIET_LOOKS looks in a row. The start of the process is work.
 * M2. Not within MIN_PAUSE_MS of the last time, however often work comes and goes.
 * M3. Not while the heap is larger than MAX_HEAP_BYTES: it takes 2 ms per MB, for which nothing else is done.
 */

const LOOK_MS = 1_000;
const QUIET_LOOKS = 3;
/** Share of the time from which on it is work. Probes and whoever looks at a status every few seconds stay below. */
const WORK = 0.05;
const MIN_PAUSE_MS = 60_000;
const MAX_HEAP_BYTES = 256 * 1_048_576;

/** What it looks at and acts on. */
export interface Memory {
  /** Share of the time that the event loop was busy since the last call. */
  utilization(): number;
  heapBytes(): number;
  /** Collects all garbage and gives free pages back to the system. */
  collect(): Promise<void>;
}

/** How it is done; programs and threads take what is preset. */
export interface GiveBackOptions {
  /** It ends with this. @default with the process or thread, which it does not keep alive */
  until?: Promise<unknown>;
  /** @default that of this thread */
  memory?: Memory;
  /** @default the machine's */
  clock?: Clock;
}

/** For whoever owns a thread, the main thread of a program or one of its own: it is about everything in that thread, and nothing beyond. */
export function giveBackMemory({ until, memory = ownMemory(), clock = systemClock }: GiveBackOptions = {}): void {
  let hasWorked = true;
  let quiet = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;
  const look = async (): Promise<void> => {
    const isWorking = memory.utilization() >= WORK;
    hasWorked ||= isWorking;
    quiet = isWorking ? 0 : quiet + 1;
    const isDue = hasWorked && quiet >= QUIET_LOOKS && clock.now() - lastMs >= MIN_PAUSE_MS;
    if (isDue && memory.heapBytes() <= MAX_HEAP_BYTES) {
      hasWorked = false;
      lastMs = clock.now();
      await memory.collect().catch(() => undefined); // without it the process is larger, and nothing else
      memory.utilization(); // to collect is no work
    }
    if (!isOver) watch();
  };
  const watch = (): void => {
    timer = clock.setTimer(LOOK_MS, () => void look());
  };
  let isOver = false;
  const end = (): void => {
    isOver = true;
    timer?.cancel();
  };
  until?.then(end, end);
  watch();
}

function ownMemory(): Memory {
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return {
    utilization: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    heapBytes: () => process.memoryUsage().heapUsed,
    collect: async () => {
      // The way to ask for it that needs no flag of V8, and that gives pages back as well.
      const { Session } = await import("node:inspector/promises");
      const session = new Session();
      session.connect();
      try {
        await session.post("HeapProfiler.collectGarbage");
      } finally {
        session.disconnect();
      }
    },
  };
}
