import type { Clock } from "../clock.ts";

/** What a step is about: which of the models, and there a word of its own. */
export type StepKind = "message" | "processor" | "actor" | "instance" | "task" | "graph";

/** One thing that happened on a node. */
export interface Step {
  /** Counts up from 1 with every step of this life of the node. */
  readonly sequence: number;
  /** When it was over, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly kind: StepKind;
  /** What it happened to: the id of a message, the key of an instance, what a task made of what, the name of a process or a graph. */
  readonly what: string;
  /** The type of a message, the meta of an instance, or what became of a process or a graph. */
  readonly type: string;
  /** Who answered. */
  readonly member?: string | undefined;
  /** Joins what belongs together over all the models: the trace id of a W3C traceparent, 32 hexadecimal digits. */
  readonly traceId?: string | undefined;
  /** How long it took. */
  readonly ms?: number | undefined;
  /** The error's code; absent where nothing failed. */
  readonly code?: string | undefined;
}

export type NewStep = Omit<Step, "sequence" | "atMs">;

/** Steps that are remembered. */
const CAPACITY = 10_000;

/**
 * What happened on a node lately, over all the models: the node adds every dispatch, modules add what only they see.
 * A ring in memory: the newest steps are there, older ones are forgotten, and nothing survives the node. It is for people
 * who look; what must not be lost belongs in the log.
 */
export class Journal {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #steps: Step[] = [];
  readonly #listeners = new Set<(step: Step) => void>();
  #last = 0;

  constructor(clock: Clock, capacity: number = CAPACITY) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** The sequence of the newest step; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** The sequence of the oldest step that is remembered. */
  get first(): number {
    return Math.max(1, this.#last - this.#capacity + 1);
  }

  add({ kind, what, type, member, traceId, ms, code }: NewStep): void {
    const sequence = ++this.#last;
    // Always the same fields in the same order: one shape for the machine, however much a step knows.
    const step = { sequence, atMs: this.#clock.now(), kind, what, type, member, traceId, ms, code };
    this.#steps[(sequence - 1) % this.#capacity] = step;
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener(step);
  }

  /** Up to `limit` steps that fit, after a sequence, the oldest first. */
  since(sequence: number, limit: number, fits: (step: Step) => boolean = () => true): Step[] {
    const found: Step[] = [];
    for (let next = Math.max(sequence + 1, this.first); next <= this.#last && found.length < limit; next++) {
      const step = this.#at(next);
      if (fits(step)) found.push(step);
    }
    return found;
  }

  /** The newest `limit` steps that fit, before a sequence, the newest first. */
  before(sequence: number, limit: number, fits: (step: Step) => boolean = () => true): Step[] {
    const found: Step[] = [];
    for (let next = Math.min(sequence - 1, this.#last); next >= this.first && found.length < limit; next--) {
      const step = this.#at(next);
      if (fits(step)) found.push(step);
    }
    return found;
  }

  /** Everything that is remembered of a trace, the oldest first. Looks at every step: for people, not for machines. */
  trace(traceId: string): Step[] {
    return this.since(0, this.#capacity, (step) => step.traceId === traceId);
  }

  /** Calls back with every new step, at once and in order, until the returned function is called. It must not throw. */
  follow(listener: (step: Step) => void): () => void {
    // One function may follow twice; each time ends for itself.
    const own = (step: Step): void => listener(step);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  #at(sequence: number): Step {
    return this.#steps[(sequence - 1) % this.#capacity] as Step;
  }
}

/** The trace id in a W3C traceparent; undefined without one. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent?.slice(3, 35);
}
