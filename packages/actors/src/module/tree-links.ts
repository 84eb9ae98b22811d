import { randomUUID } from "node:crypto";
import { coreError, handlerMember, type Message, type ModuleHost } from "@metanode/core";
import { codeOf, ownCard } from "@metanode/core/internal";
import { actorError } from "../errors.ts";
import type { Link } from "../remote/link.ts";
import { RoutedLink, type Step } from "../remote/routed-link.ts";

/** The type of the messages that carry links between kernels. */
const LINK = "metanode.actors.link";
/** Longest wait for a step to come to the other node. Nodes that move are looked for meanwhile. */
const STEP_MS = 10_000;
/** Longest wait for the other node to hear of an end. */
const FAREWELL_MS = 1_000;
/** Of a payload, what the kernels' own framing leaves. */
const BATCH_SHARE = 0.75;

/** What links stand on. */
export interface TreeLinksParts {
  readonly router: ModuleHost["router"];
  readonly maxMessageBytes: number;
  /** Takes a link that another node dialled; absent = nobody may. */
  readonly accept: ((link: Link) => Promise<unknown>) | undefined;
  /** A link did not become a connection. */
  readonly onRefused: (error: unknown) => void;
}

/**
 * Links to the kernels of other nodes, as messages on the ways of the tree: over its links, with their certificates or over NATS,
 * to any node of it, and after one that moves.
 *
 * T1. A link is a number that nobody can guess, known to the two nodes and to those between them.
 * T2. Both ends send by the other node's id, which stays when it moves; a link ends with the first step that does not come.
 */
export class TreeLinks {
  readonly #parts: TreeLinksParts;
  readonly #links = new Map<string, RoutedLink>();
  readonly #farewells = new Set<Promise<unknown>>();
  readonly #route: { remove(): void };

  constructor(parts: TreeLinksParts) {
    this.#parts = parts;
    const member = handlerMember("actors-link", (message) => this.#take(message));
    this.#route = parts.router.register({ type: LINK, member, description: "Carries mail between actors of two nodes." });
  }

  /**
   * A link to the kernel of another node, named by its path or its id.
   * @throws actor.no_route – this node is in no tree, or the other one is not found or has no actors; node.unreachable, call.deadline
   */
  async dial(target: string): Promise<Link> {
    const own = await this.#ownId();
    if (own === target) throw actorError("actor.not_allowed", "a node does not connect with itself");
    const id = randomUUID();
    let peer = target;
    const link = this.#open(id, () => peer);
    try {
      peer = (await this.#send(target, { link: id, step: "open", node: own }, null, STEP_MS)) as string;
    } catch (error) {
      link.ended(error as Error);
      const isNoWay = codeOf(error) === "resource.not_found" || codeOf(error) === "message.unknown_type";
      throw isNoWay ? actorError("actor.no_route", `there is no way to the actors of ${target}`, { cause: error }) : error;
    }
    return link;
  }

  /** Ends all links and takes no more. Resolves when the other ends have heard of it, or will not. */
  async close(): Promise<void> {
    this.#route.remove();
    for (const link of this.#links.values()) link.close();
    await Promise.allSettled(this.#farewells);
  }

  #open(id: string, peer: () => string): RoutedLink {
    const link = new RoutedLink({
      maxBatchBytes: Math.floor(this.#parts.maxMessageBytes * BATCH_SHARE),
      carry: (sequence, step) => {
        const attributes = { link: id, step: step.kind, sequence: String(sequence) };
        if (step.kind === "batch") return this.#send(peer(), attributes, step.bytes, STEP_MS);
        const farewell = this.#send(peer(), attributes, step.reason, FAREWELL_MS);
        this.#farewells.add(farewell);
        const forget = (): boolean => this.#farewells.delete(farewell);
        farewell.then(forget, forget);
        return farewell;
      },
      onEnded: () => this.#links.delete(id),
    });
    this.#links.set(id, link);
    return link;
  }

  #send(target: string, attributes: Record<string, string>, data: unknown, timeoutMs: number): Promise<unknown> {
    const { router } = this.#parts;
    return router.call({ type: LINK, data, extensions: { target, ...attributes } }, { timeoutMs });
  }

  async #take({ data, extensions = {} }: Message): Promise<unknown> {
    const { link: id, step, sequence, node } = extensions;
    if (typeof id !== "string") throw coreError("message.invalid", `${LINK} without the attribute link`);
    if (step === "open") return this.#answer(id, String(node));
    const link = this.#links.get(id);
    if (link === undefined)
      throw coreError("resource.not_found", "this node knows nothing of the link; it has ended, or the node was restarted");
    link.receive(Number(sequence), readStep(step, data));
    return null;
  }

  /** Another node dials; it is told the id by which it finds this one wherever it goes. */
  async #answer(id: string, node: string): Promise<string> {
    const { accept, onRefused } = this.#parts;
    if (accept === undefined) throw coreError("auth.denied", "this node lets in no actors of others; set actors.acceptNodes");
    const own = await this.#ownId();
    accept(this.#open(id, () => node)).catch(onRefused);
    return own;
  }

  async #ownId(): Promise<string> {
    const card = await ownCard(this.#parts.router);
    if (card !== undefined) return card.id;
    throw actorError("actor.no_route", "this node is in no tree: it needs the module of @metanode/core/tree");
  }
}

/** @throws message.invalid */
function readStep(step: unknown, data: unknown): Step {
  if (step === "end") return { kind: "end", reason: String(data) };
  if (step === "batch" && data instanceof Uint8Array) return { kind: "batch", bytes: data };
  throw coreError("message.invalid", `${LINK} is ${String(step)}, expected a batch of bytes, or the end`);
}
