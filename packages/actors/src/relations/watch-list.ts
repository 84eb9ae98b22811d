import { actorError } from "../errors.ts";
import type { PID } from "../identity/index.ts";
import type { Priority, TargetAddress } from "../mailbox/index.ts";

/**
 * Who is told of an end.
 *
 *  R1. A relation goes one way, from its consumer to its target, and is known at both ends: in the list of the target, and in
 *      the set of the consumer. Whichever ends first, both forget it.
 *  R2. A consumer has at most one link and one monitor per target.
 *  R3. A relation is told once: the list is emptied before anybody is told.
 */

/** A link ends its consumer, a monitor tells it. */
export type RelationKind = "link" | "monitor";

/** Something that can watch: a process, or a node that watches for processes of its own. */
export interface Consumer {
  /** Everything that it watches; made with the first relation. */
  relations: Set<Relation> | undefined;
  /** `terminated` = is told nothing any more. */
  readonly state: string;
  /** Takes what it is told; false if there is no room. Without a sender the payload is an envelope. */
  put(queue: Priority | "log", from: PID | undefined, payload: unknown): boolean;
}

/** One consumer watching one target. */
export interface Relation<C extends Consumer = Consumer> {
  readonly kind: RelationKind;
  readonly consumer: C;
  readonly address: TargetAddress;
  readonly list: WatchList<C>;
  /** Made by a parent to its child at the child's spawn. */
  readonly toChild: boolean;
}

/** The consumers of one target. */
export class WatchList<C extends Consumer = Consumer> {
  #links: Map<C, Relation<C>> | undefined;
  #monitors: Map<C, Relation<C>> | undefined;
  readonly #changed: ((size: number, before: number) => void) | undefined;

  constructor(changed?: (size: number, before: number) => void) {
    this.#changed = changed;
  }

  /** Links and monitors together. */
  get size(): number {
    return (this.#links?.size ?? 0) + (this.#monitors?.size ?? 0);
  }

  has(kind: RelationKind, consumer: C): boolean {
    return (kind === "link" ? this.#links : this.#monitors)?.has(consumer) === true;
  }

  /** @throws actor.target_exists – the consumer has this relation already. */
  add(kind: RelationKind, consumer: C, address: TargetAddress, toChild = false): void {
    let side = kind === "link" ? this.#links : this.#monitors;
    if (side?.has(consumer)) throw actorError("actor.target_exists", `there is a ${kind} to ${address} already`);
    if (side === undefined) {
      side = new Map();
      if (kind === "link") this.#links = side;
      else this.#monitors = side;
    }
    const before = this.size;
    const relation: Relation<C> = { kind, consumer, address, list: this, toChild };
    side.set(consumer, relation);
    consumer.relations ??= new Set();
    consumer.relations.add(relation as unknown as Relation);
    this.#changed?.(this.size, before);
  }

  /** @throws actor.target_unknown – there is no such relation. */
  remove(kind: RelationKind, consumer: C, address: TargetAddress): void {
    const relation = (kind === "link" ? this.#links : this.#monitors)?.get(consumer);
    if (relation === undefined) throw actorError("actor.target_unknown", `there is no ${kind} to ${address}`);
    consumer.relations?.delete(relation as unknown as Relation);
    this.drop(relation);
  }

  /** Forgets a relation at this end only. */
  drop(relation: Relation<C>): void {
    const before = this.size;
    (relation.kind === "link" ? this.#links : this.#monitors)?.delete(relation.consumer);
    this.#changed?.(this.size, before);
  }

  /** Takes all relations out, at both ends, links first. */
  drain(): Relation<C>[] {
    const all = [...(this.#links?.values() ?? []), ...(this.#monitors?.values() ?? [])];
    this.#links = undefined;
    this.#monitors = undefined;
    for (const relation of all) relation.consumer.relations?.delete(relation as unknown as Relation);
    return all;
  }

  /** Calls `visit` for each relation, links first. */
  forEach(visit: (consumer: C) => void): void {
    if (this.#links) for (const consumer of this.#links.keys()) visit(consumer);
    if (this.#monitors) for (const consumer of this.#monitors.keys()) visit(consumer);
  }
}

/** Ends everything that `consumer` watches, in silence. */
export function purge(consumer: Consumer): void {
  const all = consumer.relations;
  if (all === undefined) return;
  consumer.relations = undefined;
  for (const relation of all) relation.list.drop(relation);
}
