import type { Clock } from "../clock.ts";

/** What a step is about: which of the models, and there a word of its own. */
export type StepKind = "message" | "processor" | "actor" | "instance" | "task" | "graph" | "tree";

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
  /** Who sent the message. */
  readonly source?: string | undefined;
  /** What the message is about, in its sender's words. */
  readonly subject?: string | undefined;
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
/** Chains of steps by trace: one for each end of a trace id of three digits. */
const CHAINS = 0x1000;

/*
 * J1. A slot of the ring knows the step before it in its chain by sequence; one below the oldest that is remembered ends the chain. So
 *     forgetting a step costs nothing, and a step of a trace costs two writes into memory that is there already.
 */

/**
 * What happened on a node lately, over all the models: the node adds every dispatch, modules add what only they see.
 * A ring in memory: the newest steps are there, older ones are forgotten, and nothing survives the node. It is for people
 * who look; what must not be lost belongs in the log.
 */
export class Journal {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #steps: Step[] = [];
  /** The newest step of each chain. */
  readonly #heads = new Float64Array(CHAINS);
  /** By slot (J1). */
  readonly #previous: Float64Array;
  readonly #listeners = new Set<(step: Step) => void>();
  #last = 0;

  constructor(clock: Clock, capacity: number = CAPACITY) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#previous = new Float64Array(capacity);
  }

  /** The sequence of the newest step; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** The sequence of the oldest step that is remembered. */
  get first(): number {
    return Math.max(1, this.#last - this.#capacity + 1);
  }

  add({ kind, what, type, member, source, subject, traceId, ms, code }: NewStep): void {
    const sequence = ++this.#last;
    // Always the same fields in the same order: one shape for the machine, however much a step knows.
    const step = { sequence, atMs: this.#clock.now(), kind, what, type, member, source, subject, traceId, ms, code };
    const slot = (sequence - 1) % this.#capacity;
    this.#steps[slot] = step;
    if (traceId !== undefined) {
      const chain = chainOf(traceId);
      this.#previous[slot] = this.#heads[chain] as number;
      this.#heads[chain] = sequence;
    }
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

  /** Everything that is remembered of a trace, the oldest first. */
  trace(traceId: string): Step[] {
    const found: Step[] = [];
    const { first } = this;
    for (let at = this.#heads[chainOf(traceId)] as number; at >= first; at = this.#before(at)) {
      const step = this.#at(at);
      if (step.traceId === traceId) found.push(step);
    }
    return found.reverse();
  }

  /** Calls back with every new step, at once and in order, until the returned function is called. It must not throw. */
  follow(listener: (step: Step) => void): () => void {
    // One function may follow twice; each time ends for itself.
    const own = (step: Step): void => listener(step);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  #before(sequence: number): number {
    return this.#previous[(sequence - 1) % this.#capacity] as number;
  }

  #at(sequence: number): Step {
    return this.#steps[(sequence - 1) % this.#capacity] as Step;
  }
}

/** By the end of the id, which differs also where ids are counted and not drawn. */
function chainOf(traceId: string): number {
  const end = traceId.length;
  return (digitAt(traceId, end - 1) | (digitAt(traceId, end - 2) << 4) | (digitAt(traceId, end - 3) << 8)) & (CHAINS - 1);
}

/** Of a hexadecimal digit its value, of anything else some number. */
function digitAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code > 0x39 ? (code & 15) + 9 : code & 15;
}

/** The trace id in a W3C traceparent; undefined without one. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent?.slice(3, 35);
}
