import type { Contender, Measure, Running } from "./contender.ts";
import { median } from "./load.ts";
import { tcpEchoMeasures } from "./tcp-echo.ts";

/** Messages per batch: so many wait at a time at most. */
const BATCH = 50_000;
const CALLS = 10_000;
const SPAWNED = 10_000;

/** What the bench of actors asks of a contender; each resolves when the last message is handled. */
export interface ActorWorld {
  /** One actor sends `count` messages to another. */
  send(count: number): Promise<void>;
  /** One actor calls another `count` times, one after the other. Absent where an actor cannot. */
  call(count: number): Promise<void>;
  /** Makes `count` idle actors and gives their end. Absent where there is no such thing. */
  spawn?(count: number): Promise<() => Promise<void>>;
  readonly note?: string;
  close(): Promise<void>;
}

/** The measures of the bench of actors. */
export const actorMeasures: readonly Measure[] = [
  {
    name: "send.local",
    unit: "msg/s",
    better: "higher",
    note: `one-way, one sender and one receiver in one process, in batches of ${BATCH}, counted when the last is handled`,
  },
  {
    name: "call.local",
    unit: "msg/s",
    better: "higher",
    note: "call and answer between two actors in one process, one at a time",
  },
  {
    name: "spawn",
    unit: "actors/s",
    better: "higher",
    note: `idle actors, made ${SPAWNED} at a time; their end is not measured`,
  },
  ...tcpEchoMeasures,
];

/** Rounds of `work` over about `durationMs`; the median of their rates. */
async function rate(durationMs: number, count: number, work: () => Promise<() => Promise<void>>): Promise<number> {
  const rates: number[] = [];
  const endMs = performance.now() + durationMs;
  do {
    const startMs = performance.now();
    const after = await work();
    rates.push(count / ((performance.now() - startMs) / 1_000));
    await after();
  } while (performance.now() < endMs);
  return median(rates);
}

/** A contender that loses messages measures nothing. */
export function lost(seen: number, sent: number): Error {
  return new Error(`${seen} of ${sent} messages were handled`);
}

const nothing = async (): Promise<void> => undefined;

/** A contender of the bench of actors. */
export function actorContender(name: string, openWorld: () => Promise<ActorWorld>): Contender {
  return {
    name,
    open: async (): Promise<Running> => {
      const world = await openWorld();
      const { spawn } = world;
      return {
        samplers: {
          "send.local": (durationMs) => rate(durationMs, BATCH, () => world.send(BATCH).then(() => nothing)),
          "call.local": (durationMs) => rate(durationMs, CALLS, () => world.call(CALLS).then(() => nothing)),
          ...(spawn === undefined ? {} : { spawn: (durationMs: number) => rate(durationMs, SPAWNED, () => spawn(SPAWNED)) }),
        },
        ...(world.note === undefined ? {} : { note: world.note }),
        close: () => world.close(),
      };
    },
  };
}
