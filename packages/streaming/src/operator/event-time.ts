import { readValue } from "../record/value.ts";
import { pathReader } from "./paths.ts";

/** When something happened, in milliseconds since the Unix epoch. */
export type TimeOf = (record: unknown) => number;

/**
 * Reads the time of a record at a path of its value: a number of milliseconds, or a date as text. Without a path the time at
 * which the record is handled counts.
 */
export function timeReader(path: string | undefined, now: () => number): TimeOf {
  if (path === undefined) return now;
  const read = pathReader(path);
  return (record) => {
    const found = read(readValue(record));
    const time = typeof found === "number" ? found : typeof found === "string" ? Date.parse(found) : Number.NaN;
    if (Number.isFinite(time)) return time;
    throw new TypeError(`found ${JSON.stringify(found) ?? "nothing"} at ${path}, expected milliseconds or a date`);
  };
}

/**
 * How far time has come, as the records tell it: the least of what the upstreams have reached, less the disorder that is
 * allowed for. What is older than that is late. An upstream that has never given anything does not hold up the others for
 * longer than it is silent.
 */
export class Watermark {
  readonly #disorderMs: number;
  readonly #reached: Map<string, number>;

  constructor(upstreams: readonly string[], disorderMs: number) {
    this.#disorderMs = disorderMs;
    this.#reached = new Map(upstreams.map((name) => [name, Number.NEGATIVE_INFINITY]));
  }

  /** In milliseconds; minus infinity before every upstream has given something. */
  get value(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const reached of this.#reached.values()) if (reached < least) least = reached;
    return least - this.#disorderMs;
  }

  /** The furthest that any upstream has reached. */
  get furthest(): number {
    return Math.max(...this.#reached.values());
  }

  /** A record of this time has come. Returns whether its upstream has got further. */
  seen(from: string, timeMs: number): boolean {
    if (timeMs <= (this.#reached.get(from) ?? Number.NEGATIVE_INFINITY)) return false;
    this.#reached.set(from, timeMs);
    return true;
  }

  /** Time has passed without a record: every upstream counts as having reached this. */
  passed(timeMs: number): void {
    for (const [name, reached] of this.#reached) if (reached < timeMs) this.#reached.set(name, timeMs);
  }

  entries(): Iterable<[string, number]> {
    return this.#reached.entries();
  }
}
