import { createHmac, timingSafeEqual } from "node:crypto";
import { coreError } from "../errors.ts";
import type { ChildRecord } from "./child.ts";
import type { Children } from "./children.ts";
import type { Reach } from "./entrance.ts";
import type { TreeMeans } from "./means.ts";
import type { NodeLink } from "./node-link.ts";
import type { Upward } from "./upward.ts";

/*
 * The side of the standby (S1, S2 and S4 of `standby.ts`): what a node knows of the manager that it stands by for.
 */

/** What the standby is told of a child. */
interface WardChild {
  readonly id: string;
  readonly name: string;
  readonly epoch: number;
}

/** What a manager asks of its standby. */
export interface StandStep {
  readonly secret: string;
  /** The manager's path; its standby goes on under the same. */
  readonly path: string;
  readonly children: readonly WardChild[];
}

/** What has changed since. */
export type WardStep = { readonly put: WardChild } | { readonly removed: string } | { readonly dismissed: true };

/** The manager that this node stands by for, or whose place it has taken. */
interface Stand {
  readonly manager: { readonly id: string; readonly name: string };
  readonly secret: string;
  readonly path: string;
  /** This node's own, while it stands by: another means that it is the manager's child no more, or anew. */
  readonly epoch: number;
  /** As the manager told them at last all together; what has changed since has records of its own. */
  readonly children: readonly WardChild[];
  readonly isTaken?: boolean | undefined;
}

export interface WardParts {
  readonly means: TreeMeans;
  readonly upward: Upward;
  readonly children: Children;
  /** Begins to listen, if need be. */
  readonly reach: () => Promise<Reach>;
  /** This node stands by for its manager from now on. */
  readonly onStands: () => void;
  /** This node is about to take the place of its manager. */
  readonly onTaken: () => void;
}

const WARD = "ward";
const WARDS = "ward/";

export class Ward {
  readonly #parts: WardParts;
  /** The manager's children. */
  readonly #wards = new Map<string, WardChild>();
  /** Ids that have a record of their own, because they changed since the manager told of all. */
  readonly #changes = new Set<string>();
  #ward: Stand | undefined;

  constructor(parts: WardParts, records: ReadonlyMap<string, unknown>) {
    this.#parts = parts;
    this.#ward = records.get(WARD) as Stand | undefined;
    for (const child of this.#ward?.children ?? []) this.#wards.set(child.id, child);
    for (const [key, value] of records) {
      if (!key.startsWith(WARDS)) continue;
      const id = key.slice(WARDS.length);
      this.#changes.add(id);
      if (value === null) this.#wards.delete(id);
      else this.#wards.set(id, value as WardChild);
    }
  }

  /** The name of the root that a node with such records stands in for, if it does. */
  static rootName(records: ReadonlyMap<string, unknown>): string | undefined {
    return rootNameOf(records.get(WARD) as Stand | undefined);
  }

  /** The name of the root that this node stands in for, if it does. */
  get rootName(): string | undefined {
    return rootNameOf(this.#ward);
  }

  /** The node whose place this one would take, or has taken. */
  get manager(): { readonly id: string; readonly name: string; readonly isTaken: boolean } | undefined {
    const ward = this.#ward;
    if (ward === undefined) return undefined;
    const isTaken = ward.isTaken === true;
    return isTaken || ward.epoch === this.#parts.upward.ownership.epoch ? { ...ward.manager, isTaken } : undefined;
  }

  /** Goes on with what a crash has cut off. */
  start(): void {
    if (this.#ward?.isTaken === true) this.#take(this.#ward);
  }

  /** The record of a child of this node has changed, or is gone. */
  changed(id: string, record: ChildRecord | undefined): void {
    if (this.#ward?.isTaken !== true) return;
    if (record === undefined) this.#forget(id);
    else if (record.state !== "adopting") this.#wards.delete(id);
  }

  /** The manager asks this node to stand by. @throws {MetanodeError} tree.stale_epoch */
  async stand(link: NodeLink, { secret, path, children }: StandStep): Promise<Reach> {
    const { means, upward, reach, onStands } = this.#parts;
    const { owner, epoch } = upward.ownership;
    if (link !== upward.link || owner === undefined) throw upward.ownership.stale(epoch);
    this.#setWard({ manager: { id: owner.id, name: owner.name }, secret, path, epoch, children });
    onStands();
    means.report({
      kind: "standby",
      node: means.identity.id,
      path: upward.place.path,
      epoch,
      text: `stands by for ${owner.name}`,
    });
    return reach();
  }

  /** The manager tells of a change. */
  told(link: NodeLink, step: WardStep): void {
    if (link !== this.#parts.upward.link || this.#ward === undefined || this.#ward.isTaken === true) return;
    if ("put" in step) this.#keep(step.put);
    else if ("removed" in step) this.#forget(step.removed);
    else this.#setWard(undefined);
  }

  /** The manager gives its place to this node, before its lease is over. @throws {MetanodeError} tree.stale_epoch, state.conflict */
  takeOver(link: NodeLink): void {
    const { upward } = this.#parts;
    const ward = this.#ward;
    if (link !== upward.link || ward?.epoch !== upward.ownership.epoch) throw upward.ownership.stale(upward.ownership.epoch);
    if (ward.isTaken === true) return;
    if (upward.isHolding)
      throw coreError("state.conflict", "the standby, or a node below it, adopts another just now; try again");
    this.#takeNow(ward);
    // The manager ends the link. Should the answer be lost, it hears with its next one what has become of it.
    link.retire(this.#parts.means.times.stepMs * 2);
  }

  /** A node comes because its manager is lost. @throws {MetanodeError} tree.not_managed, tree.cycle, tree.already_managed – not from here */
  admit({ id, name, key }: { id: string; name: string; key: string }): void {
    const { children, upward } = this.#parts;
    const ward = this.#ward;
    if (ward === undefined || !isSame(keyOf(ward.secret, id), key))
      throw coreError("tree.not_managed", "this node does not stand by for the visitor's manager", { details: { id } });
    if (upward.place.ancestors.includes(id))
      throw coreError("tree.cycle", "the visitor is an ancestor of this node", { details: { id } });
    if (ward.isTaken !== true) {
      this.#mayTake(ward, id);
      this.#takeNow(ward);
    }
    if (children.isExpected(id)) return;
    const known = children.get(id)?.record;
    children.put(this.#recordOf({ id, name: known?.name ?? name, epoch: known?.epoch ?? 0 }));
  }

  /** @throws {MetanodeError} tree.not_managed, tree.already_managed */
  #mayTake({ manager, epoch }: Stand, id: string): void {
    const { ownership, state } = this.#parts.upward;
    if (id === manager.id) throw coreError("tree.not_managed", "this node has not taken the place of the visitor");
    if (ownership.owner?.id !== manager.id || ownership.epoch !== epoch)
      throw coreError("tree.not_managed", `this node is no child of ${manager.name} any more`);
    if (state === "free" || state === "offered") return;
    throw coreError("tree.already_managed", `the lease of ${manager.name} is not over here; come again`, {
      retryable: true,
      details: { by: manager.id },
    });
  }

  #takeNow(ward: Stand): void {
    const { means, upward, onTaken } = this.#parts;
    onTaken();
    const taken = { ...ward, isTaken: true };
    this.#setWard(taken);
    this.#take(taken);
    means.report({
      kind: "succeeded",
      node: means.identity.id,
      path: upward.place.path,
      epoch: upward.ownership.epoch,
      text: `has taken the place of ${ward.manager.name}`,
    });
  }

  /** Leaves the manager and takes over its children's records; each step may have been done before (S2). */
  #take(ward: Stand): void {
    const { upward, children } = this.#parts;
    const { ownership } = upward;
    if (ownership.owner?.id === ward.manager.id && ownership.epoch === ward.epoch) upward.succeed();
    for (const child of this.#wards.values()) children.expect(this.#recordOf(child));
  }

  #recordOf({ id, name, epoch }: WardChild): ChildRecord {
    const { children, means } = this.#parts;
    const holder = children.named(name);
    const free = holder === undefined || holder.id === id ? name : `${name}-${id.slice(0, 8)}`;
    return { id, name: free, state: "adopting", epoch, key: keyOf(this.#ward?.secret ?? "", id), operation: means.newId() };
  }

  #setWard(ward: Stand | undefined): void {
    const { store } = this.#parts.means;
    if (ward === undefined) store.delete(WARD);
    else store.put(WARD, ward);
    if (ward?.children !== this.#ward?.children) {
      for (const id of this.#changes) store.delete(WARDS + id);
      this.#changes.clear();
      this.#wards.clear();
      for (const child of ward?.children ?? []) this.#wards.set(child.id, child);
    }
    this.#ward = ward;
  }

  #keep(child: WardChild): void {
    const known = this.#wards.get(child.id);
    if (known?.epoch === child.epoch && known.name === child.name) return;
    this.#parts.means.store.put(WARDS + child.id, child);
    this.#changes.add(child.id);
    this.#wards.set(child.id, child);
  }

  #forget(id: string): void {
    const isKnown = this.#wards.delete(id) || this.#ward?.children.some((child) => child.id === id) === true;
    if (!isKnown) return;
    this.#parts.means.store.put(WARDS + id, null);
    this.#changes.add(id);
  }
}

/** What the standby is told of a child. */
export function wardOf({ id, name, epoch }: ChildRecord): WardChild {
  return { id, name, epoch };
}

/** What a child is known by at the standby. */
export function keyOf(secret: string, id: string): string {
  return createHmac("sha256", secret).update(id).digest("base64url");
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function rootNameOf(ward: Stand | undefined): string | undefined {
  return ward?.isTaken === true ? ward.path.slice(ward.path.lastIndexOf("/") + 1) : undefined;
}
