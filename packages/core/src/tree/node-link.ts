import { coreError, type MetanodeError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import { CALL_MODE, PROTOCOL_VERSION } from "../link/frames.ts";
import { MAX_BATCH_BYTES } from "../link/grpc.ts";
import { greet } from "../link/handshake.ts";
import type { IncomingContext } from "../link/incoming.ts";
import { Session } from "../link/session.ts";
import { createMessage, type Message } from "../message/message.ts";
import type { Acquaintance, Trust } from "../trust/meet.ts";
import type { TreeMeans } from "./means.ts";
import type { Dial } from "./ownership.ts";

/** How long a link that is to end may take, in steps; how often it is looked at; and how long it may be silent, in beats. */
const RETIRING_STEPS = 2;
const RETIRING_LOOK_MS = 20;
const SILENT_BEATS = 2;

/** Calls that one side of a link may have open. */
export const LINK_CONCURRENCY = 1_024;
/** And calls that may wait there: a node that is slow costs its neighbours no more than that. What keeps the tree does not wait behind them. */
const MAX_WAITING = 4_096;

/**
 * Why one node dials another. `join`: to become its child, with a token. `move`: the same with the leave of its manager. `adopt`: to become its manager, with a token. `attach-child`
 * and `attach-parent`: to be again what it was, with the key of the adoption. `succeed`: to become the child of its lost manager's standby.
 */
export type Purpose = "join" | "move" | "adopt" | "attach-child" | "attach-parent" | "succeed";

const PURPOSES: readonly string[] = ["join", "move", "adopt", "attach-child", "attach-parent", "succeed"] satisfies Purpose[];

export function isPurpose(text: string | undefined): text is Purpose {
  return text !== undefined && PURPOSES.includes(text);
}

/** What the other side of a link is to this one. */
export type Role = "parent" | "child";

export interface NodePeer {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** Messages that neighbours send each other to keep the tree; they never leave the link. */
export const STEP = {
  attach: "metanode.link.attach",
  adopt: "metanode.link.adopt",
  release: "metanode.link.release",
  transfer: "metanode.link.transfer",
  place: "metanode.link.place",
  changed: "metanode.link.changed",
  hold: "metanode.link.hold",
  unhold: "metanode.link.unhold",
  visit: "metanode.link.visit",
  moved: "metanode.link.moved",
  enrol: "metanode.link.enrol",
  renew: "metanode.link.renew",
  successor: "metanode.link.successor",
  stand: "metanode.link.stand",
  ward: "metanode.link.ward",
  handover: "metanode.link.handover",
} as const;

export const STEP_PREFIX = "metanode.link.";

/** Takes what comes over a link. */
export interface LinkOwner {
  receive(link: NodeLink, message: Message, context: IncomingContext): unknown;
  /** With the error that the other side ended it with, or that broke it. */
  closed(link: NodeLink, error?: MetanodeError): void;
}

interface NodeLinkParts {
  readonly means: TreeMeans;
  readonly owner: LinkOwner;
  readonly concurrency: number;
  /** Absent where the other side dialled. */
  readonly dialled?: { readonly address: string; readonly trust: Trust | undefined };
}

/** A session with a neighbour. */
export class NodeLink {
  readonly peer: NodePeer;
  readonly session: Session;
  readonly #means: TreeMeans;
  #isRetiring = false;
  #isEstablished = false;
  /** Of a link that was dialled from there: the other side shows a certificate of an authority that is to be retired. */
  isOutdated = false;
  /** Of a link that was dialled from here: how the other side is known. */
  trust: Trust | undefined;
  readonly #address: string | undefined;

  constructor(channel: Channel, peer: NodePeer, parts: NodeLinkParts) {
    this.peer = peer;
    // Before the session, which may take the first step of the other side at once.
    this.#address = parts.dialled?.address;
    this.trust = parts.dialled?.trust;
    this.#means = parts.means;
    this.session = new Session({
      channel,
      peer: peer.name,
      lostCode: "node.unreachable",
      concurrency: parts.concurrency,
      maxWaiting: MAX_WAITING,
      isUrgent: ({ type }) => type.startsWith(STEP_PREFIX),
      clock: parts.means.clock,
      handler: (message, context) => parts.owner.receive(this, message, context),
      onClosed: (error) => parts.owner.closed(this, error),
    });
  }

  /** How this side gets to the other one again; absent where the other side dialled. */
  get dial(): Dial | undefined {
    return this.#address === undefined ? undefined : { address: this.#address, trust: this.trust };
  }

  /** Whether the two are manager and child, or were when it began to retire. */
  get isEstablished(): boolean {
    return this.#isEstablished;
  }

  /** The two are manager and child. Who was away when the authority changed hears of it now. Idempotent. */
  establish(): void {
    if (this.#isEstablished) return;
    this.#isEstablished = true;
    if (this.isOutdated) this.tell(STEP.renew, {});
  }

  /** One step, answered by the neighbour itself. @throws {MetanodeError} what it refuses with; node.unreachable, call.deadline */
  request(type: string, data: unknown, timeoutMs: number = this.#means.times.stepMs): Promise<unknown> {
    return this.session.call(this.#message(type, data), { deadlineMs: this.#means.clock.now() + timeoutMs });
  }

  /** A step whose answer nobody waits for. What the other side thinks of it is its own affair. */
  tell(type: string, data: unknown): void {
    const deadlineMs = this.#means.clock.now() + this.#means.times.stepMs;
    this.session.call(this.#message(type, data), { deadlineMs }, CALL_MODE.cast).catch(() => undefined);
  }

  /** A step that is answered with a stream. */
  stream(type: string, data: unknown, limits: { deadlineMs: number; signal?: AbortSignal | undefined }): AsyncIterable<unknown> {
    return this.session.stream(this.#message(type, data), limits);
  }

  /** It is to end: what is under way on it still ends, and messages of users that were on their way are still taken. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /**
   * Ends it when nothing is under way any more, or when that takes too long. One that is silent ends now. With `notBeforeMs` the other
   * side has that long to end it first, and to send what it has yet to send.
   */
  retire(notBeforeMs = 0): void {
    if (this.#isRetiring) return;
    this.#isRetiring = true;
    const { clock, times } = this.#means;
    const untilMs = clock.now() + notBeforeMs + times.stepMs * RETIRING_STEPS;
    const look = (): void => {
      const isIdle = this.session.openCalls === 0 && this.session.incomingCalls === 0;
      const isSilent = clock.now() - this.session.heardMs > times.heartbeatMs * SILENT_BEATS;
      if (this.session.isClosed) return;
      if (isIdle || isSilent || clock.now() >= untilMs) {
        this.session.close();
        return;
      }
      // The pulse knows it no more.
      if (clock.now() - this.session.heardMs > times.heartbeatMs / 2) this.ping();
      clock.setTimer(RETIRING_LOOK_MS, look);
    };
    if (notBeforeMs > 0) clock.setTimer(notBeforeMs, look);
    else look();
  }

  ping(): void {
    this.session.ping().catch(() => undefined);
  }

  #message(type: string, data: unknown): Message {
    return createMessage({ type, data, id: this.#means.newId() }, `/nodes/${this.#means.identity.name}`);
  }
}

/** What a dialler shows. */
export interface Calling {
  readonly address: string;
  readonly trust?: Trust | Acquaintance | undefined;
  readonly purpose: Purpose;
  readonly secret: string;
}

/** Dials a node and greets it. @throws {MetanodeError} what it refuses with; node.unreachable */
export async function callOn(means: TreeMeans, calling: Calling, owner: LinkOwner): Promise<NodeLink> {
  const { id, name, version } = means.identity;
  const trust = await trustOf(means, calling);
  const { min, max } = means.transport.versions ?? PROTOCOL_VERSION;
  const { channel, greeting } = await greet(
    means.transport.dial(calling.address, trust),
    {
      versionMin: min,
      versionMax: max,
      secret: calling.secret,
      name,
      types: [],
      concurrency: LINK_CONCURRENCY,
      runtime: version,
      nodeId: id,
      purpose: calling.purpose,
    },
    { clock: means.clock, timeoutMs: means.times.stepMs },
  );
  const isUpward = calling.purpose !== "adopt" && calling.purpose !== "attach-parent";
  const peer: NodePeer = { id: greeting.nodeId ?? "", name: greeting.node, role: isUpward ? "parent" : "child" };
  const dialled = { address: calling.address, trust };
  return new NodeLink(channel, peer, { means, owner, concurrency: greeting.concurrency, dialled });
}

/** What is known of the node: from before, or by meeting it now. */
async function trustOf({ transport, times }: TreeMeans, { address, trust }: Calling): Promise<Trust | undefined> {
  if (trust === undefined || "bundle" in trust) return trust;
  if (transport.meet === undefined)
    throw coreError("call.unsupported", "this transport knows no certificates, and the token names one");
  return transport.meet(address, trust, times.stepMs);
}

/** The listening side's welcome. */
export function welcomeOf(means: TreeMeans): { concurrency: number; maxBatchBytes: number; node: string; nodeId: string } {
  const { id, name } = means.identity;
  return { concurrency: LINK_CONCURRENCY, maxBatchBytes: MAX_BATCH_BYTES, node: name, nodeId: id };
}
