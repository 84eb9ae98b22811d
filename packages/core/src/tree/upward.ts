import type { Timer } from "../clock.ts";
import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { NodeCard } from "./card.ts";
import type { HoldRequest, Holds } from "./holds.ts";
import type { TreeEvent, TreeMeans } from "./means.ts";
import { callOn, type LinkOwner, type NodeLink, STEP } from "./node-link.ts";
import {
  type Adoption,
  type Dial,
  type Former,
  type Owner,
  Ownership,
  type OwnershipState,
  type Successor,
} from "./ownership.ts";
import { childPath, type NodePath } from "./path.ts";
import { CUT_BEATS } from "./pulse.ts";
import { Redial } from "./redial.ts";

/*
 * The way up: this node and its manager.
 *
 * U1. What a manager orders counts only over the link on which it attached or adopted, and only in the present epoch.
 * U2. A newer link with the same manager replaces the older one.
 * U3. Losing the manager changes nothing in what the node does, save that the lease begins to run.
 * U4. When the lease is over, the node goes to the successor that its manager has named, and still looks for the manager: whoever adopts
 *     it first is the next.
 */

/** Where a node stands, as its manager tells it. */
export interface Place {
  readonly path: NodePath;
  /** Ids from the root's to the manager's. */
  readonly ancestors: readonly string[];
}

/** Steps of a manager. */
export interface AttachStep {
  readonly epoch: number;
  readonly place: Place;
  readonly successor?: Successor | undefined;
}
export interface AdoptStep extends Omit<Adoption, "dial" | "isAsked"> {
  readonly place: Place;
  readonly successor?: Successor | undefined;
}
export interface TransferStep {
  readonly epoch: number;
  readonly to: JoinRequest & { readonly id: string };
}
export interface SuccessorStep {
  readonly epoch: number;
  readonly successor?: Successor | undefined;
}

/** What a node tells the manager that it had. */
export interface MovedStep {
  readonly to: string;
  readonly epoch: number;
  readonly path: NodePath;
}

/** What a node asks of another: to be adopted. */
export interface JoinRequest {
  readonly dial: Dial;
  readonly secret: string;
  /** @default "join", or "move" with the leave of its manager */
  readonly purpose?: "succeed" | undefined;
}

export interface UpwardParts {
  readonly means: TreeMeans;
  readonly holds: Holds;
  readonly links: LinkOwner;
  readonly card: () => NodeCard;
  /** Its name in paths while it has no manager. */
  readonly rootName: () => string;
  /** Since when this process was awake all the time. */
  readonly awakeMs: () => number;
  /** The place changed: the children have to hear of it. */
  readonly onPlaced: () => void;
  /** A link stands that was dialled from here: it may want a certificate. */
  readonly onDialled: (link: NodeLink, dial: Dial) => void;
}

export class Upward {
  readonly ownership: Ownership;
  readonly #parts: UpwardParts;
  readonly #redial: Redial;
  readonly #goodbye: Redial;
  readonly #succession: Redial;
  #link: NodeLink | undefined;
  /** Asks for adoption while it is set. */
  #joining: JoinRequest | undefined;
  #joinFailure: MetanodeError | undefined;
  /** The link over which another is about to adopt this node, with the present manager's leave. */
  #handing: { readonly link: NodeLink; resolve(): void } | undefined;
  /** Whoever waits for what becomes of a link that was dialled: the manager's, or nothing. */
  readonly #fates = new WeakMap<NodeLink, PromiseWithResolvers<boolean>>();
  #place: Place;
  #lease: Timer | undefined;
  #isStopped = false;

  constructor(parts: UpwardParts, record: unknown) {
    this.#parts = parts;
    const { means } = parts;
    this.ownership = new Ownership(means.identity.id, means.store, record, means.clock.now());
    this.#place = this.#alone();
    this.#redial = new Redial(means, () => this.#dial());
    this.#goodbye = new Redial(means, () => this.#visitFormers());
    this.#succession = new Redial(means, () => this.#visitSuccessor());
  }

  get state(): OwnershipState {
    return this.ownership.state(this.#parts.means.clock.now());
  }

  get place(): Place {
    return this.#place;
  }

  /** The link with the manager, while it stands. */
  get link(): NodeLink | undefined {
    return this.#link;
  }

  /** Why the last attempt to join came to nothing. */
  get joinFailure(): MetanodeError | undefined {
    return this.#joinFailure;
  }

  start(): void {
    this.#sayGoodbye();
    if (this.ownership.owner === undefined) return;
    this.#runLease();
    if (this.ownership.owner.dial !== undefined) this.#redial.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#redial.stop();
    this.#goodbye.stop();
    this.#succession.stop();
    this.#lease?.cancel();
    this.#link?.session.close();
  }

  /** Whether it asks for adoption as a manager that was replaced. */
  get isSucceeding(): boolean {
    return this.#joining?.purpose === "succeed";
  }

  /** Asks a node to adopt this one, again and again until it does or {@link stopJoining} is called. */
  join(request: JoinRequest): void {
    this.#joining = request;
    this.#joinFailure = undefined;
    this.ownership.asking = true;
    this.#redial.stop(); // it may be waiting after attempts at somebody else
    this.#redial.start();
  }

  stopJoining(): void {
    this.#joining = undefined;
    this.ownership.asking = false;
  }

  /** The manager's secret, for a link that it dials. @throws {MetanodeError} tree.not_managed, tree.stale_epoch */
  admitOwner(id: string, key: string): void {
    const { owner, epoch } = this.ownership;
    if (owner?.id === id && owner.key === key) return;
    if (this.ownership.hasSucceeded(id)) throw this.ownership.stale(epoch - 1);
    if (owner === undefined) throw coreError("tree.not_managed", "the node has no manager", { details: { epoch } });
    throw coreError("tree.stale_epoch", `the node is managed by ${owner.name} now`, { details: { epoch, by: owner.id } });
  }

  attach(link: NodeLink, { epoch, place, successor }: AttachStep): { isExpired: boolean; card: NodeCard } {
    this.ownership.check(epoch);
    const isExpired = this.state === "free" || this.state === "offered";
    if (!isExpired) {
      this.ownership.setSuccessor(successor);
      this.#settle(link, place);
    }
    return { isExpired, card: this.#parts.card() };
  }

  adopt(link: NodeLink, step: AdoptStep): { epoch: number; card: NodeCard } {
    const { means, holds } = this.#parts;
    if (step.place.ancestors.includes(means.identity.id)) {
      throw coreError("tree.cycle", `${means.identity.name} is an ancestor of ${step.parent.name}`);
    }
    if (holds.isHeld) throw holds.busy();
    const before = this.ownership.owner;
    const wasHeard = this.#link !== undefined;
    const { dial } = link;
    const isAsked = this.#joining !== undefined;
    const owner = this.ownership.adopt({ ...step, isAsked, ...(dial ? { dial } : {}) }, means.clock.now());
    this.ownership.setSuccessor(step.successor);
    this.#joining = undefined;
    this.#joinFailure = undefined;
    this.#settle(link, step.place, before);
    if (this.#handing?.link === link) this.#handing.resolve();
    if (owner !== before) this.#report("owned", `adopted by ${owner.name}`);
    if (before !== undefined && before.id !== owner.id && !wasHeard) this.#sayGoodbye();
    return { epoch: owner.epoch, card: this.#parts.card() };
  }

  release(link: NodeLink, { epoch }: { epoch: number }): void {
    this.#commanded(link);
    this.ownership.release(epoch);
    this.#freed("released by its manager");
  }

  /** The manager says who is to come after it. */
  succeededBy(link: NodeLink, { epoch, successor }: SuccessorStep): void {
    if (link === this.#link && epoch === this.ownership.epoch) this.ownership.setSuccessor(successor);
  }

  /** Takes the place of the manager, whose lease is over: this node is a root from now on, and the manager is told when it can be. */
  succeed(): void {
    const { means } = this.#parts;
    const { owner } = this.ownership;
    this.ownership.succeed(means.clock.now());
    this.stopJoining();
    this.#freed(`takes the place of its manager ${owner?.name}`);
    this.#sayGoodbye();
  }

  placed(link: NodeLink, { epoch, place }: AttachStep): void {
    if (link !== this.#link || epoch !== this.ownership.epoch) return;
    if (place.ancestors.includes(this.#parts.means.identity.id)) {
      // Holds make this impossible; a tree that is one all the same would be lost, so the node leaves it.
      this.ownership.leave(this.#parts.means.clock.now());
      this.#freed("left a cycle");
      link.retire();
      this.#sayGoodbye();
      return;
    }
    this.#move(place);
  }

  /** Lets the manager hand this node on. Resolves when the new one has adopted it; else the node stays where it was. */
  async transfer(link: NodeLink, { epoch, to }: TransferStep): Promise<void> {
    this.#commanded(link);
    this.ownership.handOver(to.id, epoch);
    try {
      await this.#handOn(to);
    } finally {
      if (this.ownership.epoch === epoch) this.ownership.handOver(undefined, epoch);
    }
  }

  async #handOn({ id, dial, secret, purpose }: TransferStep["to"]): Promise<void> {
    const { means, links } = this.#parts;
    const next = await callOn(means, { ...dial, purpose: purpose ?? "move", secret }, links);
    if (this.ownership.owner?.id === id) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#handing = { link: next, resolve };
    const timer = means.clock.setTimer(means.times.stepMs * 2, resolve);
    await promise;
    timer.cancel();
    this.#handing = undefined;
    if (this.ownership.owner?.id === id) return;
    next.session.close();
    throw coreError("state.conflict", "the new manager did not adopt the node; it stays where it was");
  }

  /** Asks for the leave to adopt, up to the root (see `holds.ts`). @throws {MetanodeError} tree.cycle, state.conflict, node.unreachable */
  async hold(request: HoldRequest): Promise<void> {
    const { means, holds } = this.#parts;
    if (request.adoptee === means.identity.id)
      throw coreError("tree.cycle", `${means.identity.name} is an ancestor of the node that would adopt it`);
    if (this.state === "free" || this.state === "offered") return holds.take(request);
    const link = this.#link;
    if (link === undefined) {
      throw coreError(
        "node.unreachable",
        `${this.#place.path} has lost its manager, so nobody can say whether the adoption closes a cycle; try again`,
      );
    }
    holds.pass(request.operation, link);
    await link.request(STEP.hold, request);
  }

  /** An adoption here or below may last for which the root was asked. */
  get isHolding(): boolean {
    return this.#parts.holds.arePassing;
  }

  /** The adoption is over: so says the link on which it was asked for, though the manager may be another by now. */
  unhold(operation: string): void {
    this.#parts.holds.drop(operation)?.tell(STEP.unhold, { operation });
  }

  /** A step that only the present manager may order. @throws {MetanodeError} tree.stale_epoch */
  #commanded(link: NodeLink): void {
    if (link !== this.#link) {
      const { epoch, owner } = this.ownership;
      throw coreError("tree.stale_epoch", "the link is not that of the present manager", {
        details: { epoch, ...(owner ? { by: owner.id } : {}) },
      });
    }
  }

  /** A link has ended. */
  closed(link: NodeLink, error?: MetanodeError): void {
    this.#fateOf(link).resolve(false);
    if (error !== undefined && this.#link === undefined) this.#joinFailure = error;
    if (this.#handing?.link === link) this.#handing.resolve();
    if (link !== this.#link) return;
    this.#link = undefined;
    if (this.ownership.owner === undefined || this.#isStopped) return;
    this.ownership.lost(this.#lostMs(link));
    this.#report("orphaned", "lost its manager; the lease runs");
    this.#runLease();
    if (this.ownership.owner.dial !== undefined) this.#redial.start();
  }

  /** Since when nothing was heard of the manager: a link that ended because it was silent was lost before it ended. */
  #lostMs({ session }: NodeLink): number {
    const { clock, times } = this.#parts.means;
    const heardMs = Math.max(session.heardMs, this.#parts.awakeMs());
    return clock.now() - heardMs >= CUT_BEATS * times.heartbeatMs ? heardMs : clock.now();
  }

  #settle(link: NodeLink, place: Place, before?: Owner): void {
    const previous = this.#link;
    this.#link = link;
    link.establish();
    this.#fateOf(link).resolve(true);
    this.ownership.attached();
    this.#lease?.cancel();
    this.#redial.stop();
    this.#succession.stop();
    this.#move(place);
    if (previous !== undefined && previous !== link) this.#leave(previous, before);
    if (link.dial !== undefined) this.#parts.onDialled(link, link.dial);
  }

  /** Ends the link with a manager that is no longer one, or has a newer link; the one that lost the node is told. */
  #leave(link: NodeLink, before: Owner | undefined): void {
    const { owner, epoch } = this.ownership;
    if (before !== undefined && owner !== undefined && owner.id !== link.peer.id) {
      const moved: MovedStep = { to: owner.id, epoch, path: this.#place.path };
      link
        .request(STEP.moved, moved)
        .then(() => this.ownership.forgetFormer(before.key))
        .catch(() => this.#sayGoodbye());
    }
    link.retire();
  }

  #freed(text: string): void {
    // The answer to the release is still to go out on the link; the manager closes it.
    this.#link = undefined;
    this.#redial.stop();
    this.#succession.stop();
    this.#lease?.cancel();
    this.#move(this.#alone());
    this.#report("freed", text);
  }

  #move(place: Place): void {
    const isSame = place.path === this.#place.path && place.ancestors.join() === this.#place.ancestors.join();
    this.#place = place;
    if (!isSame) this.#parts.onPlaced();
  }

  #alone(): Place {
    return { path: childPath("", this.#parts.rootName()), ancestors: [] };
  }

  #runLease(): void {
    const { means } = this.#parts;
    this.#lease?.cancel();
    this.#lease = means.clock.setTimer(this.ownership.leaseLeftMs(means.clock.now()), () => {
      if (this.state === "orphaned") return this.#runLease(); // the timer was early
      if (this.ownership.owner === undefined || this.#link !== undefined) return;
      this.#expire();
      this.#move(this.#alone());
      this.#report("freed", "the lease of its manager is over");
      if (this.ownership.owner?.successor !== undefined) this.#succession.start();
    });
  }

  /** A disk that cannot be written changes nothing but that the lease runs again after a restart. */
  #expire(): void {
    try {
      this.ownership.expire();
    } catch (error) {
      this.#report("refused", `it could not be written down that the lease is over: ${(error as Error).message}`);
    }
  }

  /** One attempt to get to the manager, or to whoever is to become it; ends when it is clear what came of it. */
  async #dial(): Promise<boolean> {
    const { owner } = this.ownership;
    if (this.#link !== undefined) return true;
    if (this.#joining !== undefined) return (await this.#tryManager(this.#joining.purpose ?? "join", this.#joining)) === true;
    if (owner?.dial === undefined) return true;
    const outcome = await this.#tryManager("attach-child", { dial: owner.dial, secret: owner.key });
    if (outcome === true) return true;
    if (codeOf(outcome) !== "tree.not_managed" || this.#link !== undefined) return false;
    if (this.ownership.owner?.epoch !== owner.epoch) return false;
    this.ownership.forgotten(owner.epoch);
    this.#freed("its manager does not know it any more");
    return true;
  }

  /** Managers that could not be told that they have lost the node, and that this side dials, are told when they can be reached. */
  #sayGoodbye(): void {
    if (this.ownership.formers.length > 0 && !this.#isStopped) this.#goodbye.start();
  }

  async #visitFormers(): Promise<boolean> {
    await Promise.all(this.ownership.formers.map((former) => this.#visitFormer(former)));
    return this.ownership.formers.length === 0;
  }

  /** Comes to the former manager with its key: it asks for its epoch, and hears that it is over; or adopts the node anew, if it may. */
  async #visitFormer(former: Former): Promise<void> {
    const { means } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<MetanodeError | undefined>();
    const links: LinkOwner = {
      receive: (link, message, context) => this.#parts.links.receive(link, message, context),
      closed: (link, error) => {
        resolve(error);
        if (link === this.#link) this.closed(link, error);
      },
    };
    const failure = await callOn(means, { ...former.dial, purpose: "attach-child", secret: former.key }, links).then(
      (link) => Promise.race([promise, this.#fateOf(link).promise.then(() => undefined)]),
      (error: MetanodeError) => error,
    );
    const isTold = failure === undefined || codeOf(failure) === "tree.not_managed";
    if (isTold || means.clock.now() >= former.untilMs) this.ownership.forgetFormer(former.key);
  }

  /** As {@link #try}; why it came to nothing is kept, for whoever asks. */
  async #tryManager(purpose: "join" | "succeed" | "attach-child", request: JoinRequest): Promise<boolean | MetanodeError> {
    const outcome = await this.#try(purpose, request);
    if (typeof outcome !== "boolean") this.#joinFailure = outcome;
    return outcome;
  }

  /** One attempt to get to whoever comes after the manager. It refuses as long as it hears the manager itself. */
  async #visitSuccessor(): Promise<boolean> {
    const successor = this.ownership.owner?.successor;
    if (this.#link !== undefined || successor === undefined) return true;
    return (await this.#try("succeed", { dial: successor.dial, secret: successor.key })) === true;
  }

  /** Whether a link became the manager's, or why there was none. */
  async #try(purpose: "join" | "attach-child" | "succeed", { dial, secret }: JoinRequest): Promise<boolean | MetanodeError> {
    const { means, links } = this.#parts;
    try {
      const link = await callOn(means, { ...dial, purpose, secret }, links);
      this.#joinFailure = undefined;
      return await this.#fateOf(link).promise;
    } catch (error) {
      return error as MetanodeError;
    }
  }

  /** What comes of a link: whether it is the manager's. Often that is known before whoever dialled asks. */
  #fateOf(link: NodeLink): PromiseWithResolvers<boolean> {
    let fate = this.#fates.get(link);
    if (fate === undefined) {
      fate = Promise.withResolvers<boolean>();
      this.#fates.set(link, fate);
    }
    return fate;
  }

  #report(kind: TreeEvent["kind"], text: string): void {
    const { means } = this.#parts;
    const { id } = means.identity;
    means.report({ kind, node: id, path: this.#place.path, epoch: this.ownership.epoch, text });
  }
}
