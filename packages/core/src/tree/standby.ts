import { wait } from "../clock.ts";
import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { Adoptions } from "./adoption.ts";
import type { Child, ChildRecord } from "./child.ts";
import type { Children } from "./children.ts";
import type { Reach } from "./entrance.ts";
import type { TreeMeans } from "./means.ts";
import { type NodeLink, STEP } from "./node-link.ts";
import type { Dial, Successor } from "./ownership.ts";
import { Redial } from "./redial.ts";
import type { SuccessorStep, Upward } from "./upward.ts";
import { keyOf, type StandStep, type Ward, type WardStep, wardOf } from "./ward.ts";

/*
 * A standby: a child that takes the place of its manager when that is lost. Here is the manager's side, in `ward.ts` the child's. There
 * is no vote and no clock that both must share; what fences is the epoch of every child, and who decides is the child.
 *
 * S1. The standby has no right before its own lease is over, a child goes to it only when the child's lease is over too. So whoever
 *     hears the manager keeps it, and a manager is not robbed of children that it can reach.
 * S2. Nothing is taken before somebody comes: with the first child that comes, the standby writes down that it has taken the place, then
 *     leaves its manager with a new epoch, then takes the children into its records. A crash in between goes on at the start.
 * S3. A manager that hears of a child, or of the standby, that the standby has it (`tree.stale_epoch`) hands on what it has left, and
 *     comes to the standby as a child, which becomes the next standby. The standby says no to both unless it has taken the place.
 *     So does one that gives its place away while it lives ({@link Standby.handOver}): the standby takes it with the manager's word instead
 *     of the end of the lease. The manager is the standby's child before it hands on its own, so that there is a way between all of them.
 * S4. A child is known at the standby by a key that follows from the secret of manager and standby and the child's id. So one that
 *     the standby has not heard of yet is let in as well; the records are there to name who has not come.
 */

/** The child that is to take this node's place. */
interface Named {
  /** The child's name. */
  readonly name: string;
  readonly heir?: Heir | undefined;
  /** The standby has taken the place: these children are still to be handed on to it. */
  readonly handing?: readonly string[] | undefined;
}
interface Heir {
  readonly id: string;
  readonly name: string;
  readonly dial: Dial;
  readonly secret: string;
}

/** For people. */
export interface StandbyInfo {
  /** The child that is to take this node's place. */
  readonly name?: string | undefined;
  readonly id?: string | undefined;
  /** It knows the children as they are, and each of them that can be reached knows it. */
  readonly isReady: boolean;
  /** This node has been replaced by it, and hands on to it what it has left. */
  readonly isFenced: boolean;
  /** The node whose place this one would take, or has taken. */
  readonly manager?: { readonly id: string; readonly name: string; readonly isTaken: boolean } | undefined;
}

export interface StandbyParts {
  readonly means: TreeMeans;
  readonly upward: Upward;
  readonly children: Children;
  readonly adoptions: Adoptions;
  /** What this node itself stands by for. */
  readonly ward: Ward;
  /** The child's name, where none was given while the node ran. */
  readonly wanted: string | undefined;
}

const NAMED = "standby";
/** How often it is looked whether all children have been handed on, in milliseconds. */
const HANDING_LOOK_MS = 20;

export class Standby {
  readonly #parts: StandbyParts;
  readonly #yielding: Redial;
  #named: Named | undefined;
  /** The link on which the standby has everything, and hears of every change. */
  #told: NodeLink | undefined;
  /** What the standby, and the children, were told and have not answered yet. */
  readonly #unaware = new Set<StandStep | SuccessorStep>();
  #joins = false;
  /** The standby is being asked to take this node's place. */
  #isGivingAway = false;

  constructor(parts: StandbyParts, records: ReadonlyMap<string, unknown>) {
    this.#parts = parts;
    const { wanted } = parts;
    this.#named = (records.get(NAMED) as Named | undefined) ?? (wanted === undefined ? undefined : { name: wanted });
    this.#yielding = new Redial(parts.means, () => this.#yield());
  }

  get info(): StandbyInfo {
    const { manager } = this.#parts.ward;
    const heir = this.#named?.heir;
    return {
      name: this.#named?.name || undefined,
      id: heir?.id,
      isReady: heir !== undefined && this.#told !== undefined && !this.#told.session.isClosed && this.#unaware.size === 0,
      isFenced: this.#named?.handing !== undefined,
      ...(manager === undefined ? {} : { manager }),
    };
  }

  /** Goes on with what a crash has cut off. */
  start(): void {
    if (this.#named?.handing !== undefined) this.#yielding.start();
  }

  stop(): void {
    this.#yielding.stop();
  }

  /**
   * Names the child that is to take this node's place, or nobody; resolves when it knows all that it has to. Where the standby has taken
   * the place already, nobody means that this node stays what it is.
   * @throws {MetanodeError} tree.not_managed, node.unreachable, state.conflict – the present standby has taken the place already
   */
  async name(idOrName: string | undefined): Promise<StandbyInfo> {
    if (this.#named?.handing !== undefined && idOrName !== undefined)
      throw coreError("state.conflict", `${this.#named.name} has taken the place of this node, which is no manager now`);
    const child = idOrName === undefined ? undefined : this.#parts.children.need(idOrName);
    if (child !== undefined && (child.link === undefined || !child.isAdopted)) throw child.lostError();
    if (child === undefined || child.id !== this.#named?.heir?.id) this.#dismiss(child?.record.name);
    if (child !== undefined) await this.#appoint(child);
    return this.info;
  }

  /** Its children are its own to let go. @throws {MetanodeError} state.conflict – another has its place, and they are on their way there */
  needPlace(): void {
    const { handing, name } = this.#named ?? {};
    if (handing === undefined && !this.#isGivingAway) return;
    throw coreError(
      "state.conflict",
      `${name} has taken the place of this node, and its children are on their way there; ask it`,
    );
  }

  /** Whom a child is to go to when this node is lost. */
  successorOf(id: string): Successor | undefined {
    const { heir, handing } = this.#named ?? {};
    if (heir === undefined || handing !== undefined || heir.id === id) return undefined;
    return { id: heir.id, name: heir.name, dial: heir.dial, key: keyOf(heir.secret, id) };
  }

  /** A child is attached or adopted. */
  settled(child: Child): void {
    const { heir, handing } = this.#named ?? {};
    if (child.id === heir?.id && handing !== undefined) this.#store({ name: heir.name }); // it is a child as before: it has taken nothing
    if (handing?.includes(child.id)) {
      this.#yielding.start();
      return;
    }
    const { manager } = this.#parts.ward;
    if (this.#named === undefined && manager?.isTaken === true && manager.id === child.id) {
      this.#store({ name: child.record.name });
    }
    if (child.record.name !== this.#named?.name && child.id !== heir?.id) {
      void this.#tell(child); // the standby may have changed while the child was asked
      return;
    }
    this.#appoint(child).catch((error: MetanodeError) =>
      this.#report("refused", `${child.record.name} does not stand by: ${error.message}`),
    );
  }

  /** The record of a child has changed, or is gone. */
  changed(id: string, record: ChildRecord | undefined): void {
    const { heir, handing } = this.#named ?? {};
    if (id === heir?.id) {
      if (record === undefined && handing === undefined) this.#dismiss(this.#named?.name);
      return;
    }
    if (record === undefined && handing?.includes(id)) this.#yielding.start();
    if (record?.epoch === 0) return;
    const step: WardStep = record === undefined ? { removed: id } : { put: wardOf(record) };
    this.#told?.tell(STEP.ward, step);
  }

  /** It was replaced by its manager and has come back to it, to stand by: what it had named is over. */
  stands(): void {
    if (this.#named?.handing?.length === 0) this.#store({ name: this.#named.name });
  }

  /** It takes the place of its manager: what it had left to hand on from an earlier time is over. */
  succeeds(): void {
    if (this.#named?.heir !== undefined) this.#store({ name: this.#named.name });
  }

  /** A child, or the standby itself, has refused this node. */
  refused(error: MetanodeError): void {
    const { heir, handing, name } = this.#named ?? {};
    if (heir === undefined || handing !== undefined || name === undefined) return;
    if (codeOf(error) !== "tree.stale_epoch" || error.details?.by !== heir.id) return;
    this.#fence(name, heir);
  }

  /**
   * Gives this node's place to the standby, for good; resolves when all children are there and this node is one of them.
   * @throws {MetanodeError} state.conflict – nobody stands by and is ready, or this node is no root; node.unreachable, call.deadline – it
   * goes on by itself if the standby has agreed
   */
  async handOver(deadlineMs: number): Promise<StandbyInfo> {
    const { children, upward, means } = this.#parts;
    if (this.#named?.name) await this.#ready(Math.min(deadlineMs, means.clock.now() + means.times.stepMs));
    const { heir, handing, name } = this.#named ?? {};
    if (handing === undefined) {
      const child = heir === undefined ? undefined : children.get(heir.id);
      if (heir === undefined || name === undefined || child?.link === undefined || !this.info.isReady)
        throw coreError(
          "state.conflict",
          "nobody stands by for this node and is ready to take its place; name one and wait for it",
        );
      const isSettled = ({ id, record: { state, epoch } }: Child): boolean =>
        !children.isExpected(id) && (state === "managed" || epoch === 0);
      if (this.#isGivingAway) throw coreError("state.conflict", `${name} is being asked to take the place of this node already`);
      if (!children.list().every(isSettled))
        throw coreError("state.conflict", "children come or go just now; try again when they are there or gone");
      if (upward.ownership.owner !== undefined)
        throw coreError(
          "state.conflict",
          `this node has a manager, ${upward.ownership.owner.name}; only a root gives its place away`,
          {
            retryable: false,
          },
        );
      await this.#giveAway(child.link, Math.min(deadlineMs, means.clock.now() + means.times.stepMs));
      if (this.#named?.heir?.id === heir.id && this.#named.handing === undefined) this.#fence(name, heir);
    }
    // Also what they had under way over this node has ended then, so it can be stopped.
    while (this.#named?.handing !== undefined || children.areLeaving) {
      const left = this.#named?.handing?.length ?? 0;
      if (means.clock.now() >= deadlineMs)
        throw coreError("call.deadline", `${left} children are still to go to ${name}; they go by and by`, { details: { left } });
      await wait(means.clock, HANDING_LOOK_MS);
    }
    return this.info;
  }

  /** Resolves when whoever is named is ready, or it does not get so. */
  async #ready(untilMs: number): Promise<void> {
    const { clock } = this.#parts.means;
    while (!this.info.isReady && this.#named?.handing === undefined && clock.now() < untilMs) await wait(clock, HANDING_LOOK_MS);
  }

  /** Asks the standby to take this node's place, again while adoptions below it last. */
  async #giveAway(link: NodeLink, untilMs: number): Promise<void> {
    const { clock } = this.#parts.means;
    this.#isGivingAway = true;
    try {
      for (;;) {
        const failure = await link.request(STEP.handover, {}).then(
          () => undefined,
          (error: MetanodeError) => error,
        );
        if (failure === undefined) return;
        if (codeOf(failure) !== "state.conflict" || clock.now() >= untilMs) throw failure;
        await wait(clock, HANDING_LOOK_MS);
      }
    } finally {
      this.#isGivingAway = false;
    }
  }

  /** Where this node stands has changed. */
  placed(): void {
    if (this.#named?.handing !== undefined) this.#yielding.start();
  }

  /** The standby has this node's place: what is left is handed on to it. */
  #fence(name: string, heir: Heir): void {
    const { children } = this.#parts;
    const left = children.list().filter(({ id, record }) => id !== heir.id && record.epoch > 0);
    this.#told = undefined;
    this.#store({ name, heir, handing: left.map(({ id }) => id) });
    const standby = children.get(heir.id);
    if (standby !== undefined) children.remove(standby);
    this.#report("fenced", `${heir.name} has taken the place of this node; ${left.length} children are handed on to it`);
    this.#yielding.start();
  }

  async #appoint(child: Child): Promise<void> {
    const { link } = child;
    const { children, upward } = this.#parts;
    if (link === undefined) return;
    const before = this.#named?.heir;
    const secret = before?.id === child.id ? before.secret : this.#parts.means.newId();
    const others = children.list().filter(({ id, record }) => id !== child.id && record.epoch > 0);
    this.#told = link; // what changes from here on follows on the same link
    const step: StandStep = { secret, path: upward.place.path, children: others.map(({ record }) => wardOf(record)) };
    this.#unaware.add(step);
    const reach = link.request(STEP.stand, step).finally(() => this.#unaware.delete(step));
    const { address, fingerprint } = (await reach) as Reach;
    if (child.link !== link || this.#told !== link) return;
    const dial: Dial = { address, ...(fingerprint === undefined ? {} : { trust: { fingerprint } }) };
    this.#store({ name: child.record.name, heir: { id: child.id, name: child.record.name, dial, secret } });
    await this.#tellChildren();
    this.#report("standby", `${child.record.name} stands by for this node`);
  }

  /** The present standby is none any more; the child of that name is to be the next. */
  #dismiss(next: string | undefined): void {
    this.#told?.tell(STEP.ward, { dismissed: true } satisfies WardStep);
    this.#told = undefined;
    this.#store(next === undefined ? undefined : { name: next });
    void this.#tellChildren();
  }

  async #tellChildren(): Promise<void> {
    const adopted = this.#parts.children.list().filter(({ isAdopted }) => isAdopted);
    await Promise.all(adopted.map((child) => this.#tell(child)));
  }

  /** Resolves when the child knows, or cannot be asked any more: one whose link ends hears it with the next. */
  async #tell({ id, record, link }: Child): Promise<void> {
    if (link === undefined) return;
    const successor = this.successorOf(id);
    const step: SuccessorStep = { epoch: record.epoch, ...(successor ? { successor } : {}) };
    this.#unaware.add(step);
    await link.request(STEP.successor, step).catch(() => undefined);
    this.#unaware.delete(step);
  }

  /** One attempt to come to the standby, and to hand on to it whoever is there; the rest follows when it is back. */
  async #yield(): Promise<boolean> {
    const { children, adoptions, upward, means } = this.#parts;
    const { heir, handing, name } = this.#named ?? {};
    if (heir === undefined || handing === undefined || name === undefined) return true;
    // Before any other that it was told to join: what it has to hand on comes first.
    if (upward.ownership.owner === undefined && !upward.isSucceeding) {
      this.#joins = true;
      upward.join({ dial: heir.dial, secret: keyOf(heir.secret, means.identity.id), purpose: "succeed" });
    }
    if (upward.ownership.owner === undefined) {
      // First it has a way to the standby, over which messages between those there and those still here can go.
      return this.#joins && isNone(upward.joinFailure) ? this.#mistaken(handing) : false;
    }
    const here = (): Child[] =>
      handing.flatMap((id) => {
        const child = children.get(id);
        // One that is being attached or adopted just now follows when it is.
        return child?.link?.isEstablished === true && child.record.state === "managed" ? [child] : [];
      });
    for (const child of here()) {
      const to = { id: heir.id, dial: heir.dial, secret: keyOf(heir.secret, child.id), purpose: "succeed" } as const;
      const failure = await adoptions.transfer(child, to).catch((error: unknown) => error);
      if (isNone(failure)) return this.#mistaken(handing);
    }
    if (this.#named?.handing !== handing) return this.#named?.handing === undefined;
    const left = handing.filter((id) => children.get(id) !== undefined);
    if (left.length === 0) this.#store({ name });
    else if (left.length < handing.length) this.#store({ name, heir, handing: left });
    return here().length === 0;
  }

  /** The standby says that it has taken nothing, or stands by no more: this node stays what it is. */
  #mistaken(handing: Named["handing"]): boolean {
    if (this.#named?.handing === handing) this.#dismiss(this.#named?.name);
    return true;
  }

  #store(named: Named | undefined): void {
    const { store } = this.#parts.means;
    if (this.#named?.handing !== undefined && named?.handing === undefined) {
      this.#yielding.stop();
      if (this.#joins) this.#parts.upward.stopJoining();
      this.#joins = false;
    }
    // Nobody is wanted, whatever the options say: that is worth a record as well.
    store.put(NAMED, named ?? { name: "" });
    this.#named = named;
  }

  #report(kind: "standby" | "fenced" | "refused", text: string): void {
    const { means, upward } = this.#parts;
    means.report({ kind, node: means.identity.id, path: upward.place.path, epoch: upward.ownership.epoch, text });
  }
}

/** Whether a refusal says that the node has not taken the place, or has lost it again. */
function isNone(error: unknown): boolean {
  const code = codeOf(error);
  return code === "tree.not_managed" || code === "tree.cycle";
}
