import type { StateChange } from "../delivery/progress.ts";
import { readValue } from "../record/value.ts";
import type { StageState } from "../stage/stage.ts";
import { pathReader } from "./paths.ts";

/** When something happened, in milliseconds since the Unix epoch. */
export type TimeOf = (record: unknown) => number;

/** Reads the time of a record at a path of its value: a number of milliseconds, or a date as text. */
export function timeReader(path: string): TimeOf {
  const read = pathReader(path);
  return (record) => {
    const found = read(readValue(record));
    const time = typeof found === "number" ? found : typeof found === "string" ? Date.parse(found) : Number.NaN;
    if (Number.isFinite(time)) return time;
    throw new TypeError(`found ${JSON.stringify(found) ?? "nothing"} at ${path}, expected milliseconds or a date`);
  };
}

const NEVER = Number.NEGATIVE_INFINITY;

/**
 * How far time has come, as the records tell it: the least of what the upstreams have reached, less the disorder that is
 * allowed for. What is older than that is late. It never goes back, also not over a crash. An upstream that is silent, or has
 * ended, is left out until it gives something again.
 */
export class Watermark implements StageState {
  readonly #disorderMs: number;
  readonly #reached: Map<string, number>;
  readonly #silent = new Set<string>();
  #value = NEVER;
  #furthest = NEVER;
  #isChanged = false;

  constructor(upstreams: readonly string[], disorderMs: number) {
    this.#disorderMs = disorderMs;
    this.#reached = new Map(upstreams.map((name) => [name, NEVER]));
  }

  /** In milliseconds; minus infinity before every upstream has given something. */
  get value(): number {
    return this.#value;
  }

  /** The furthest that any upstream has reached. */
  get furthest(): number {
    return this.#furthest;
  }

  get isSilent(): boolean {
    return this.#silent.size >= this.#reached.size;
  }

  /** A record of this time has come. Returns whether the watermark has moved. */
  seen(from: string, timeMs: number): boolean {
    if (this.#silent.size > 0) this.#silent.delete(from);
    if (timeMs <= (this.#reached.get(from) ?? NEVER)) return false;
    this.#reached.set(from, timeMs);
    this.#isChanged = true;
    if (timeMs > this.#furthest) this.#furthest = timeMs;
    return this.#move();
  }

  /** An upstream gives nothing: the others do not wait for it. Returns whether the watermark has moved. */
  silence(from: string): boolean {
    this.#silent.add(from);
    return this.#move();
  }

  /** Time has got to here without a record. Returns whether the watermark has moved. */
  passed(timeMs: number): boolean {
    return this.#moveTo(timeMs - this.#disorderMs);
  }

  restore(entries: ReadonlyMap<string, string>): void {
    for (const [key, text] of entries) {
      const time = JSON.parse(text) as number;
      if (key === VALUE) this.#value = time;
      else {
        this.#reached.set(key.slice(OF.length), time);
        if (time > this.#furthest) this.#furthest = time;
      }
    }
  }

  changes(): Omit<StateChange, "stage">[] {
    if (!this.#isChanged) return [];
    this.#isChanged = false;
    const times = [...this.#reached].map(([name, time]) => [OF + name, time] as const);
    const known = [[VALUE, this.#value] as const, ...times].filter(([, time]) => Number.isFinite(time));
    return known.map(([key, time]) => ({ key, value: String(time) }));
  }

  #move(): boolean {
    let least = Number.POSITIVE_INFINITY;
    for (const [name, reached] of this.#reached) if (reached < least && !this.#silent.has(name)) least = reached;
    return this.#moveTo(least === Number.POSITIVE_INFINITY ? NEVER : least - this.#disorderMs);
  }

  #moveTo(value: number): boolean {
    if (value <= this.#value) return false;
    this.#value = value;
    this.#isChanged = true;
    return true;
  }
}

const VALUE = "value";
const OF = "of ";
