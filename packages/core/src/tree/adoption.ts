import { wait } from "../clock.ts";
import { asMetanodeError, codeOf, coreError, hasCode, type MetanodeError } from "../errors.ts";
import type { NodeCard } from "./card.ts";
import type { Child, ChildRecord } from "./child.ts";
import type { Children } from "./children.ts";
import type { HoldRequest } from "./holds.ts";
import type { TreeMeans } from "./means.ts";
import { callOn, type LinkOwner, type NodeLink, STEP } from "./node-link.ts";
import type { Dial } from "./ownership.ts";
import type { AdoptStep, MovedStep, TransferStep } from "./upward.ts";

/*
 * Adopting, releasing and handing on. Each is one operation with an id; repeated, it gives what it gave.
 *
 * A1. Every step can be cut off by a crash on either side. After it, manager and child meet again by the key that both stored, and
 *     go on; where only one of them had stored something, that one drops it. So a node ends managed or not, never half.
 * A2. A release first stops sending, then waits for what was accepted, then lets go.
 */

export interface AdoptOptions {
  /** The child's name here. @default its own */
  as?: string | undefined;
  /** Take it from a manager that has not let it go. */
  force?: boolean | undefined;
  /** The node lives in this very tree, or has a manager that lets it go: nothing else may change the tree meanwhile. */
  isMove?: boolean | undefined;
  operation?: string | undefined;
  /** It came with a token, so what was agreed with it before counts no more. */
  isFresh?: boolean | undefined;
}

export interface ReleaseOptions {
  /** How long to wait for what is under way, in milliseconds. @default 10_000 */
  drainMs?: number | undefined;
  /** Let go of one that cannot be reached, or that has not finished. */
  force?: boolean | undefined;
  operation?: string | undefined;
}

/** What a release or a move came to. */
export interface Released {
  readonly id: string;
  readonly name: string;
  readonly epoch: number;
  /** Calls that were not answered; 0 unless it was forced. */
  readonly unfinished: number;
}

export interface AdoptionParts {
  readonly means: TreeMeans;
  readonly children: Children;
  readonly links: LinkOwner;
  /** Asks up to the root whether a node may be adopted. */
  readonly hold: (request: HoldRequest) => Promise<void>;
  readonly unhold: (operation: string) => void;
}

const DEFAULT_DRAIN_MS = 10_000;
/** Attempts while another operation has the tree. */
const ATTEMPTS = 20;
/** How often a drain looks whether all is done, in milliseconds. */
const DRAIN_STEP_MS = 10;

export class Adoptions {
  readonly #parts: AdoptionParts;
  /** One operation per child at a time. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
  }

  /** Dials a node and adopts it. @throws {MetanodeError} tree.cycle, tree.already_managed, auth.unauthenticated, node.unreachable … */
  async dial(dial: Dial, secret: string, options: AdoptOptions): Promise<Child> {
    const { means, links, children } = this.#parts;
    const link = await callOn(means, { ...dial, purpose: "adopt", secret }, links);
    try {
      const known = children.get(link.peer.id);
      if (known?.record.state === "managed" && known.link !== undefined) {
        throw coreError("tree.already_managed", `${link.peer.name} is a child of this node already`, {
          details: { by: means.identity.id, epoch: known.record.epoch },
        });
      }
      return await this.adopt(link, { ...options, dial: link.dial });
    } catch (error) {
      link.session.close();
      throw error;
    }
  }

  /** Adopts the node at the other end of a link. */
  adopt(link: NodeLink, options: AdoptOptions & { dial?: Dial }): Promise<Child> {
    return this.#alone(link.peer.id, () => this.#adopt(link, options));
  }

  /** A node that asks to be adopted without leave: it waits until somebody gives it. */
  offer(link: NodeLink): Child {
    const { children, means } = this.#parts;
    const { id } = link.peer;
    const known = children.get(id);
    const record: ChildRecord = known?.record ?? {
      id,
      name: this.#freeName(link.peer.name, id),
      state: "pending",
      epoch: 0,
      key: means.newId(),
      operation: means.newId(),
    };
    const child = children.put(record);
    children.connect(child, link);
    if (known === undefined) children.report("pending", child, "asks to be adopted");
    return child;
  }

  /** What a crash or a lost link has cut off goes on. */
  async resume(child: Child): Promise<void> {
    const { children, means } = this.#parts;
    const { link, record } = child;
    if (link === undefined) return;
    try {
      if (record.state === "releasing") await this.release(child, { force: false });
      else if (record.state === "moving" && link.isEstablished) children.put({ ...record, state: "managed" });
      else await this.adopt(link, { ...(record.dial ? { dial: record.dial } : {}) });
    } catch (error) {
      children.report("refused", child, asMetanodeError(error).message);
      // With the next link it is tried again, after a while.
      means.clock.setTimer(means.times.stepMs, () => {
        if (!link.isEstablished) link.session.close();
      });
    }
  }

  release(child: Child, options: ReleaseOptions): Promise<Released> {
    return this.#alone(child.id, () => this.#release(child, options));
  }

  /** Hands a child on to another node, whose token says where it is. */
  transfer(child: Child, to: TransferStep["to"]): Promise<Released> {
    return this.#alone(child.id, () => this.#transfer(child, to));
  }

  /** Resolves when the adoption has ended, one way or the other, that goes on over a link. */
  underWay(link: NodeLink): Promise<void> | undefined {
    const child = this.#parts.children.get(link.peer.id);
    if (child?.link !== link || child.record.state !== "adopting") return undefined;
    const ended = (): void => undefined;
    return this.#busy.get(link.peer.id)?.then(ended, ended);
  }

  /** A child says that another has adopted it. */
  moved(link: NodeLink, { to, epoch, path }: MovedStep): void {
    const { children } = this.#parts;
    const child = children.get(link.peer.id);
    if (child === undefined || child.link !== link || epoch <= child.record.epoch) return;
    children.report("moved", child, `it lives at ${path} now, with ${to} as its manager`);
    children.remove(child, { id: child.id, path, epoch });
  }

  async #adopt(link: NodeLink, { as, force, isMove, isFresh, operation, dial }: AdoptOptions & { dial?: Dial }): Promise<Child> {
    const { children, means, hold, unhold } = this.#parts;
    const { id, name } = link.peer;
    // An earlier operation may have ended it; nobody would hear of its end again.
    if (link.session.isClosed) throw coreError("node.unreachable", `the link to ${name} has ended`);
    const known = children.get(id)?.record;
    const agreed = isFresh === true ? undefined : known;
    const record: ChildRecord = {
      id,
      name: as ?? known?.name ?? name,
      state: "adopting",
      epoch: known?.epoch ?? 0,
      key: agreed?.key ?? means.newId(),
      operation: agreed?.state === "adopting" ? agreed.operation : (operation ?? means.newId()),
      ...(dial ? { dial } : {}),
    };
    const child = children.put(record);
    children.connect(child, link);
    let learnt: NodeCard | undefined;
    try {
      const letGo = (): void => unhold(record.operation);
      await this.#patiently(letGo, async () => {
        await hold({ operation: record.operation, adoptee: id, exclusive: force === true || isMove === true });
        const step: AdoptStep = {
          operation: record.operation,
          parent: { id: means.identity.id, name: means.identity.name },
          key: record.key,
          leaseMs: means.times.leaseMs,
          ...children.standingOf(child),
          ...(force === true ? { force } : {}),
        };
        const { epoch, card } = (await link.request(STEP.adopt, step)) as { epoch: number; card: NodeCard };
        children.put({ ...record, state: "managed", epoch });
        learnt = card;
      });
    } catch (error) {
      if (hasCode(error, "tree.stale_epoch")) children.refused(child, error as MetanodeError);
      // A link that broke leaves open whether the node has said yes; then it comes back with the key, or never.
      const isOpen = hasCode(error, "node.unreachable") || hasCode(error, "call.deadline");
      if (!isOpen && children.get(child.id) === child) children.remove(child);
      throw error;
    } finally {
      unhold(record.operation);
    }
    children.adopted(child, learnt as NodeCard);
    return child;
  }

  async #release(child: Child, options: ReleaseOptions): Promise<Released> {
    const { children } = this.#parts;
    children.need(child.id); // an earlier operation may have let it go
    const { record } = child;
    if (record.epoch === 0) {
      children.remove(child);
      return { id: child.id, name: record.name, epoch: 0, unfinished: 0 };
    }
    children.put({ ...record, state: "releasing" });
    const unfinished = await this.#drain(child, options.drainMs ?? DEFAULT_DRAIN_MS);
    if (unfinished > 0 && options.force !== true) {
      child.isDraining = false;
      children.put({ ...child.record, state: "managed" });
      throw coreError(
        "call.deadline",
        `${record.name} has ${unfinished} calls unfinished; it stays managed; give it longer or use force`,
        {
          details: { unfinished },
        },
      );
    }
    try {
      if (child.link === undefined) throw child.lostError();
      await child.link.request(STEP.release, { epoch: record.epoch });
    } catch (error) {
      const code = codeOf(error);
      const isGone = code === "tree.not_managed" || code === "tree.stale_epoch";
      if (!isGone && options.force !== true) throw error; // it stays `releasing` and is let go when it comes back
    }
    children.report("released", child, "let go");
    children.remove(child);
    return { id: child.id, name: record.name, epoch: record.epoch, unfinished };
  }

  async #transfer(child: Child, to: TransferStep["to"]): Promise<Released> {
    const { children } = this.#parts;
    children.need(child.id);
    const { record, link } = child;
    if (link === undefined) throw child.lostError();
    children.put({ ...record, state: "moving" });
    try {
      const step: TransferStep = { epoch: record.epoch, to };
      await link.request(STEP.transfer, step, this.#parts.means.times.stepMs * 3);
    } catch (error) {
      // The child tells of the move before it ends the link; then the record is gone.
      if (children.get(child.id) === child) {
        children.put({ ...child.record, state: "managed" });
        throw error;
      }
    }
    return { id: child.id, name: record.name, epoch: record.epoch, unfinished: 0 };
  }

  /** Stops sending to a child and waits for what is under way; gives the number of calls that were not answered. */
  async #drain(child: Child, drainMs: number): Promise<number> {
    const { clock } = this.#parts.means;
    const untilMs = clock.now() + drainMs;
    child.isDraining = true;
    const open = (): number => (child.link === undefined ? 0 : child.inFlight + child.link.session.incomingCalls);
    while (open() > 0 && clock.now() < untilMs) await wait(clock, DRAIN_STEP_MS);
    return open();
  }

  /** Again, after a while left to chance, where another operation has the tree. In between it holds nothing, so two cannot wait for each other. */
  async #patiently(letGo: () => void, work: () => Promise<void>): Promise<void> {
    const { clock, random, times } = this.#parts.means;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!hasCode(error, "state.conflict") || attempt >= ATTEMPTS) throw error;
        letGo();
        await wait(clock, (times.stepMs / 100) * attempt * (0.5 + random()));
      }
    }
  }

  #freeName(name: string, id: string): string {
    return this.#parts.children.named(name) === undefined ? name : `${name}-${id.slice(0, 8)}`;
  }

  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    while (this.#busy.has(id)) await this.#busy.get(id)?.catch(() => undefined);
    const running = work();
    this.#busy.set(id, running);
    try {
      return await running;
    } finally {
      this.#busy.delete(id);
    }
  }
}
