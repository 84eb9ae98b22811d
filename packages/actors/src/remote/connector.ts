import type { Timer } from "@metanode/core/clock";
import { type ActorErrorCode, actorError } from "../errors.ts";
import { publishCore } from "../runtime/bus.ts";
import type { Tables } from "../runtime/tables.ts";
import { HANDSHAKE_MS, Handshake, type Hello, type Refusal, refusal } from "./handshake.ts";
import type { Link } from "./link.ts";
import type { NetworkSettings } from "./options.ts";
import { Peer, type PeerEvents, type SharedSide } from "./peer.ts";

/** How long a route may take to give its link. */
const DIAL_MS = 5_000;

/**
 * Finds, makes and ends connections.
 *
 *  C1. There is one peer per name. One that is connecting takes the first link over which both nodes agree, whoever dialled.
 *  C2. A node that comes while one of its name is connected is let in only if that one shows no sign of life.
 */
export class Connector {
  readonly #tables: Tables;
  readonly #settings: NetworkSettings;
  readonly #setup: { readonly side: SharedSide; readonly events: PeerEvents };
  readonly #peers = new Map<string, Peer>();
  readonly #greeting = new Set<Handshake>();
  #isClosed = false;

  constructor(tables: Tables, settings: NetworkSettings, setup: { readonly side: SharedSide; readonly events: PeerEvents }) {
    this.#tables = tables;
    this.#settings = settings;
    this.#setup = setup;
  }

  peers(): Peer[] {
    return [...this.#peers.values()];
  }

  /** @throws actor.no_connection */
  get(node: string): Peer {
    const peer = this.#peers.get(node);
    if (peer === undefined) throw actorError("actor.no_connection", `there is no connection to ${node}`);
    return peer;
  }

  /** The peer that something was asked of before. @throws actor.target_unknown */
  find(node: string, describe: () => string): Peer {
    const peer = this.#peers.get(node);
    if (peer === undefined) throw actorError("actor.target_unknown", describe());
    return peer;
  }

  /** The connection to a node, made on first use; a code if there is no way. */
  reach(node: string): Peer | ActorErrorCode {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    if (this.#isClosed) return "actor.node_terminated";
    let route: Link | Promise<Link> | undefined;
    try {
      route = this.#settings.resolve?.(node);
    } catch (error) {
      route = Promise.reject(error);
    }
    if (route === undefined) return "actor.no_route";
    const peer = this.#open(node);
    void this.#take(peer, route);
    return peer;
  }

  /** Connects to a node by its route. */
  async dial(node: string): Promise<string> {
    if (this.#tables.isHere(node)) throw actorError("actor.not_allowed", "a node does not connect with itself");
    const peer = this.reach(node);
    if (typeof peer === "string") throw actorError(peer, `the node cannot be reached: ${node}`);
    await peer.ready;
    return node;
  }

  /** Connects over a link that is there; gives the name of the node at its other end. */
  accept(link: Link): Promise<string> {
    if (this.#isClosed) {
      link.close();
      return Promise.reject(actorError("actor.node_terminated"));
    }
    return this.#greet(link, undefined);
  }

  /** Ends all connections. */
  close(): void {
    this.#isClosed = true;
    for (const handshake of [...this.#greeting]) handshake.cancel(actorError("actor.node_terminated"));
    for (const peer of this.peers()) peer.down();
  }

  #open(node: string): Peer {
    const { side, events } = this.#setup;
    const peer: Peer = new Peer(node, {
      tables: this.#tables,
      settings: this.#settings,
      side,
      events: {
        onFrame: events.onFrame,
        onDown: (down, reason) => {
          if (this.#peers.get(node) === down) this.#peers.delete(node);
          if (down.hello !== undefined) this.#told("node_disconnected", node, reason);
          else if (down.outbox.messages > 0) this.#report("undelivered", `mail to ${node} is lost`, reason);
          events.onDown(down, reason);
        },
      },
    });
    this.#peers.set(node, peer);
    return peer;
  }

  /** Brings `peer` up over the link of a route. */
  async #take(peer: Peer, route: Link | Promise<Link>): Promise<void> {
    let timer: Timer | undefined;
    let isLate = false;
    const late = new Promise<never>((_, reject) => {
      timer = this.#tables.clock.setTimer(DIAL_MS, () => {
        isLate = true;
        reject(actorError("actor.timeout", `the route to ${peer.node} gave no link within ${DIAL_MS} ms`));
      });
    });
    try {
      const link = Promise.resolve(route);
      link.then(
        (opened) => {
          if (isLate || peer.state === "down") opened.close();
        },
        () => undefined,
      );
      await this.#greet(await Promise.race([link, late]), peer);
    } catch (error) {
      if (peer.state === "connecting") peer.down(error as Error);
    } finally {
      timer?.cancel();
    }
  }

  /** Greets over a link. Resolves with the name of the node when both are connected, over this link or another one. */
  #greet(link: Link, expected: Peer | undefined): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const handshake = new Handshake(this.#tables, this.#settings, link, {
      admit: (hello, decides) => this.#admit(hello, decides, expected),
      isTaken: (hello) => this.#peers.get(hello.node)?.state === "up",
      onReady: (hello) => {
        this.#greeting.delete(handshake);
        this.#up(link, hello);
        resolve(hello.node);
      },
      onFailed: (error, isDuplicate, hello) => {
        this.#greeting.delete(handshake);
        if (isDuplicate && hello !== undefined) this.#await(hello.node).then(resolve, reject);
        else reject(error);
      },
    });
    this.#greeting.add(handshake);
    handshake.start();
    return promise;
  }

  #up(link: Link, hello: Hello): void {
    const known = this.#peers.get(hello.node);
    // The other side decided so: here, the old connection only looks alive.
    if (known?.state === "up") known.down(actorError("actor.no_connection", `node ${hello.node} connected anew`));
    const waiting = this.#peers.get(hello.node) ?? this.#open(hello.node);
    this.#told("node_connected", hello.node);
    waiting.up(link, hello);
  }

  /** The other link, over which both nodes are connected, is about to be heard of. */
  async #await(node: string): Promise<string> {
    const peer = this.#peers.get(node) ?? this.#open(node);
    const timer = this.#tables.clock.setTimer(HANDSHAKE_MS, () => {
      if (peer.state === "connecting") peer.down(actorError("actor.timeout", `the other link to ${node} did not come`));
    });
    try {
      await peer.ready;
      return node;
    } finally {
      timer.cancel();
    }
  }

  async #admit(hello: Hello, decides: boolean, expected: Peer | undefined): Promise<Refusal | undefined> {
    if (expected !== undefined && expected.node !== hello.node) {
      return refusal("actor.no_route", `the route to ${expected.node} leads to ${hello.node}`);
    }
    for (let known = this.#peers.get(hello.node); known?.state === "up"; known = this.#peers.get(hello.node)) {
      const isSame = known.hello?.creation === hello.creation;
      // Who has no last word leaves it to the other side, unless that side is another node.
      if (isSame && !decides) return undefined;
      if (await known.probe()) {
        return isSame
          ? refusal("actor.name_taken", `${hello.node} is connected by another link`, true)
          : refusal("actor.name_taken", `another node named ${hello.node} is connected`);
      }
      known.down(actorError("actor.timeout", `node ${hello.node} gave no sign of life when one of its name came`));
    }
    return this.#isClosed ? refusal("actor.node_terminated", "the kernel has stopped") : undefined;
  }

  /** Tells people and subscribers that a node has come or gone. */
  #told(kind: "node_connected" | "node_disconnected", node: string, error?: Error): void {
    if (kind === "node_connected") this.#report("node_up", `node ${node} is connected`);
    else this.#report("node_down", `node ${node} is lost`, error);
    publishCore(this.#tables, { kind, node });
  }

  #report(kind: "node_up" | "node_down" | "undelivered", text: string, error?: Error): void {
    this.#tables.report({ kind, pid: this.#tables.core, text, ...(error === undefined ? {} : { error }) });
  }
}
