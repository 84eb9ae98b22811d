import type { Contender, Measure, Running, Sampler } from "./contender.ts";
import { median } from "./load.ts";

/** Messages per batch: so many wait at a time at most. */
const BATCH = 50_000;
const PAIRS = 14;
/** Messages per pair and batch. */
const PAIR_BATCH = 10_000;
const CALLS = 10_000;
const SPAWNED = 10_000;
const MANY = 1_000_000;
const SUBSCRIBERS = 100_000;

/** What a piece of work took, in milliseconds, if whoever did it kept the time itself: a process of its own does. */
export interface Took {
  readonly tookMs?: number;
}

/** Something that was made for a measure and is cleared away after it. */
export interface Made extends Took {
  end(): Promise<void>;
}

/** Actors that wait for what is published. */
export interface Audience {
  /** Publishes once; resolves when the last of them has handled it. */
  publish(): Promise<Took>;
  end(): Promise<void>;
}

/** A million idle actors: how long they took to make, and how much memory each has. */
export interface Million {
  readonly tookMs: number;
  readonly bytesEach: number;
}

/**
 * What the bench of actors asks of a contender. Each resolves when the last message is handled, and fails if the receivers
 * have not counted what was sent. What is absent a contender cannot do.
 */
export interface ActorWorld {
  /** As many senders as are asked for send `count` messages each, every one to a receiver of its own. */
  send?(senders: number, count: number): Promise<Took>;
  /** One actor calls another `count` times, one after the other. */
  call?(count: number): Promise<Took>;
  /** Makes idle actors. */
  spawn?(count: number): Promise<Made>;
  /** Makes idle actors in a process that has nothing else to do. */
  million?(count: number): Promise<Million>;
  subscribe?(count: number): Promise<Audience>;
  readonly note?: string;
  close(): Promise<void>;
}

/** A measure, and how it is taken of a world that can do it. */
interface ActorMeasure extends Measure {
  sampler(world: ActorWorld): Sampler | undefined;
}

const sendLocal: ActorMeasure = {
  name: "send.local",
  unit: "msg/s",
  better: "higher",
  note: `one-way, one sender and one receiver in one process, in batches of ${BATCH}, counted when the last is handled`,
  sampler: ({ send }) => send && ((durationMs) => rate(durationMs, BATCH, () => send(1, BATCH))),
};

const sendPairs: ActorMeasure = {
  name: "send.pairs14",
  unit: "msg/s",
  better: "higher",
  note: `the same with ${PAIRS} senders and ${PAIRS} receivers at once, ${PAIR_BATCH} messages each`,
  sampler: ({ send }) => send && ((durationMs) => rate(durationMs, PAIRS * PAIR_BATCH, () => send(PAIRS, PAIR_BATCH))),
};

const callLocal: ActorMeasure = {
  name: "call.local",
  unit: "msg/s",
  better: "higher",
  note: "call and answer between two actors in one process, one at a time",
  sampler: ({ call }) => call && ((durationMs) => rate(durationMs, CALLS, () => call(CALLS))),
};

const spawnRate: ActorMeasure = {
  name: "spawn",
  unit: "actors/s",
  better: "higher",
  note: `idle actors, made ${SPAWNED} at a time; their end is not measured`,
  sampler: ({ spawn }) => spawn && ((durationMs) => rate(durationMs, SPAWNED, () => spawn(SPAWNED))),
};

const spawnMillion: ActorMeasure = {
  name: "spawn.million",
  unit: "actors/s",
  better: "higher",
  note: `${MANY} idle actors in a fresh process, all of them alive in the end`,
  maxSamples: 3,
  isFresh: true,
  sampler: (world) => millions(world)?.(({ tookMs }) => MANY / (tookMs / 1_000)),
};

const spawnBytes: ActorMeasure = {
  name: "spawn.bytes",
  unit: "B",
  better: "lower",
  note: `what each of those ${MANY} idle actors has allocated, after a collection of garbage`,
  maxSamples: 3,
  isFresh: true,
  sampler: (world) => millions(world)?.(({ bytesEach }) => bytesEach),
};

const publish: ActorMeasure = {
  name: "publish.100k",
  unit: "msg/s",
  better: "higher",
  note: `one message published to ${SUBSCRIBERS} actors, counted when the last has handled it; subscribing is not measured`,
  sampler: ({ subscribe }) => subscribe && ((durationMs) => published(durationMs, subscribe)),
};

/** The measures of the bench of actors, in the order in which they are taken. A further one is one more entry. */
export const actorMeasures: readonly ActorMeasure[] = [
  sendLocal,
  sendPairs,
  callLocal,
  spawnRate,
  spawnMillion,
  spawnBytes,
  publish,
];

/** Rounds of `work` over about `durationMs`; the median of their rates. What was made is cleared away after each. */
async function rate(durationMs: number, count: number, work: () => Promise<Took | Made>): Promise<number> {
  const rates: number[] = [];
  const endMs = performance.now() + durationMs;
  do {
    const startMs = performance.now();
    const done = await work();
    const tookMs = done.tookMs ?? performance.now() - startMs;
    rates.push(count / (tookMs / 1_000));
    if ("end" in done) await done.end();
  } while (performance.now() < endMs);
  return median(rates);
}

async function published(durationMs: number, subscribe: NonNullable<ActorWorld["subscribe"]>): Promise<number> {
  const audience = await subscribe(SUBSCRIBERS);
  try {
    return await rate(durationMs, SUBSCRIBERS, () => audience.publish());
  } finally {
    await audience.end();
  }
}

type FigureOf = (million: Million) => number;
const unread = new WeakMap<ActorWorld, Map<FigureOf, Million[]>>();

/** A million actors are two figures: a sampler takes what others have left before it makes a million of its own. */
function millions(world: ActorWorld): ((figure: FigureOf) => Sampler) | undefined {
  const make = world.million;
  if (make === undefined) return undefined;
  const left = unread.get(world) ?? new Map<FigureOf, Million[]>();
  unread.set(world, left);
  return (figure) => {
    const mine: Million[] = [];
    left.set(figure, mine);
    return async () => {
      const before = mine.shift();
      if (before !== undefined) return figure(before);
      const million = await make(MANY);
      for (const others of left.values()) if (others !== mine) others.push(million);
      return figure(million);
    };
  };
}

/** A contender that loses messages measures nothing. */
export function lost(seen: number, sent: number): Error {
  return new Error(`${seen} of ${sent} messages were handled`);
}

/** A contender of the bench of actors. */
export function actorContender(name: string, openWorld: () => Promise<ActorWorld>): Contender {
  return {
    name,
    open: async (): Promise<Running> => {
      const world = await openWorld();
      const samplers = actorMeasures.flatMap((measure): [string, Sampler][] => {
        const sampler = measure.sampler(world);
        return sampler === undefined ? [] : [[measure.name, sampler]];
      });
      return {
        samplers: Object.fromEntries(samplers),
        ...(world.note === undefined ? {} : { note: world.note }),
        close: () => world.close(),
      };
    },
  };
}
