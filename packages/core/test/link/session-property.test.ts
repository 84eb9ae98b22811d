import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coreError, MetanodeError } from "../../src/errors.ts";
import type { Frame } from "../../src/link/frames.ts";
import type { Message } from "../../src/message/message.ts";
import { settle, type VirtualClock } from "../../src/testing/virtual-clock.ts";
import { contextOf, messageOf, openPair, type Pair } from "./pair.ts";

const CONCURRENCY = 3;
const WINDOW = 4;

/** How the answering side behaves to one call. */
type Manner = "at-once" | "later" | "throws" | "rejects" | "never";

type Step =
  | { do: "call"; manner: Manner; delayMs: number; timeoutMs: number | undefined }
  | { do: "stream"; items: number; delayMs: number; timeoutMs: number | undefined }
  | { do: "read"; stream: number; items: number }
  | { do: "leave"; stream: number }
  | { do: "withdraw"; call: number }
  | { do: "advance"; ms: number }
  | { do: "cut" };

const timeoutMs = fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined });
const index = fc.nat({ max: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("call" as const),
      manner: fc.constantFrom<Manner>("at-once", "later", "throws", "rejects", "never"),
      delayMs: fc.integer({ min: 1, max: 100 }),
      timeoutMs,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("stream" as const),
      items: fc.nat({ max: 20 }),
      delayMs: fc.nat({ max: 5 }),
      timeoutMs,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("read" as const), stream: index, items: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), stream: index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("withdraw" as const), call: index }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "cut" as const }) },
);

/** Counts what passes the caller's end of the channel against the rules of `link.proto`. */
function watch({ channel }: Pair): { breaches: string[] } {
  const breaches: string[] = [];
  const open = new Set<number>();
  const credit = new Map<number, number>();
  channel.onSent = (frames: readonly Frame[]) => {
    for (const { call = 0, request, credit: more } of frames) {
      if (more) credit.set(call, (credit.get(call) ?? 0) + (more.items ?? 0));
      if (!request) continue;
      if (open.has(call)) breaches.push(`call ${call} began while one of that number was open`);
      open.add(call);
      credit.set(call, request.window ?? 0);
      if (open.size > CONCURRENCY) breaches.push(`${open.size} calls were open, the limit is ${CONCURRENCY}`);
    }
  };
  channel.onReceived = (frames: readonly Frame[]) => {
    for (const { call = 0, reply, failure, item } of frames) {
      if (!reply && !failure && !item) continue;
      if (!open.has(call)) breaches.push(`something came for call ${call}, which was not open`);
      if (item) {
        const left = (credit.get(call) ?? 0) - 1;
        if (left < 0) breaches.push(`an item of call ${call} came without credit`);
        credit.set(call, left);
      } else open.delete(call);
    }
  };
  return { breaches };
}

type Asked = { manner: Manner; delayMs: number; n: number } | { items: number; delayMs: number };

function answer(clock: VirtualClock, { data }: Message): unknown {
  const asked = data as Asked;
  const later = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));
  if ("items" in asked) {
    return (async function* () {
      for (let n = 1; n <= asked.items; n++) {
        if (asked.delayMs > 0) await later(asked.delayMs);
        yield n;
      }
    })();
  }
  if (asked.manner === "throws") throw coreError("state.conflict", String(asked.n));
  if (asked.manner === "rejects")
    return later(asked.delayMs).then(() => Promise.reject(coreError("state.conflict", String(asked.n))));
  if (asked.manner === "later") return later(asked.delayMs).then(() => asked.n);
  return asked.manner === "never" ? new Promise(() => undefined) : asked.n;
}

interface Tracked {
  readonly control: AbortController;
  /** Of a plain call: how it ended, each time that it did. */
  readonly ends: unknown[];
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list[index % list.length];
}

class Scenario {
  readonly pair: Pair;
  readonly calls: Tracked[] = [];
  readonly streams: { iterator: AsyncIterator<unknown>; items: unknown[]; errors: unknown[]; pending: Promise<void> }[] = [];
  readonly wrong: string[] = [];
  #isCut = false;

  constructor() {
    const pair: Pair = openPair((message) => answer(pair.clock, message), { concurrency: CONCURRENCY, streamWindow: WINDOW });
    this.pair = pair;
  }

  async run(step: Step): Promise<void> {
    const { clock } = this.pair;
    if (step.do === "call") this.#call(step);
    else if (step.do === "stream") this.#stream(step);
    else if (step.do === "read") this.#read(step.stream, step.items);
    else if (step.do === "leave")
      void pick(this.streams, step.stream)
        ?.iterator.return?.()
        .catch(() => undefined);
    else if (step.do === "withdraw") pick(this.calls, step.call)?.control.abort();
    else if (step.do === "advance") await clock.advance(step.ms);
    else if (!this.#isCut) {
      this.#isCut = true;
      this.pair.channel.close(coreError("node.unreachable", "cut"));
    }
  }

  /** Lets every deadline pass, then ends the session: nothing may be left open then. */
  async finish(): Promise<void> {
    await this.pair.clock.advance(200);
    this.pair.caller.close();
    await this.pair.clock.advance(200);
    for (let turn = 0; turn < 5; turn++) await settle();
  }

  #call({ manner, delayMs, timeoutMs: limit }: Extract<Step, { do: "call" }>): void {
    const { clock, caller } = this.pair;
    const control = new AbortController();
    const tracked: Tracked = { control, ends: [] };
    const n = this.calls.push(tracked);
    const promise = caller.call(messageOf({ manner, delayMs, n }), contextOf(clock, limit, control.signal));
    promise.then(
      (value) => {
        tracked.ends.push(value);
        if (value !== n) this.wrong.push(`call ${n} was answered with ${String(value)}`);
      },
      (error: unknown) => {
        tracked.ends.push(error);
        this.#judge(error, String(n));
      },
    );
  }

  #stream({ items, delayMs, timeoutMs: limit }: Extract<Step, { do: "stream" }>): void {
    const { clock, caller } = this.pair;
    const iterator = caller.stream(messageOf({ items, delayMs }), contextOf(clock, limit))[Symbol.asyncIterator]();
    this.streams.push({ iterator, items: [], errors: [], pending: Promise.resolve() });
  }

  #read(which: number, count: number): void {
    const stream = pick(this.streams, which);
    if (stream === undefined) return;
    stream.pending = stream.pending.then(async () => {
      try {
        for (let n = 0; n < count; n++) {
          const { done, value } = await stream.iterator.next();
          if (done) return;
          stream.items.push(value);
        }
      } catch (error) {
        stream.errors.push(error);
        this.#judge(error, "");
      }
    });
  }

  #judge(error: unknown, text: string): void {
    const codes = ["call.deadline", "call.cancelled", "processor.down"];
    if (error instanceof MetanodeError && codes.includes(error.code)) return;
    if (error instanceof MetanodeError && error.code === "state.conflict" && error.message === text) return;
    this.wrong.push(`an end of another kind: ${String(error)}`);
  }
}

describe("a session under any interleaving of calls, withdrawals, deadlines, streams and the loss of its channel", () => {
  test("ends every call exactly once (S1) and never exceeds a credit (S2)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), async (steps) => {
        const scenario = new Scenario();
        const { breaches } = watch(scenario.pair);
        for (const one of steps) {
          await scenario.run(one);
          await settle();
        }
        await scenario.finish();
        for (const stream of scenario.streams) await stream.pending;
        expect(breaches).toEqual([]);
        expect(scenario.wrong).toEqual([]);
        expect(scenario.calls.map(({ ends }) => ends.length)).toEqual(scenario.calls.map(() => 1));
        for (const { items, errors } of scenario.streams) {
          expect(items).toEqual(items.map((_, n) => n + 1));
          expect(errors.length).toBeLessThanOrEqual(1);
        }
        const { caller, answerer } = scenario.pair;
        expect([caller.openCalls, caller.abandonedCalls, answerer.incomingCalls]).toEqual([0, 0, 0]);
      }),
      { numRuns: 150 },
    );
  });
});
