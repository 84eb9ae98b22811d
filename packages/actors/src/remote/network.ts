import { actorError } from "../errors.ts";
import { type Address, type EventName, type PID, ProcessName, type Reason, Ref } from "../identity/index.ts";
import type { MessageEvent, Priority } from "../mailbox/index.ts";
import type { Behaviour } from "../process/behaviour.ts";
import { Pending, pendingOf } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import type { RelationKind } from "../relations/watch-list.ts";
import { undeliverable } from "../runtime/deliver.ts";
import type { FarAnswer, FarCall, FarSpawn, FarTarget, Network, Problem } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";
import { AccessTable } from "./access.ts";
import { askStart, type RemoteStartOptions, type Starting, startFor } from "./application-starts.ts";
import { ask } from "./ask.ts";
import { Connector } from "./connector.ts";
import { FRAME } from "./frames.ts";
import type { Link } from "./link.ts";
import type { NetworkSettings } from "./options.ts";
import type { NodeInfo, Peer } from "./peer.ts";
import { Receiver, type Receiving } from "./receiver.ts";
import { askSpawn, type Spawning, type StartFrame, spawnFor } from "./spawns.ts";

/** What other nodes may make use of here. */
type Parts = Pick<Spawning, "host"> & Pick<Starting, "startApplication">;

/**
 * What joins this node to others: the runtime's way to them, and theirs to the processes of this one. A node is reached by
 * the connection that stands, or one that is made on first use.
 */
export class RemoteNetwork implements Network, Receiving {
  readonly tables: Tables;
  readonly settings: NetworkSettings;
  readonly host: Parts["host"];
  readonly startApplication: Parts["startApplication"];
  readonly abroad = new Map<number, Pending>();
  /** What other nodes may spawn here. */
  readonly spawnable = new AccessTable<new () => Behaviour>("a spawn of");
  /** Which applications other nodes may start here. */
  readonly startable = new AccessTable<string>("a start of application");
  readonly #connector: Connector;
  readonly #receiver: Receiver;

  constructor(tables: Tables, settings: NetworkSettings, { host, startApplication }: Parts) {
    this.tables = tables;
    this.settings = settings;
    this.host = host;
    this.startApplication = startApplication;
    this.#receiver = new Receiver(this);
    this.#connector = new Connector(tables, settings, {
      side: {
        node: tables.node,
        creation: tables.creation,
        types: settings.types,
        now: () => tables.clock.now(),
        onRef: (ref) => this.#leaves(ref),
        ownPid: (id) => (id === tables.core.id ? tables.core : tables.processes.get(id)?.pid),
        ownRef: (id) => this.abroad.get(id)?.ref,
      },
      events: {
        onFrame: (peer, reader) => this.#receiver.frame(peer, reader),
        onDown: (peer, reason) => this.#fail(peer.node, reason),
      },
    });
  }

  /** Connects over a link, or to a node by its route; gives the name of the node. */
  connect(to: Link | string): Promise<string> {
    return typeof to === "string" ? this.#connector.dial(to) : this.#connector.accept(to);
  }

  /** @throws actor.no_connection */
  disconnect(node: string): void {
    this.#connector.get(node).down();
  }

  nodes(): NodeInfo[] {
    return this.#connector.peers().map((peer) => peer.info());
  }

  /** Ends all connections, in an orderly way. */
  close(): void {
    this.#connector.close();
  }

  send(from: PID, to: Address, message: unknown, priority: Priority): Problem | undefined {
    const peer = this.#toward(to as FarTarget);
    if (typeof peer === "string") return peer;
    const extras = this.tables.byPid(from)?.extras;
    const mail = { from, to: to as FarTarget, message, priority, compression: extras?.compression };
    if (extras?.isImportant !== true) return peer.sender.send({ ...mail, confirm: undefined });
    if (peer.hello?.flags.importantDelivery === false) return "actor.unsupported";
    return ask(this.tables, {
      to,
      waiter: this.tables.outside,
      settler: this.#reporting(`mail from ${from} to ${to} did not arrive`),
      write: (confirm) => peer.sender.send({ ...mail, confirm }),
    });
  }

  sendImportant(process: Process | undefined, to: Address, message: unknown, priority: Priority): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (problem: Problem): void => reject(undeliverable(problem, to));
      const peer = this.#toward(to as FarTarget);
      if (typeof peer === "string") return refuse(peer);
      if (peer.hello?.flags.importantDelivery === false) return refuse(unsupported(peer));
      const from = process?.pid ?? this.tables.core;
      const mail = { from, to: to as FarTarget, message, priority, compression: process?.extras?.compression };
      const problem = ask(this.tables, {
        to,
        waiter: process ?? this.tables.outside,
        settler: { resolve: () => resolve(), reject },
        write: (confirm) => peer.sender.send({ ...mail, confirm }),
      });
      if (problem !== undefined) refuse(problem);
    });
  }

  call(call: FarCall): Problem | undefined {
    const peer = this.#toward(call.to as FarTarget);
    if (typeof peer === "string") return peer;
    if (call.isImportant && peer.hello?.flags.importantDelivery === false) return unsupported(peer);
    return peer.sender.call(call, this.tables.byPid(call.from)?.extras?.compression);
  }

  respond({ to, ref, answer, waits, by }: FarAnswer): Promise<void> | undefined {
    const peer = this.#connector.reach(ref.node);
    if (typeof peer === "string") throw undeliverable(peer, to);
    if (peer.hello !== undefined && peer.hello.creation !== ref.creation) throw undeliverable("actor.incarnation", to);
    const compression = by?.extras?.compression;
    const isImportant = waits !== undefined || by?.extras?.isImportant === true;
    if (!isImportant) {
      const problem = peer.sender.answer({ to, ref, answer, confirm: undefined, compression });
      if (problem !== undefined) throw undeliverable(problem, to);
      Ref.bind(ref, undefined);
      return undefined;
    }
    if (peer.hello?.flags.importantDelivery === false) throw unsupported(peer);
    const arrived = Promise.withResolvers<void>();
    const problem = ask(this.tables, {
      to,
      waiter: waits ?? this.tables.outside,
      settler: waits === undefined ? this.#reporting(`an answer to ${to} did not arrive`) : (arrived as never),
      write: (confirm) => peer.sender.answer({ to, ref, answer, confirm, compression }),
    });
    if (problem !== undefined) throw undeliverable(problem, to);
    Ref.bind(ref, undefined);
    return waits === undefined ? undefined : arrived.promise;
  }

  /** Answers for a handler, which hears nothing any more: what goes wrong is told to the caller, or else to people. */
  readonly answer = (to: PID, ref: Ref, answer: { value: unknown } | { error: Error }): void => {
    const peer = this.#connector.reach(ref.node);
    let problem: Problem | undefined;
    if (typeof peer === "string") problem = peer;
    else {
      const reply = { to, ref, confirm: undefined, compression: undefined };
      problem = peer.sender.answer({ ...reply, answer });
      if (problem instanceof Error) peer.sender.answer({ ...reply, answer: { error: problem } });
    }
    if (problem === undefined) return;
    const error = undeliverable(problem, to);
    this.tables.report({ kind: "undelivered", pid: this.tables.core, text: `an answer to ${to} is lost`, error });
  };

  exit(from: PID, to: PID<never, never>, reason: Reason): Problem | undefined {
    const peer = this.#toward(to);
    return typeof peer === "string" ? peer : peer.sender.exit(from, to, reason);
  }

  async watch(consumer: Process, kind: RelationKind, to: FarTarget): Promise<void> {
    const peer = this.#toward(to);
    if (typeof peer === "string") throw undeliverable(peer, to as Address);
    await peer.watches.add(consumer, kind, to);
  }

  unwatch(consumer: Process, kind: RelationKind, to: FarTarget): void {
    this.#connector.find(to.node, () => `there is no ${kind} to ${to}`).watches.remove(consumer, kind, to);
  }

  async subscribe(consumer: Process, kind: RelationKind, event: EventName): Promise<MessageEvent[]> {
    const peer = this.#connector.reach(event.node);
    if (typeof peer === "string") throw undeliverable(peer, String(event));
    return peer.watches.add(consumer, kind, event);
  }

  unsubscribe(consumer: Process, kind: RelationKind, event: EventName): void {
    this.#connector.find(event.node, () => `there is no ${kind} to ${event}`).watches.remove(consumer, kind, event);
  }

  async watchNode(consumer: Process, kind: RelationKind, node: string): Promise<void> {
    const peer = this.#connector.reach(node);
    if (typeof peer === "string") throw undeliverable(peer, node);
    await peer.ready;
    if (peer.state !== "up") throw actorError("actor.no_connection", `the connection to ${node} was lost`);
    if (consumer.state === "terminated") return;
    peer.nodeWatchers.add(kind, consumer, node);
  }

  unwatchNode(consumer: Process, kind: RelationKind, node: string): void {
    this.#connector.find(node, () => `there is no ${kind} to node ${node}`).nodeWatchers.remove(kind, consumer, node);
  }

  async spawn(spawn: FarSpawn): Promise<PID> {
    const peer = this.#connector.reach(spawn.node);
    if (typeof peer === "string") throw undeliverable(peer, spawn.node);
    await peer.ready;
    return askSpawn(this, peer, spawn);
  }

  /** Starts an application on another node. */
  async remoteStart(node: string, name: string, options: RemoteStartOptions): Promise<void> {
    if (this.tables.isHere(node)) throw actorError("actor.not_allowed", "a remote start goes to another node");
    const peer = this.#connector.reach(node);
    if (typeof peer === "string") throw undeliverable(peer, node);
    await peer.ready;
    return askStart(this, peer, name, options);
  }

  start(peer: Peer, start: StartFrame): void {
    if (start.kind === FRAME.application) void startFor(this, peer, start);
    else spawnFor(this, peer, start, (watch) => this.#receiver.watcher(peer, watch));
  }

  /** The connection to the node of an address, made if need be. The address must be of the node's present life. */
  #toward(to: FarTarget): Peer | Exclude<Problem, Error> {
    const peer = this.#connector.reach(to.node);
    if (typeof peer === "string" || to instanceof ProcessName) return peer;
    return peer.hello !== undefined && peer.hello.creation !== to.creation ? "actor.incarnation" : peer;
  }

  /** The ref of a request leaves this node: its answer may come from any other. */
  #leaves(ref: Ref): void {
    if (ref.node !== this.tables.node) return;
    const pending = pendingOf(ref);
    if (pending instanceof Pending) pending.travel(this.abroad);
  }

  /** A node is lost: what was asked of it gets no answer. */
  #fail(node: string, reason: Error): void {
    for (const pending of [...this.abroad.values()]) {
      if (typeof pending.to !== "string" && pending.to.node === node) pending.fail(reason);
    }
  }

  #reporting(text: string): { resolve: () => void; reject: (error: unknown) => void } {
    return {
      resolve: () => undefined,
      reject: (error) => this.tables.report({ kind: "undelivered", pid: this.tables.core, text, error }),
    };
  }
}

function unsupported(peer: Peer): Error {
  return actorError("actor.unsupported", `node ${peer.node} does not say whether mail arrives`);
}
