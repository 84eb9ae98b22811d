import { VirtualClock } from "@metanode/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Converter } from "../../src/executor/executor.ts";
import { idOfData, idOfOutput } from "../../src/instance/hash.ts";
import { type Instance, keyOf, type Locator } from "../../src/instance/instance.ts";
import { createTestNature, MemoryDisk, type TestNature } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { turn } from "../fixtures/until.ts";

/*
 * Random workflows without circles, run by two engines that are killed at random, against a model that goes through them one step after
 * the other. The order in which upstreams become versions is open; everything else is not.
 */

interface Shape {
  /** Which metas have states. */
  readonly stateful: readonly boolean[];
  readonly relations: readonly {
    readonly from: number;
    readonly to: number;
    /** Outputs per upstream, where the target has no states. */
    readonly outputs: number;
    /** Tries that fail before one works. */
    readonly failures: number;
    readonly delayMs: number;
    readonly isSlow: boolean;
    /** Whether the relation says on which line a version goes, the upstream's; else the executor does. */
    readonly isNamed: boolean;
  }[];
}

type Action =
  | { readonly do: "input"; readonly engine: number; readonly content: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "turns"; readonly count: number }
  | { readonly do: "kill"; readonly engine: number };

const METAS = 5;
const metaOf = (at: number): string => `B:m${at}:1`;
const LINES = 2;

const shapes: fc.Arbitrary<Shape> = fc.record({
  stateful: fc.array(fc.boolean(), { minLength: METAS - 1, maxLength: METAS - 1 }).map((rest) => [false, ...rest]),
  relations: fc
    .array(
      fc.record({
        from: fc.integer({ min: 0, max: METAS - 2 }),
        step: fc.integer({ min: 1, max: METAS - 1 }),
        outputs: fc.integer({ min: 0, max: 2 }),
        failures: fc.constantFrom(0, 0, 0, 1, 2),
        delayMs: fc.constantFrom(0, 0, 0, 300),
        isSlow: fc.boolean(),
        isNamed: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((list) => {
      const byEnds = new Map(
        list.map(({ step, ...one }) => {
          const to = Math.min(METAS - 1, one.from + step);
          return [`${one.from} ${to}`, { ...one, to }];
        }),
      );
      return [...byEnds.values()];
    }),
});

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("input" as const), engine: fc.nat(1), content: fc.nat(7) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 100, 400) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), engine: fc.nat(1) }) },
  ),
  { minLength: 3, maxLength: 30 },
);

/** Something about a key that only depends on it. */
function pick(key: string, of: number): number {
  let sum = 0;
  for (const char of key) sum = (sum * 31 + char.charCodeAt(0)) % 1_000_003;
  return sum % of;
}

const lineId = (key: string, to: number): string => String(1 + pick(`${key} ${to}`, LINES));

/** What has to be there in the end: keys without states by their upstream, and for each line of versions its upstreams. */
function model(shape: Shape, contents: readonly number[]): { plain: Map<string, string>; lines: Map<string, string[]> } {
  const plain = new Map<string, string>();
  const lines = new Map<string, string[]>();
  const all: Locator[][] = shape.stateful.map(() => []);
  for (const content of new Set(contents)) {
    const data = { content: String(content), context: {}, sysContext: {}, states: [] };
    all[0]?.push({ meta: metaOf(0), id: idOfData(data), para: "", version: 0 });
  }
  // All metas before one are complete when it is looked at: relations lead forward only.
  for (const [at, isStateful] of shape.stateful.entries()) {
    for (const { from, outputs, isNamed } of shape.relations.filter(({ to }) => to === at)) {
      for (const upstream of all[from] ?? []) {
        if (isStateful) {
          const line = `${metaOf(at)}|${isNamed ? upstream.id : lineId(keyOf(upstream), at)}|`;
          lines.set(line, [...(lines.get(line) ?? []), keyOf(upstream)]);
          continue;
        }
        const made = outputsOf(upstream, at, outputs);
        for (const one of made) plain.set(keyOf(one), keyOf(upstream));
        all[at]?.push(...made);
      }
    }
    if (isStateful) all[at]?.push(...versionsOf(lines, at));
  }
  return { plain, lines };
}

function outputsOf(upstream: Locator, to: number, count: number): Locator[] {
  return Array.from({ length: count }, (_, index) => {
    const id = idOfOutput({ from: upstream, to: metaOf(to), index });
    return { meta: metaOf(to), id, para: "", version: 0 };
  });
}

function versionsOf(lines: ReadonlyMap<string, readonly string[]>, at: number): Locator[] {
  return [...lines].flatMap(([line, upstreams]) => {
    const [meta = "", id = ""] = line.split("|");
    return meta === metaOf(at) ? upstreams.map((_, n) => ({ meta, id, para: "", version: n + 1 })) : [];
  });
}

/** The shape as declarations and executors. `tries` is outside of the engines, and survives them. */
function declare(shape: Shape, tries: Map<string, number>) {
  const metas = shape.stateful.map((isState, at) => ({ meta: metaOf(at), settings: { isState } }));
  const executors: Record<string, Converter> = {};
  const relations = shape.relations.map(({ from, to, outputs, failures, delayMs, isSlow, isNamed }) => {
    const name = `${from} ${to}`;
    const isStateful = shape.stateful[to] === true;
    const work: Converter = ({ from: upstream, last }) => {
      const key = keyOf(upstream);
      const tried = tries.get(`${key} ${name}`) ?? 0;
      tries.set(`${key} ${name}`, tried + 1);
      if (tried < failures) throw new Error(`try ${tried}`);
      if (last !== undefined && (last.meta !== metaOf(to) || last.id !== upstream.id)) throw new Error("of another line");
      const instances = Array.from({ length: isStateful ? 1 : outputs }, () => ({
        content: isStateful && isNamed ? `${last?.version ?? 0} ${key}` : key,
        ...(isStateful && !isNamed ? { id: lineId(key, to) } : {}),
      }));
      return { type: "instances", instances };
    };
    executors[name] = isSlow ? (request) => turn().then(() => work(request)) : work;
    const useUpstreamId = isStateful && isNamed;
    return relation(metaOf(from), metaOf(to), { executor: { protocol: "local", url: name }, delayMs, useUpstreamId });
  });
  return { metas, relations, executors };
}

test("random workflows come to what the model comes to, whoever is killed on the way, with nothing lost and nothing twice", async () => {
  await fc.assert(
    fc.asyncProperty(shapes, actions, async (shape, schedule) => {
      const disk = new MemoryDisk();
      const clock = new VirtualClock();
      const declared = declare(shape, new Map());
      const engine = { leaseMs: 3_000, pollMs: 200, backoffMs: 50, maxAttempts: 10, concurrency: 4, maxOwned: 6 };
      const open = (): TestNature => createTestNature({ ...declared, disk, clock, engine });
      const natures = [open(), open()];
      const contents: number[] = [];
      for (const action of schedule) {
        if (action.do === "input") {
          contents.push(action.content);
          natures[action.engine]?.input({ meta: metaOf(0), content: String(action.content) }).catch(() => undefined);
        } else if (action.do === "advance") await clock.advance(action.ms);
        else if (action.do === "turns") for (let n = 0; n < action.count; n++) await turn();
        else {
          natures[action.engine]?.kill();
          natures[action.engine] = open();
        }
      }
      // Whoever got no answer sends again.
      const again = contents.map((content) => natures[0]?.input({ meta: metaOf(0), content: String(content) }));
      for (let step = 0; step < 400 && (disk.tasks.size > 0 || step < 20); step++) await clock.advance(100);
      await Promise.all(again);
      const { plain, lines } = model(shape, contents);
      expect(disk.failed.size).toBe(0);
      expect(disk.tasks.size).toBe(0);
      const made = [...disk.instances.values()].filter(({ from }) => from !== undefined);
      const stateless = made.filter(({ version }) => version === 0);
      const upstreamOf = (one: { from: Locator | undefined }): string => (one.from === undefined ? "" : keyOf(one.from));
      expect(new Map(stateless.map((one) => [keyOf(one), upstreamOf(one)]))).toEqual(plain);
      // Whoever was given the last version stands right behind it.
      const contentsOf = (one: Instance): string[] => [upstreamOf(one), `${one.version - 1} ${upstreamOf(one)}`];
      for (const one of made) expect(contentsOf(one)).toContain(one.content);
      const versions = Map.groupBy(
        made.filter(({ version }) => version > 0),
        ({ meta, id, para }) => `${meta}|${id}|${para}`,
      );
      expect([...versions.keys()].sort()).toEqual([...lines.keys()].sort());
      for (const [line, upstreams] of lines) {
        const stored = versions.get(line) ?? [];
        expect(stored.map(({ version }) => version).sort((a, b) => a - b)).toEqual(upstreams.map((_, at) => at + 1));
        expect(stored.map(upstreamOf).sort()).toEqual(upstreams.toSorted());
      }
      for (const nature of natures) await nature[Symbol.asyncDispose]();
    }),
    { numRuns: 150 },
  );
}, 600_000);
