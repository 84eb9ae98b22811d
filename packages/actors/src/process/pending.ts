import { DeadlineQueue, Expiring } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import { type Address, Ref } from "../identity/index.ts";

/** Whoever waits for answers: a process, or the kernel for calls from outside. */
export interface Waiter {
  pending: Pending | undefined;
}

/** Something behind a ref that waits for an answer: a request of this node, or of another one. */
export interface Awaiting {
  readonly waiter: Waiter | undefined;
  readonly blocking: boolean;
  answer(value: unknown): void;
  fail(error: unknown): void;
  withdraw(): void;
}

/** How a wait ends: exactly one of both is called, once. */
export interface Settler {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * One request on its way. It hangs on its own ref, so that an answer finds it without a table.
 *
 *  P1. It is settled once: by the answer, by its deadline, by being cancelled, or by the end of whoever waits.
 *  P2. From then on the ref leads nowhere, and the waiter's list does not hold it.
 *  P3. One whose ref has left the node is found by the number of the ref, until it is settled.
 */
export abstract class Pending extends Expiring implements Awaiting {
  readonly ref: Ref;
  readonly to: Address;
  readonly waiter: Waiter;
  #abroad: Map<number, Pending> | undefined;
  #next: Pending | undefined;
  #previous: Pending | undefined;

  constructor(ref: Ref, to: Address, waiter: Waiter) {
    super();
    this.ref = ref;
    this.to = to;
    this.waiter = waiter;
    this.#abroad = undefined;
    this.#next = waiter.pending;
    this.#previous = undefined;
    if (waiter.pending !== undefined) waiter.pending.#previous = this;
    waiter.pending = this;
    Ref.bind(ref, this);
  }

  /** Whether a caller waits in a handler; requests that do not wait cannot be cancelled from outside. */
  abstract get blocking(): boolean;
  /** How the wait ends: exactly one of both is called, once. */
  protected abstract resolve(value: unknown): void;
  protected abstract reject(error: unknown): void;

  answer(value: unknown): void {
    this.#leave();
    this.resolve(value);
  }

  fail(error: unknown): void {
    this.#leave();
    this.reject(error);
  }

  /** The ref leaves the node: an answer from elsewhere finds the wait in `abroad`. */
  travel(abroad: Map<number, Pending>): void {
    this.#abroad = abroad;
    abroad.set(this.ref.id, this);
  }

  /** Ends the wait and tells nobody. */
  withdraw(): void {
    this.#leave();
  }

  /** Ends the wait because whoever asked is gone: the ref says so from now on. */
  abandon(): void {
    this.#leave();
    Ref.bind(this.ref, GONE);
  }

  expire(): void {
    this.fail(actorError("actor.timeout", `no answer from ${this.to} in time`));
  }

  #leave(): void {
    Ref.bind(this.ref, undefined);
    if (this.#abroad !== undefined) this.#abroad.delete(this.ref.id);
    DeadlineQueue.remove(this);
    if (this.#previous === undefined) this.waiter.pending = this.#next;
    else this.#previous.#next = this.#next;
    if (this.#next !== undefined) this.#next.#previous = this.#previous;
  }
}

/** A wait in a handler whose end is told to functions. */
export class SettledPending extends Pending {
  readonly #settler: Settler;

  constructor(ref: Ref, to: Address, waiter: Waiter, settler: Settler) {
    super(ref, to, waiter);
    this.#settler = settler;
  }

  override get blocking(): boolean {
    return true;
  }

  protected override resolve(value: unknown): void {
    this.#settler.resolve(value);
  }

  protected override reject(error: unknown): void {
    this.#settler.reject(error);
  }
}

/** Stands behind the ref of a request whose asker has ended, though the process in whose name it asked has not. */
const GONE = Object.freeze({});

/** What waits behind `ref`, if anything still does. */
export function pendingOf(ref: Ref): Awaiting | undefined {
  const waiting = Ref.local(ref);
  return waiting === GONE ? undefined : (waiting as Awaiting | undefined);
}

/** Whether whoever asked with `ref` ended before the answer. */
export function isAbandoned(ref: Ref): boolean {
  return Ref.local(ref) === GONE;
}

/** Ends every wait of `waiter` and tells nobody: it has ended. */
export function abandonAll(waiter: Waiter): void {
  for (let first = waiter.pending; first !== undefined; first = waiter.pending) first.abandon();
}

/** Ends every wait of `waiter` with `error`. */
export function failAll(waiter: Waiter, error: Error): void {
  for (let first = waiter.pending; first !== undefined; first = waiter.pending) first.fail(error);
}
