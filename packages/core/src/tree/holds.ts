import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { NodeLink } from "./node-link.ts";

/*
 * Why no adoption closes a cycle, although a node knows only its neighbours: before a node adopts, it asks up to its root. Every
 * node on the way says no if it is the one to be adopted; the root promises to let nobody adopt it while the adoption lasts.
 *
 * H1. A root with a hold cannot be adopted. So two trees that adopt into each other at a time cannot both succeed.
 * H2. Moving a node within a tree needs the root's hold for itself alone; adoptions of strangers share it.
 * H3. A hold ends by itself, long after the adoption that it is for has ended one way or the other; so does what is remembered of one
 *     on the way to the root.
 */

export interface HoldRequest {
  readonly operation: string;
  /** The node that is to be adopted. */
  readonly adoptee: string;
  /** For a move within the tree. */
  readonly exclusive: boolean;
}

interface Hold {
  readonly exclusive: boolean;
  readonly untilMs: number;
}

/** Steps' time that a hold outlives. */
const HOLD_STEPS = 6;

/** The holds on a node that is a root, and those that have passed one that is none. */
export class Holds {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #holds = new Map<string, Hold>();
  /** By operation: the link to the manager over which it was asked for. */
  readonly #passed = new Map<string, { readonly link: NodeLink; readonly untilMs: number }>();

  constructor(clock: Clock, stepMs: number) {
    this.#clock = clock;
    this.#ttlMs = stepMs * HOLD_STEPS;
  }

  /** @throws {MetanodeError} state.conflict – another operation has the tree; try again */
  take({ operation, exclusive }: HoldRequest): void {
    this.#forgetOld();
    for (const [other, hold] of this.#holds) {
      if (other !== operation && (exclusive || hold.exclusive)) throw this.busy();
    }
    this.#holds.set(operation, { exclusive, untilMs: this.#clock.now() + this.#ttlMs });
  }

  /** A hold is asked for at the manager. */
  pass(operation: string, link: NodeLink): void {
    this.#passed.set(operation, { link, untilMs: this.#clock.now() + this.#ttlMs });
  }

  /** The adoption is over; gives the link that is to be told, if the hold was asked for at a manager. */
  drop(operation: string): NodeLink | undefined {
    const link = this.#passed.get(operation)?.link;
    this.#holds.delete(operation);
    this.#passed.delete(operation);
    return link;
  }

  /** Whether an adoption here or below may last for which a manager was asked. */
  get arePassing(): boolean {
    this.#forgetOld();
    return this.#passed.size > 0;
  }

  /** Whether this node has promised not to be adopted. */
  get isHeld(): boolean {
    this.#forgetOld();
    return this.#holds.size > 0;
  }

  /** The error for whoever comes meanwhile. */
  busy(): Error {
    return coreError("state.conflict", "another adoption or move in this tree is under way; try again when it has ended", {
      retryAfterMs: 200,
    });
  }

  #forgetOld(): void {
    const nowMs = this.#clock.now();
    for (const held of [this.#holds, this.#passed])
      for (const [operation, { untilMs }] of held) if (untilMs <= nowMs) held.delete(operation);
  }
}
