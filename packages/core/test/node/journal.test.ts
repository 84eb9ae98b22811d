import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Journal, type NewStep, type Step, traceIdOf } from "../../src/node/journal.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** The last two end alike. */
const TRACES = ["a".repeat(32), "b".repeat(32), `c${"b".repeat(31)}`];

const newStep: fc.Arbitrary<NewStep> = fc.record(
  {
    kind: fc.constantFrom("message", "actor", "instance"),
    what: fc.string({ maxLength: 3 }),
    type: fc.constantFrom("x", "y"),
    member: fc.constantFrom("m", "n"),
    source: fc.constant("/nodes/n"),
    subject: fc.constantFrom("s", ""),
    traceId: fc.constantFrom(...TRACES),
    ms: fc.nat(9),
    code: fc.constant("core.internal"),
  },
  { requiredKeys: ["kind", "what", "type"] },
);

/** What is done with a journal; it may also go on being followed, or no more. */
type Deed = { readonly add: NewStep; readonly afterMs: number } | { readonly follow: true } | { readonly leave: number };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ add: newStep, afterMs: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant<Deed>({ follow: true }) },
  { weight: 1, arbitrary: fc.record({ leave: fc.nat(3) }) },
);

/** A plain array that forgets nothing, and what followers were told of it. */
interface Model {
  readonly steps: Step[];
  readonly followers: { readonly got: Step[]; readonly wanted: Step[]; readonly stop: () => void; isThere: boolean }[];
}

async function run(journal: Journal, clock: VirtualClock, deeds: readonly Deed[]): Promise<Model> {
  const model: Model = { steps: [], followers: [] };
  for (const one of deeds) {
    if ("add" in one) {
      await clock.advance(one.afterMs);
      journal.add(one.add);
      const step = { ...one.add, sequence: model.steps.length + 1, atMs: clock.now() };
      model.steps.push(step);
      for (const { wanted } of model.followers.filter(({ isThere }) => isThere)) wanted.push(step);
    } else if ("follow" in one) {
      const got: Step[] = [];
      model.followers.push({ got, wanted: [], stop: journal.follow((step) => got.push(step)), isThere: true });
    } else {
      const follower = model.followers[one.leave];
      follower?.stop();
      if (follower !== undefined) follower.isThere = false;
    }
  }
  return model;
}

/** Every place that a reader may ask from: before the first, among them all, and after the last. */
const places = (last: number): number[] => Array.from({ length: last + 5 }, (_, at) => at - 2);

const filters: readonly ((step: Step) => boolean)[] = [() => true, ({ type }) => type === "x", ({ code }) => code !== undefined];

describe("a journal", () => {
  test("knows nothing of a trace that is none, and takes any text for one", () => {
    const journal = new Journal(new VirtualClock(), 2);
    for (const traceId of ["", "x", "\u{1F980}", "ZZZ"]) {
      expect(journal.trace(traceId)).toEqual([]);
      journal.add({ kind: "task", what: traceId, type: "failed", traceId });
      expect(journal.trace(traceId).map(({ what }) => what)).toEqual([traceId]);
    }
  });

  test("agrees with a plain array of which it forgets the oldest", async () => {
    const given = [fc.integer({ min: 1, max: 6 }), fc.array(deed, { maxLength: 25 }), fc.integer({ min: 1, max: 8 })] as const;
    await fc.assert(
      fc.asyncProperty(...given, async (capacity, deeds, limit) => {
        const clock = new VirtualClock();
        const journal = new Journal(clock, capacity);
        const { steps, followers } = await run(journal, clock, deeds);
        const kept = steps.slice(-capacity);
        expect(journal.last).toBe(steps.length);
        expect(journal.first).toBe(kept[0]?.sequence ?? 1);
        for (const at of places(steps.length)) {
          for (const fits of filters) {
            const after = kept.filter(({ sequence }) => sequence > at).filter(fits);
            const earlier = kept.filter(({ sequence }) => sequence < at).filter(fits);
            expect(journal.since(at, limit, fits)).toEqual(after.slice(0, limit));
            expect(journal.before(at, limit, fits)).toEqual(earlier.toReversed().slice(0, limit));
          }
        }
        for (const trace of TRACES) expect(journal.trace(trace)).toEqual(kept.filter(({ traceId }) => traceId === trace));
        for (const { got, wanted } of followers) expect(got).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });

  test("read page by page gives each step that fits once, in both directions", () => {
    const given = [
      fc.integer({ min: 1, max: 12 }),
      fc.array(newStep, { maxLength: 25 }),
      fc.integer({ min: 1, max: 5 }),
    ] as const;
    fc.assert(
      fc.property(...given, (capacity, added, limit) => {
        const journal = new Journal(new VirtualClock(), capacity);
        for (const step of added) journal.add(step);
        const fits = ({ kind }: Step): boolean => kind === "message";
        const wanted = journal.since(0, capacity).filter(fits);
        const onward = pages((last) => journal.since(last?.sequence ?? 0, limit, fits));
        const backward = pages((last) => journal.before(last?.sequence ?? journal.last + 1, limit, fits));
        expect(onward).toEqual(wanted);
        expect(backward).toEqual(wanted.toReversed());
      }),
      { numRuns: 100 },
    );
  });

  test("tells a follower of the step that it adds before it says so, and no other once it has stopped among them", () => {
    const journal = new Journal(new VirtualClock());
    const told: string[] = [];
    const stopFirst = journal.follow(({ what }) => {
      told.push(`first ${what}`);
      stopFirst();
    });
    journal.follow(({ what, sequence }) => told.push(`second ${what} of ${journal.last} at ${sequence}`));
    journal.add({ kind: "graph", what: "a", type: "running" });
    journal.add({ kind: "graph", what: "b", type: "running" });
    expect(told).toEqual(["first a", "second a of 1 at 1", "second b of 2 at 2"]);
  });

  test("tells each follower for itself, though two follow with the same function", () => {
    const journal = new Journal(new VirtualClock());
    const told: number[] = [];
    const listener = ({ sequence }: Step): void => void told.push(sequence);
    const stop = journal.follow(listener);
    journal.follow(listener);
    journal.add({ kind: "graph", what: "a", type: "running" });
    stop();
    stop();
    journal.add({ kind: "graph", what: "b", type: "running" });
    expect(told).toEqual([1, 1, 2]);
  });
});

test("the trace id is the second part of a traceparent, of whatever version", () => {
  expect(traceIdOf(undefined)).toBeUndefined();
  for (const version of ["00", "01"]) expect(traceIdOf(`${version}-${TRACES[0]}-${"c".repeat(16)}-01`)).toBe(TRACES[0]);
});

function pages(read: (last: Step | undefined) => Step[]): Step[] {
  const all: Step[] = [];
  for (let page = read(undefined); page.length > 0; page = read(page.at(-1))) all.push(...page);
  return all;
}
