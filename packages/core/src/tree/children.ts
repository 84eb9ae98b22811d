import type { Timer } from "../clock.ts";
import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { NodeCard } from "./card.ts";
import { Child, type ChildRecord } from "./child.ts";
import { STABLE_BEATS } from "./flapping.ts";
import type { TreeEvent, TreeMeans } from "./means.ts";
import { callOn, type LinkOwner, type NodeLink, STEP } from "./node-link.ts";
import type { Dial, Successor } from "./ownership.ts";
import { childPath, type NodePath } from "./path.ts";
import { SUSPECT_BEATS, UNREACHABLE_BEATS, type Watched } from "./pulse.ts";
import { Redial } from "./redial.ts";
import type { AttachStep, Place } from "./upward.ts";

/*
 * The children of a node, as their manager sees them.
 *
 * C1. A record is stored before the step that it speaks of is taken, so whatever was begun is known after a crash. (Who is expected is
 *     known by what it is expected for, and has a record when it is managed.)
 * C2. A name belongs to one child at a time. Under the name of one that moved on stands where it went.
 * C3. A link counts only while it is the newest with its child.
 */

/** Where a former child lives now. */
export interface Moved {
  readonly id: string;
  readonly path: NodePath;
  readonly epoch: number;
}

const CHILD_KEYS = "child/";
const MOVED_KEYS = "moved/";

export interface ChildrenParts {
  readonly means: TreeMeans;
  readonly links: LinkOwner;
  readonly place: () => Place;
  /** What is below this node has changed: types, labels, members. */
  readonly onChanged: () => void;
  /** A link stands that was dialled from here: it may want a certificate. */
  readonly onDialled: (link: NodeLink, dial: Dial) => void;
  /** A child that was lost in the middle of an adoption is back, or one whose lease is over. */
  readonly onUnfinished: (child: Child) => void;
  /** A child is attached, or adopted. */
  readonly onSettled: (child: Child) => void;
  /** A child's record was stored, or is gone. */
  readonly onRecord: (id: string, record: ChildRecord | undefined) => void;
  /** A child will have nothing of this node. */
  readonly onRefused: (error: MetanodeError) => void;
  readonly successorOf: (id: string) => Successor | undefined;
}

export class Children {
  readonly #parts: ChildrenParts;
  readonly #children = new Map<string, Child>();
  readonly #byName = new Map<string, Child>();
  readonly #moved = new Map<string, Moved>();
  /** Children without a record: they are to come by themselves. */
  readonly #expected = new Set<string>();
  readonly #redials = new Map<string, Redial>();
  /** Links with former children on which something is under way yet. */
  readonly #leaving = new Set<NodeLink>();
  readonly #quarantines = new Map<string, Timer>();
  #isStopped = false;

  constructor(parts: ChildrenParts, records: ReadonlyMap<string, unknown>) {
    this.#parts = parts;
    for (const [key, value] of records) {
      if (key.startsWith(MOVED_KEYS)) this.#moved.set(key.slice(MOVED_KEYS.length), value as Moved);
      if (key.startsWith(CHILD_KEYS)) this.#keep(new Child(value as ChildRecord, parts.means.clock.now()));
    }
  }

  /** In the order of adoption. */
  list(): Child[] {
    return [...this.#children.values()];
  }

  get(id: string): Child | undefined {
    return this.#children.get(id);
  }

  named(name: string): Child | undefined {
    return this.#byName.get(name);
  }

  moved(name: string): Moved | undefined {
    return this.#moved.get(name);
  }

  /** @throws {MetanodeError} tree.not_managed */
  need(idOrName: string): Child {
    const child = this.#children.get(idOrName) ?? this.#byName.get(idOrName);
    if (child !== undefined) return child;
    const known = [...this.#byName.keys()].slice(0, 10).join(", ") || "none";
    throw coreError("tree.not_managed", `${idOrName} is no child of this node; its children: ${known}`);
  }

  start(): void {
    for (const child of this.#children.values()) this.#dial(child);
  }

  stop(): void {
    this.#isStopped = true;
    for (const redial of this.#redials.values()) redial.stop();
    for (const timer of this.#quarantines.values()) timer.cancel();
    for (const { link } of this.#children.values()) link?.session.close();
  }

  /** Stores a record and makes it count. @throws {MetanodeError} state.conflict – the name is taken */
  put(record: ChildRecord): Child {
    const { store, clock } = this.#parts.means;
    const holder = this.#byName.get(record.name);
    if (holder !== undefined && holder.id !== record.id) {
      throw coreError("state.conflict", `a child is named ${record.name} already; give the new one another name`, {
        retryable: false,
        details: { name: record.name, id: holder.id },
      });
    }
    if (record.state !== "adopting" || !this.#expected.has(record.id)) {
      store.put(CHILD_KEYS + record.id, record);
      this.#expected.delete(record.id);
    }
    const child = this.#children.get(record.id) ?? new Child(record, clock.now());
    if (child.record.name !== record.name) this.#byName.delete(child.record.name);
    child.record = record;
    this.#keep(child);
    if (this.#moved.delete(record.name)) store.delete(MOVED_KEYS + record.name);
    this.#parts.onRecord(record.id, record);
    return child;
  }

  /** A child that is to come by itself, if there is none of that id; nothing is stored before it is managed. */
  expect(record: ChildRecord): void {
    if (this.#children.has(record.id)) return;
    this.#expected.add(record.id);
    this.#keep(new Child(record, this.#parts.means.clock.now()));
  }

  /** Whether something is under way yet with children that are none any more. */
  get areLeaving(): boolean {
    return this.#leaving.size > 0;
  }

  isExpected(id: string): boolean {
    return this.#expected.has(id);
  }

  /** Forgets a child; its link ends. */
  remove(child: Child, moved?: Moved): void {
    const { store } = this.#parts.means;
    if (moved !== undefined) {
      store.put(MOVED_KEYS + child.record.name, moved);
      this.#moved.set(child.record.name, moved);
    }
    store.delete(CHILD_KEYS + child.id);
    this.#children.delete(child.id);
    this.#expected.delete(child.id);
    this.#byName.delete(child.record.name);
    this.#redials.get(child.id)?.stop();
    this.#redials.delete(child.id);
    this.#quarantines.get(child.id)?.cancel();
    this.#quarantines.delete(child.id);
    if (child.link === undefined) child.lose();
    else {
      this.#leaving.add(child.link);
      child.link.retire();
    }
    this.#parts.onRecord(child.id, undefined);
    this.#parts.onChanged();
  }

  /** Its secret, for a link that a child dials. @throws {MetanodeError} tree.not_managed */
  admit(id: string, key: string): void {
    const child = this.#children.get(id);
    if (child !== undefined && child.record.key === key) return;
    throw coreError("tree.not_managed", "this node manages no such node, or has adopted it anew since", { details: { id } });
  }

  /** A link with a child: it is attached as what it was, or what was begun goes on. */
  async attach(link: NodeLink): Promise<void> {
    const child = this.#children.get(link.peer.id);
    if (child === undefined) return link.session.close();
    this.connect(child, link);
    if (child.record.state === "pending") return;
    if (child.record.state === "adopting") return this.#parts.onUnfinished(child);
    try {
      const step: AttachStep = { epoch: child.record.epoch, ...this.standingOf(child) };
      const { isExpired, card } = (await link.request(STEP.attach, step)) as { isExpired: boolean; card: NodeCard };
      if (child.link !== link) return;
      if (isExpired) return this.#parts.onUnfinished(child);
      this.learn(child, card);
      this.report("attached", child, "its link stands");
      if (child.record.state !== "managed") this.#parts.onUnfinished(child);
      this.#parts.onSettled(child);
    } catch (error) {
      // Forgotten before the link ends: a node that came to say so may take an orderly end for an answer.
      this.refused(child, error as MetanodeError);
      link.session.close();
    }
  }

  /** Makes a link the child's (C3). */
  connect(child: Child, link: NodeLink): void {
    const { link: previous } = child;
    child.link = link;
    if (previous !== undefined && previous !== link) previous.retire();
    this.#redials.get(child.id)?.stop();
    this.#see(child, "good");
  }

  #establish({ link, record, lives }: Child): void {
    if (link === undefined || link.isEstablished) return;
    link.establish();
    lives.begin(this.#parts.means.clock.now());
    if (record.dial !== undefined) this.#parts.onDialled(link, record.dial);
  }

  /** What a child says of itself. */
  learn(child: Child, card: NodeCard): void {
    this.#establish(child);
    child.record = { ...child.record, card };
    this.#parts.onChanged();
  }

  closed(link: NodeLink, error?: MetanodeError): void {
    this.#leaving.delete(link);
    const child = this.#children.get(link.peer.id);
    if (child === undefined || child.link !== link) return;
    child.link = undefined;
    if (this.#isStopped) return;
    this.#judge(child, error);
    this.#see(child, "unreachable");
    this.#dial(child);
  }

  /** Ends a quarantine before its time (Q3). */
  forgive(child: Child): void {
    const wasQuarantined = child.lives.isQuarantined;
    child.lives.forgive();
    if (wasQuarantined) this.#readmit(child, "approved again, so its quarantine is over");
  }

  #judge(child: Child, error: MetanodeError | undefined): void {
    const { clock, times } = this.#parts.means;
    const { lives } = child;
    const stableMs = STABLE_BEATS * times.heartbeatMs;
    if (!lives.end(clock.now(), { isBroken: error !== undefined, stableMs })) return;
    const until = `nothing is handed to it by type for ${times.quarantineMs} ms, or until it is approved again`;
    this.report("quarantined", child, `${lives.shortLives} links with it in a row broke within ${stableMs} ms; ${until}`);
    this.#quarantines.set(
      child.id,
      clock.setTimer(times.quarantineMs, () => {
        lives.release();
        this.#readmit(child, "its quarantine is over");
      }),
    );
  }

  #readmit(child: Child, text: string): void {
    this.#quarantines.get(child.id)?.cancel();
    this.#quarantines.delete(child.id);
    this.report("returned", child, text);
    this.#parts.onChanged();
  }

  /** Every child's link, for the pulse. */
  *watched(): Generator<Watched> {
    for (const child of this.#children.values()) {
      const { link } = child;
      if (link === undefined) continue;
      yield { link, isPinged: true, onBeats: (beats) => this.#onBeats(child, beats) };
    }
  }

  placeOf(child: Child): Place {
    const { path, ancestors } = this.#parts.place();
    return { path: childPath(path, child.record.name), ancestors: [...ancestors, this.#parts.means.identity.id] };
  }

  /** What a child is told of its place when it is attached or adopted. */
  standingOf(child: Child): { place: Place; successor?: Successor } {
    const successor = this.#parts.successorOf(child.id);
    return { place: this.placeOf(child), ...(successor ? { successor } : {}) };
  }

  /** A child was adopted. */
  adopted(child: Child, card: NodeCard): void {
    this.learn(child, card);
    this.report("adopted", child, `adopted in epoch ${child.record.epoch}`);
    this.#parts.onSettled(child);
  }

  /** A child has refused this node: it is none any more, if it says so. */
  refused(child: Child, error: MetanodeError): void {
    const code = codeOf(error);
    if (code !== "tree.not_managed" && code !== "tree.stale_epoch") return;
    this.#parts.onRefused(error);
    if (this.#children.get(child.id) !== child) return;
    const isMoved = code === "tree.stale_epoch";
    const text = isMoved
      ? `it has another manager, ${String(error.details?.by ?? "")}`
      : "it is not managed by this node any more";
    this.report(isMoved ? "moved" : "released", child, text);
    this.remove(child);
  }

  /** Tells every child where it stands. */
  place(): void {
    for (const child of this.#children.values()) {
      if (child.record.epoch === 0) continue;
      const step: AttachStep = { epoch: child.record.epoch, place: this.placeOf(child) };
      child.link?.tell(STEP.place, step);
    }
  }

  report(kind: TreeEvent["kind"], child: Child, text: string): void {
    const { path } = this.placeOf(child);
    this.#parts.means.report({ kind, node: child.id, path, epoch: child.record.epoch, text: `${child.record.name}: ${text}` });
  }

  #keep(child: Child): void {
    this.#children.set(child.id, child);
    this.#byName.set(child.record.name, child);
  }

  #onBeats(child: Child, beats: number): void {
    if (beats >= UNREACHABLE_BEATS) this.#see(child, "unreachable");
    else this.#see(child, beats >= SUSPECT_BEATS ? "suspect" : "good");
  }

  #see(child: Child, sight: Child["sight"]): void {
    const { clock } = this.#parts.means;
    if (sight === "good") child.lastSeenMs = child.link?.session.heardMs ?? clock.now();
    if (child.sight === sight) return;
    const before = child.sight;
    if (sight === "unreachable") child.lose();
    else child.sight = sight;
    if (child.record.state === "pending") return;
    if (sight === "good") {
      if (before === "suspect" || child.record.state === "managed") this.report("returned", child, "it is heard of again");
    } else this.report(sight, child, sight === "suspect" ? "it is silent" : "it cannot be reached");
    this.#parts.onChanged();
  }

  #dial(child: Child): void {
    if (this.#isStopped || child.record.dial === undefined || child.link !== undefined) return;
    let redial = this.#redials.get(child.id);
    if (redial === undefined) {
      redial = new Redial(this.#parts.means, () => this.#call(child));
      this.#redials.set(child.id, redial);
    }
    redial.start();
  }

  async #call(child: Child): Promise<boolean> {
    const { record } = child;
    if (child.link !== undefined || record.dial === undefined) return true;
    const { means, links } = this.#parts;
    try {
      const link = await callOn(means, { ...record.dial, purpose: "attach-parent", secret: record.key }, links);
      if (this.#children.get(child.id) !== child || this.#isStopped) {
        link.session.close();
        return true;
      }
      await this.attach(link);
      return child.link === link;
    } catch (error) {
      const code = codeOf(error);
      if (code !== "tree.not_managed" && code !== "tree.stale_epoch") return false;
      this.refused(child, error as MetanodeError);
      return true;
    }
  }
}
