import { coreError, type MetanodeError } from "../errors.ts";
import type { Acquaintance, Trust } from "../trust/meet.ts";
import type { TreeStore } from "./store.ts";

/*
 * A node's own view of being managed.
 *
 * O1. At most one owner at a time; the epoch grows with every adoption and is stored before anybody hears of it.
 * O2. An owner that is lost keeps its right until the lease is over; then the node is free to be adopted by another. Only a
 *     new adoption, never a mere return, makes the old owner its owner again. A lease that is over stays so over restarts.
 * O3. The same operation, repeated, changes nothing and gives the same answer.
 * O4. An owner may name its successor. That one gets no right before the lease is over, and has to adopt as any other; it is only known
 *     where to find it.
 */

/** How to reach a node again. */
export interface Dial {
  readonly address: string;
  /** How both sides know each other again; absent over plain links. */
  readonly trust?: Trust | Acquaintance | undefined;
}

/** Where a node finds who is to manage it when its owner is lost, and by what it is known there. */
export interface Successor {
  readonly id: string;
  readonly name: string;
  readonly dial: Dial;
  readonly key: string;
}

/** Whoever manages this node. */
export interface Owner {
  readonly id: string;
  readonly name: string;
  readonly epoch: number;
  /** Known to owner and node alone; opens every later link between them. */
  readonly key: string;
  /** The adoption that made it the owner. */
  readonly operation: string;
  readonly leaseMs: number;
  /** Present where this node dials its owner. */
  readonly dial?: Dial | undefined;
  readonly successor?: Successor | undefined;
}

/** `offered`: it asks to be adopted. `orphaned`: it has an owner that it does not hear of, and the lease runs. */
export type OwnershipState = "free" | "offered" | "owned" | "orphaned";

export interface Adoption {
  readonly operation: string;
  readonly parent: { readonly id: string; readonly name: string };
  readonly key: string;
  readonly leaseMs: number;
  readonly dial?: Dial | undefined;
  /** Take it from an owner that has not let it go. */
  readonly force?: boolean | undefined;
  /** This node has asked for it. */
  readonly isAsked?: boolean | undefined;
}

interface Stored {
  epoch: number;
  owner?: Owner | undefined;
  /** The node that the present owner hands this one on to. */
  heir?: string | undefined;
  /** The lease of the owner is over. */
  isOver?: boolean | undefined;
  /** Owners that are still to be told that they are such no more. */
  formers?: readonly Former[] | undefined;
  /** The owner of the epoch before was lost, and this node has taken its place. */
  succeeded?: { readonly id: string } | undefined;
}

/** How to tell a former owner, and until when it is tried. */
export interface Former {
  readonly dial: Dial;
  readonly key: string;
  readonly untilMs: number;
}

const KEY = "self";
/** How long a former owner is looked for. */
const FORMER_MS = 24 * 3_600_000;
const MAX_FORMERS = 8;

export class Ownership {
  readonly #store: TreeStore;
  readonly #selfId: string;
  #stored: Stored;
  /** Since when nothing is heard of the owner; undefined while it is. */
  #lostMs: number | undefined;
  #asking = false;

  constructor(selfId: string, store: TreeStore, record: unknown, nowMs: number) {
    this.#selfId = selfId;
    this.#store = store;
    this.#stored = (record as Stored | undefined) ?? { epoch: 0 };
    this.#lostMs = nowMs;
  }

  static readonly key = KEY;

  get epoch(): number {
    return this.#stored.epoch;
  }

  /** The owner, heard of or not, also after the lease. */
  get owner(): Owner | undefined {
    return this.#stored.owner;
  }

  state(nowMs: number): OwnershipState {
    const { owner, isOver } = this.#stored;
    if (owner !== undefined && isOver !== true && this.#lostMs === undefined) return "owned";
    if (owner !== undefined && this.leaseLeftMs(nowMs) > 0) return "orphaned";
    return this.#asking ? "offered" : "free";
  }

  /** What is left of the lease of an owner that is lost; 0 without one. */
  leaseLeftMs(nowMs: number): number {
    const { owner, isOver } = this.#stored;
    if (owner === undefined || isOver === true || this.#lostMs === undefined) return 0;
    return Math.max(0, this.#lostMs + owner.leaseMs - nowMs);
  }

  /** Whether this node asks somebody to adopt it. */
  set asking(asks: boolean) {
    this.#asking = asks;
  }

  /** A link with the owner stands. */
  attached(): void {
    this.#lostMs = undefined;
  }

  /** The lease is over, and is written down as such. */
  expire(): void {
    if (this.#stored.isOver !== true) this.#save({ ...this.#stored, isOver: true });
  }

  /** Nothing was heard of the owner since then. */
  lost(sinceMs: number): void {
    this.#lostMs ??= sinceMs;
  }

  /**
   * Takes a new owner, or the same again (O3).
   * @throws {MetanodeError} tree.already_managed – with `details.by` and `details.epoch`; tree.cycle – by itself
   */
  adopt(adoption: Adoption, nowMs: number): Owner {
    const { owner, heir, succeeded } = this.#stored;
    if (owner?.operation === adoption.operation && owner.id === adoption.parent.id) return owner;
    if (adoption.parent.id === this.#selfId) throw coreError("tree.cycle", "a node cannot adopt itself");
    // Whose place it has taken cannot return as if nothing had been.
    if (succeeded?.id === adoption.parent.id && adoption.force !== true && adoption.isAsked !== true)
      throw staleEpoch(this.#stored.epoch - 1, this.#stored, this.#selfId);
    const isKept = this.state(nowMs) === "owned" || this.state(nowMs) === "orphaned";
    if (
      owner !== undefined &&
      isKept &&
      owner.id !== adoption.parent.id &&
      heir !== adoption.parent.id &&
      adoption.force !== true
    ) {
      throw coreError(
        "tree.already_managed",
        `the node is managed by ${owner.name}; release it there, transfer it, or use force`,
        {
          details: { by: owner.id, name: owner.name, epoch: owner.epoch },
        },
      );
    }
    const epoch = this.#stored.epoch + 1;
    const { operation, key, leaseMs, dial, parent } = adoption;
    const next: Owner = { id: parent.id, name: parent.name, epoch, key, operation, leaseMs, ...(dial ? { dial } : {}) };
    const isAnother = owner !== undefined && owner.id !== parent.id;
    const formers = isAnother ? this.#formersWith(owner, nowMs) : this.formers;
    this.#save({ epoch, owner: next, formers: formers.filter((former) => former.key !== key) });
    this.#lostMs = undefined;
    this.#asking = false;
    return next;
  }

  /** Lets another adopt the node although its owner is there; `undefined` takes that back. @throws {MetanodeError} as {@link check} */
  handOver(heir: string | undefined, epoch: number): void {
    this.check(epoch);
    this.#save({ ...this.#stored, heir });
  }

  /** The owner is dialled otherwise from now on: with a new certificate. */
  setDial(dial: Dial): void {
    const { owner } = this.#stored;
    if (owner !== undefined) this.#save({ ...this.#stored, owner: { ...owner, dial } });
  }

  /** Who is to be asked when the owner is lost; the owner says so. */
  setSuccessor(successor: Successor | undefined): void {
    const { owner } = this.#stored;
    if (owner === undefined || JSON.stringify(owner.successor) === JSON.stringify(successor)) return;
    this.#save({ ...this.#stored, owner: { ...owner, successor } });
  }

  /** This node takes the place of its owner, whose lease is over: it has none itself, in a new epoch. */
  succeed(nowMs: number): void {
    const { owner, epoch } = this.#stored;
    if (owner === undefined) return;
    this.#save({ epoch: epoch + 1, formers: this.#formersWith(owner, nowMs), succeeded: { id: owner.id } });
  }

  /** Makes the node free without its owner, which is told when it can be. */
  leave(nowMs: number): void {
    const { owner, epoch } = this.#stored;
    if (owner !== undefined) this.#save({ epoch, formers: this.#formersWith(owner, nowMs) });
  }

  /** What a former owner is told that comes as if it still were one. */
  stale(epoch: number): MetanodeError {
    return staleEpoch(epoch, this.#stored, this.#selfId);
  }

  /** Whether this node has taken the place of that one, and is nobody's since. */
  hasSucceeded(id: string): boolean {
    return this.#stored.succeeded?.id === id;
  }

  /** Owners that are still to be told that they are such no more. */
  get formers(): readonly Former[] {
    return this.#stored.formers ?? [];
  }

  /** A former owner knows now, by whichever way. Idempotent. */
  forgetFormer(key: string): void {
    const formers = this.formers.filter((former) => former.key !== key);
    if (formers.length < this.formers.length) this.#save({ ...this.#stored, formers });
  }

  /** Makes the node free. Of an older epoch: refused; of a node that is free already: nothing (O3). */
  release(epoch: number): void {
    if (this.#stored.owner === undefined && epoch === this.#stored.epoch) return;
    this.check(epoch);
    this.#save({ epoch: this.#stored.epoch, formers: this.#stored.formers });
  }

  /** The owner says that it has let the node go, or never knew it. */
  forgotten(epoch: number): void {
    if (this.#stored.owner?.epoch === epoch) this.#save({ epoch: this.#stored.epoch, formers: this.#stored.formers });
  }

  /**
   * Whether a command may come from whoever was the owner in `epoch`.
   * @throws {MetanodeError} tree.stale_epoch, tree.not_managed
   */
  check(epoch: number): void {
    const { owner } = this.#stored;
    if (epoch !== this.#stored.epoch) throw staleEpoch(epoch, this.#stored, this.#selfId);
    if (owner === undefined) throw coreError("tree.not_managed", `the node was released in epoch ${epoch} and has no manager`);
  }

  #formersWith({ dial, key }: Owner, nowMs: number): readonly Former[] {
    const next = dial === undefined ? [] : [{ dial, key, untilMs: nowMs + FORMER_MS }];
    return [...this.formers, ...next].slice(-MAX_FORMERS);
  }

  #save(stored: Stored): void {
    this.#store.put(KEY, stored);
    this.#stored = stored;
  }
}

function staleEpoch(epoch: number, { epoch: own, owner, succeeded }: Stored, selfId: string): MetanodeError {
  const nobody = succeeded === undefined ? "it has no manager now" : "it has taken the place of its manager";
  const who = owner === undefined ? nobody : `its manager is ${owner.name}`;
  const by = owner?.id ?? (succeeded === undefined ? undefined : selfId);
  return coreError("tree.stale_epoch", `the command is of epoch ${epoch}, the node is in epoch ${own}: ${who}`, {
    details: { epoch: own, found: epoch, ...(by === undefined ? {} : { by }) },
  });
}
