import { readValue } from "../record/value.ts";
import { pathReader } from "./paths.ts";

/** How many records become one value. Accumulators have to be JSON: they are kept over restarts. */
export interface Aggregate<Accumulator = unknown> {
  initial(): Accumulator;
  /** May change the accumulator in place; a throw has to leave it as it was. */
  add(accumulator: Accumulator, record: unknown): Accumulator;
  /** Both of one window, left as they are. Only sessions need it, which can grow together; `one` is the earlier. */
  merge(one: Accumulator, other: Accumulator): Accumulator;
  result(accumulator: Accumulator, count: number): unknown;
}

export type AggregateName = "count" | "sum" | "min" | "max" | "mean" | "list" | "first" | "last";

/**
 * The ready-made aggregates, over what stands at a path of each record's value. What is absent counts as null in `list`,
 * `first` and `last`, which go by the order in which records come; where a number is needed, the record cannot be handled.
 */
export function aggregateOf(name: AggregateName, path = ""): Aggregate {
  const read = pathReader(path);
  // Never undefined, which would be null after a restart.
  const of = (record: unknown): unknown => read(readValue(record)) ?? null;
  return makers[name](of) as Aggregate;
}

type Of = (record: unknown) => unknown;

const makers: Readonly<Record<AggregateName, (of: Of) => Aggregate<never>>> = {
  count: () => made({ initial: () => 0, add: () => 0, merge: () => 0, result: (_: number, count) => count }),
  sum: (of) => numeric(of, 0, (one, other) => one + other),
  mean: (of) => made({ ...numeric(of, 0, (one, other) => one + other), result: (sum: number, count) => sum / count }),
  min: (of) => numeric(of, null, Math.min),
  max: (of) => numeric(of, null, Math.max),
  list: (of) =>
    made<unknown[]>({
      initial: () => [],
      add: (list, record) => {
        list.push(of(record));
        return list;
      },
      merge: (one, other) => [...one, ...other],
      result: (list) => list,
    }),
  first: (of) => chosen(of, (one) => one),
  last: (of) => chosen(of, (_, other) => other),
};

/** Forgets the type of the accumulator: nobody outside has to know it. */
function made<Accumulator>(aggregate: Aggregate<Accumulator>): Aggregate<never> {
  return aggregate as unknown as Aggregate<never>;
}

function numeric(of: Of, initial: number | null, combine: (one: number, other: number) => number): Aggregate<never> {
  const both = (one: number | null, other: number | null): number | null =>
    one === null ? other : other === null ? one : combine(one, other);
  const numberOf = (record: unknown): number => {
    const found = of(record);
    if (typeof found === "number" && Number.isFinite(found)) return found;
    const number = typeof found === "string" && found.trim() !== "" ? Number(found) : Number.NaN;
    if (Number.isFinite(number)) return number;
    throw new TypeError(`found ${JSON.stringify(found)}, expected a number`);
  };
  return made<number | null>({
    initial: () => initial,
    add: (sum, record) => both(sum, numberOf(record)),
    merge: both,
    result: (sum) => sum,
  });
}

/** Wrapped, so that nothing yet can be told from a value that is null. */
function chosen(of: Of, choose: (one: unknown, other: unknown) => unknown): Aggregate<never> {
  return made<unknown[]>({
    initial: () => [],
    add: (kept, record) => [kept.length === 0 ? of(record) : choose(kept[0], of(record))],
    merge: (one, other) => (one.length === 0 ? other : other.length === 0 ? one : [choose(one[0], other[0])]),
    result: ([value]) => value,
  });
}
