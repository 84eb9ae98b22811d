import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import { CALL_MODE } from "../link/frames.ts";
import type { LinkServer } from "../link/grpc.ts";
import type { IncomingContext } from "../link/incoming.ts";
import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";
import { flowsDown, isOrder } from "../message/orders.ts";
import type { Authority } from "../trust/authority.ts";
import { Adoptions, type AdoptOptions, type Released, type ReleaseOptions } from "./adoption.ts";
import { Audit } from "./audit.ts";
import type { NodeCard } from "./card.ts";
import { Certificates } from "./certificates.ts";
import type { Child } from "./child.ts";
import { Children } from "./children.ts";
import { Door } from "./door.ts";
import { ForAll, type ForAllRequest } from "./for-all.ts";
import { type HoldRequest, Holds } from "./holds.ts";
import { type MaintenanceHooks, NodeMaintenance } from "./maintenance.ts";
import type { TreeMeans } from "./means.ts";
import { type LinkOwner, type NodeLink, STEP, STEP_PREFIX } from "./node-link.ts";
import { type Dial, Ownership } from "./ownership.ts";
import { CUT_BEATS, Pulse, SUSPECT_BEATS, type Watched } from "./pulse.ts";
import { Routes } from "./routes.ts";
import { Standby, type StandStep, type WardStep } from "./standby.ts";
import { formatToken, parseToken, TokenBook, type TokenOptions } from "./tokens.ts";
import { type UpgradeRequest, upgrade } from "./upgrade.ts";
import { type AdoptStep, type AttachStep, type MovedStep, type SuccessorStep, type TransferStep, Upward } from "./upward.ts";
import { type VisitAsk, Visitor } from "./visit.ts";

/*
 * A node in a tree of nodes. It knows its manager and its children, and nothing that lies beyond (M-06); all that it does with
 * them is in the rooms' other files, and here it is put together.
 *
 * T1. Orders flow down: a child cannot send its manager any, and no work of the platform, only messages of users.
 * T2. Nothing that the tree loses stops the node: its own work goes on without a manager and without children.
 */

export interface TreeOptions {
  readonly means: TreeMeans;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of the host, and whatever selectors are to go by. */
  readonly facts?: () => Readonly<Record<string, string | number>>;
  /** Certificates on links: always, never, or where others than this machine can dial. @default "auto" */
  readonly tls?: "auto" | boolean;
  /** Whether it may adopt. @default true */
  readonly manages?: boolean;
  readonly hooks?: MaintenanceHooks;
  /** Whether it runs in a container, where it does not upgrade itself. @default what the host shows */
  readonly isContainer?: boolean;
  /** The name of the child that is to take this node's place when it is lost. */
  readonly standby?: string;
  /** Children that may be in maintenance at a time. @default half of them, at least one */
  readonly maxInMaintenance?: number;
  /** Messages that are being handled on this node, orders left out. */
  readonly inFlight?: () => number;
}

const LABELS = "labels";
const LISTENS = "listens";
/** Where a node listens that was told nothing, from its first token on: for one machine. */
const ANY_PORT = "127.0.0.1:0";
/** Changes within so many milliseconds are told to the manager together. */
const GATHER_MS = 5;

export class Tree {
  readonly means: TreeMeans;
  readonly children: Children;
  readonly tokens: TokenBook;
  readonly maintenance: NodeMaintenance;
  readonly standby: Standby;
  readonly audit: Audit;
  readonly maxInMaintenance: number | undefined;
  /** Upgrades the software of this node by the hook for it. @throws {MetanodeError} call.unsupported – in a container, or without a hook */
  readonly upgrade: (request: UpgradeRequest) => Promise<unknown>;
  readonly #upward: Upward;
  readonly #adoptions: Adoptions;
  readonly #holds: Holds;
  readonly #pulse: Pulse;
  readonly #visitor: Visitor;
  readonly #door: Door;
  readonly #facts: NonNullable<TreeOptions["facts"]>;
  readonly #manages: boolean;
  readonly #tls: "auto" | boolean;
  readonly #certificates: Certificates;
  readonly #running = new Map<string, ForAll>();
  #labels: Readonly<Record<string, string>>;
  #server: LinkServer | undefined;
  #opening: Promise<void> | undefined;
  #advertised: string | undefined;
  /** The address that was found when the first token was made; kept, because children dial it again. */
  #found: string | undefined;
  #told = "";
  #isTelling = false;
  #isStopped = false;

  /** @throws {MetanodeError} log.storage – what is remembered of the tree is damaged */
  constructor(options: TreeOptions) {
    const { means, manages = true, facts = () => ({}) } = options;
    this.means = means;
    this.#facts = facts;
    this.#manages = manages;
    this.#tls = options.tls ?? "auto";
    this.maxInMaintenance = options.maxInMaintenance;
    this.upgrade = (request) => upgrade(request, { hook: options.hooks?.upgrade, isContainer: options.isContainer });
    const records = means.store.load();
    this.#labels = (records.get(LABELS) as Record<string, string> | undefined) ?? options.labels ?? {};
    this.#certificates = new Certificates(means, records);
    this.#found = records.get(LISTENS) as string | undefined;
    this.#holds = new Holds(means.clock, means.times.stepMs);
    this.tokens = new TokenBook(means.store, records, means.clock);
    this.audit = new Audit(means.store, records, means.clock);
    const links: LinkOwner = {
      receive: (link, message, context) => this.#receive(link, message, context),
      closed: (link, error) => this.#closed(link, error),
    };
    this.#upward = new Upward(
      {
        means,
        links,
        holds: this.#holds,
        card: () => this.card(),
        // Its place is known before the standby is made.
        rootName: () => (this.standby === undefined ? Standby.rootName(records) : this.standby.rootName) ?? means.identity.name,
        awakeMs: () => this.#pulse.awakeMs,
        onPlaced: () => this.children.place(),
        onDialled: (link, dial) => void this.#enrol(link, dial),
      },
      records.get(Ownership.key),
    );
    this.children = new Children(
      {
        means,
        links,
        place: () => this.#upward.place,
        onChanged: () => this.changed(),
        onDialled: (link, dial) => void this.#enrol(link, dial),
        onUnfinished: (child) => void this.#adoptions.resume(child),
        onSettled: (child) => this.standby.settled(child),
        onRecord: (id, record) => this.standby.changed(id, record),
        onRefused: (error) => this.standby.refused(error),
        successorOf: (id) => this.standby.successorOf(id),
      },
      records,
    );
    this.#adoptions = new Adoptions({
      means,
      links,
      children: this.children,
      hold: (request) => this.#hold(request),
      unhold: (operation) => this.#unhold(operation),
    });
    this.standby = new Standby(
      {
        means,
        upward: this.#upward,
        children: this.children,
        adoptions: this.#adoptions,
        wanted: options.standby,
        reach: () => this.#reach(),
      },
      records,
    );
    this.maintenance = new NodeMaintenance(
      {
        clock: means.clock,
        store: means.store,
        router: means.router,
        hooks: options.hooks ?? {},
        inFlight: options.inFlight ?? (() => 0),
        onChange: (text, isOverdue) => this.#maintained(text, isOverdue),
      },
      records.get(NodeMaintenance.key),
    );
    this.#visitor = new Visitor({
      card: () => this.card(),
      children: () => this.#managed(),
      handle: (ask, context) => this.#handle(ask, context),
      now: () => means.clock.now(),
    });
    this.#door = new Door({
      means,
      links,
      manages,
      tokens: this.tokens,
      children: this.children,
      adoptions: this.#adoptions,
      upward: this.#upward,
      certificates: this.#certificates,
      standby: this.standby,
    });
    this.#pulse = new Pulse(means, () => this.#watched());
    means.router.forwardBy(
      new Routes({ means, upward: this.#upward, children: this.children, find: (id, context) => this.#find(id, context) }),
    );
    means.router.onRoutes(() => this.changed());
  }

  get id(): string {
    return this.means.identity.id;
  }

  /** Where it stands, as far as it knows: `/name` without a manager. */
  get path(): string {
    return this.#upward.place.path;
  }

  get upward(): Upward {
    return this.#upward;
  }

  /** Where other nodes can dial it. */
  get address(): string | undefined {
    return this.#advertised;
  }

  get manages(): boolean {
    return this.#manages;
  }

  /**
   * Listens for other nodes, if an address is given or one was found before, and takes up what was.
   * @throws {MetanodeError} node.port_in_use
   */
  async start(listen?: { address: string; advertise?: string | undefined }): Promise<void> {
    if (listen !== undefined) await this.#listen(listen.address, listen.advertise);
    else if (this.#found !== undefined) await this.#listen(this.#found);
    this.#pulse.start();
    this.standby.start();
    this.#upward.start();
    this.children.start();
  }

  /** Ends every link. Nothing is released: after the next start all is as it was. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pulse.stop();
    this.maintenance.stop();
    for (const run of this.#running.values()) run.cancel();
    this.standby.stop();
    this.#upward.stop();
    this.children.stop();
    this.#certificates.close();
    await this.#server?.close();
  }

  /** What this node says of itself. */
  card(): NodeCard {
    const { identity, router } = this.means;
    const below = new Set<string>();
    let size = 0;
    for (const { record } of this.children.list()) {
      if (record.epoch === 0 || record.card === undefined) continue;
      for (const type of [...record.card.types, ...record.card.below]) below.add(type);
      size += record.card.size + 1;
    }
    const types = router.routes().filter(({ type }) => !isOrder(type));
    const maintenance = this.maintenance?.node;
    return {
      ...identity,
      path: this.path,
      labels: this.#labels,
      types: types.map(({ type, version }) => `${type}@${version}`),
      below: [...below].sort(),
      size,
      facts: this.#facts(),
      ...(maintenance === undefined ? {} : { maintenance }),
    };
  }

  /** Replaces its labels. */
  setLabels(labels: Readonly<Record<string, string>>): void {
    this.means.store.put(LABELS, labels);
    this.#labels = labels;
    this.changed();
  }

  /** Makes a token with which another node can come. A node that does not listen yet begins to, on this machine only. */
  async token(options: TokenOptions): Promise<{ text: string; id: string; expiresMs: number }> {
    const reach = await this.#reach();
    const { secret, info } = this.tokens.create(options);
    const { id, expiresMs } = info;
    const token = { address: reach.address, secret, purpose: options.purpose, fingerprint: reach.fingerprint };
    return { text: formatToken(token), id, expiresMs };
  }

  /** Where others reach this node, which begins to listen on this machine if it does not yet. */
  async #reach(): Promise<{ address: string; fingerprint: string | undefined }> {
    if (this.#advertised === undefined) {
      this.#opening ??= this.#listen(ANY_PORT);
      await this.#opening;
      this.#found = this.#advertised;
      this.means.store.put(LISTENS, this.#found);
    }
    return { address: this.#advertised ?? "", fingerprint: this.#certificates.authority?.fingerprint };
  }

  /** Asks the node that made a token of purpose `join` to adopt this one; `at` is its address, where the token has another. */
  join(token: string, at?: string): void {
    const { address, secret, purpose, fingerprint } = parseToken(token);
    if (purpose !== "join") throw coreError("auth.unauthenticated", "the token lets its bearer adopt the node, not join it");
    this.#upward.join({ dial: dialOf(at ?? address, fingerprint), secret });
  }

  /** Asks a node to adopt this one, without a token: it waits for approval there. */
  offer(address: string): void {
    this.#upward.join({ dial: { address }, secret: "" });
  }

  /**
   * Adopts the node that made a token of purpose `adopt`.
   * @throws {MetanodeError} tree.cycle, tree.already_managed, auth.unauthenticated, node.unreachable, state.conflict – its name is taken
   */
  async adopt(token: string, options: AdoptOptions = {}): Promise<Child> {
    this.#needManager();
    const { address, secret, purpose, fingerprint } = parseToken(token);
    if (purpose !== "adopt") throw coreError("auth.unauthenticated", "the token lets its bearer join the node, not adopt it");
    return this.#adoptions.dial(dialOf(address, fingerprint), secret, options);
  }

  /** Adopts a node that waits for approval. @throws {MetanodeError} tree.not_managed, node.unreachable */
  async approve(idOrName: string, options: AdoptOptions = {}): Promise<Child> {
    this.#needManager();
    const child = this.children.need(idOrName);
    if (child.record.state !== "pending") return child;
    if (child.link === undefined) throw child.lostError();
    return this.#adoptions.adopt(child.link, options);
  }

  /** Lets a child go. @throws {MetanodeError} tree.not_managed, call.deadline – it has work left; node.unreachable */
  release(idOrName: string, options: ReleaseOptions = {}): Promise<Released> {
    return this.#adoptions.release(this.children.need(idOrName), options);
  }

  /** Hands a child, with all that is below it, on to the node that made a token of purpose `join`. */
  transfer(idOrName: string, to: { id: string; token: string }): Promise<Released> {
    const { address, secret, fingerprint } = parseToken(to.token);
    const dial = dialOf(address, fingerprint);
    return this.#adoptions.transfer(this.children.need(idOrName), { id: to.id, dial, secret });
  }

  /** Sends a message to every node of this subtree that is meant. @throws {MetanodeError} message.invalid, config.invalid */
  all(request: ForAllRequest, deadlineMs?: number): ForAll {
    const { clock, newId } = this.means;
    const parts = {
      clock,
      newId,
      visit: (ask: VisitAsk, context: CallContext) => this.#visitor.visit(ask, context),
      onEnd: ({ operation }: ForAll) => void this.#running.delete(operation),
    };
    const run = new ForAll(request, parts, deadlineMs);
    this.#running.set(run.operation, run);
    return run;
  }

  /** A for-all that runs now. @throws {MetanodeError} resource.not_found */
  running(operation: string): ForAll {
    const run = this.#running.get(operation);
    if (run === undefined) throw coreError("resource.not_found", `no for-all ${operation} runs now`);
    return run;
  }

  /** Something that the manager goes by has changed. */
  changed(): void {
    if (this.#isTelling || this.#isStopped) return;
    this.#isTelling = true;
    this.means.clock.setTimer(GATHER_MS, () => {
      this.#isTelling = false;
      this.#tell();
    });
  }

  #receive(link: NodeLink, message: Message, context: IncomingContext): unknown {
    if (message.type.startsWith(STEP_PREFIX)) return this.#step(link, message, context);
    this.#mayOrder(link, message);
    const { router } = this.means;
    const options = { signal: context.signal };
    switch (context.mode) {
      case CALL_MODE.stream:
        return router.stream(message, options);
      case CALL_MODE.cast:
        router.cast(message);
        return undefined;
      case CALL_MODE.send:
        return router.send(message);
      default:
        return router.call(message, options);
    }
  }

  #closed(link: NodeLink, error?: MetanodeError): void {
    if (link.peer.role === "parent") this.#upward.closed(link, error);
    else this.children.closed(link);
  }

  async #listen(address: string, advertise?: string): Promise<void> {
    const { transport } = this.means;
    const needsTls = this.#tls === "auto" ? (transport.requiresTls?.(address) ?? false) : this.#tls;
    const tls = needsTls ? await this.#certificates.open() : undefined;
    tls?.onChange(() => this.#tellRenew());
    this.#server = await transport.listen(address, (channel) => void this.#door.admit(channel), tls);
    this.#advertised = advertise ?? this.#server.address;
  }

  /** Begins with a new authority; whoever has dialled this node gets a new certificate over its link, and no link ends. */
  async rotateAuthority(): Promise<void> {
    await this.#needAuthority().rotate();
  }

  /** Trusts the newest authority alone: a node that has not been here since the last rotation has to come with a token. */
  retireAuthority(): void {
    this.#needAuthority().retire();
  }

  #needAuthority(): Authority {
    const { authority } = this.#certificates;
    if (authority !== undefined) return authority;
    throw coreError("call.unsupported", "this node has plain links, so there is no authority");
  }

  /** Everybody who has dialled this node is to get a certificate of the authority that signs now. */
  #tellRenew(): void {
    for (const { link, record } of this.children.list()) if (record.dial === undefined) link?.tell(STEP.renew, {});
    const { link, ownership } = this.#upward;
    if (link !== undefined && ownership.owner?.dial === undefined) link.tell(STEP.renew, {});
  }

  /** Gets a certificate for a link that was dialled from here, and keeps it. What fails is tried again with the next link. */
  async #enrol(link: NodeLink, dial: Dial, isForced = false): Promise<void> {
    try {
      const next = await this.#certificates.enrol(link, dial, isForced);
      if (next === undefined) return;
      if (link.peer.role === "parent") this.#upward.ownership.setDial(next);
      else {
        const child = this.children.get(link.peer.id);
        if (child !== undefined) this.children.put({ ...child.record, dial: next });
      }
      this.#report("enrolled", `got a certificate of ${link.peer.name}`);
    } catch (error) {
      this.#report("refused", `no certificate came from ${link.peer.name}: ${(error as Error).message}`);
    }
  }

  /** The node at the other end wants this one to come for a new certificate. */
  async #renew(link: NodeLink): Promise<void> {
    const isParent = link.peer.role === "parent";
    const dial = isParent ? this.#upward.ownership.owner?.dial : this.children.get(link.peer.id)?.record.dial;
    if (dial !== undefined) await this.#enrol(link, dial, true);
  }

  #managed(): Child[] {
    return this.children.list().filter(({ record }) => record.epoch > 0);
  }

  #needManager(): void {
    if (!this.#manages) throw coreError("call.unsupported", `${this.means.identity.name} manages no nodes`);
  }

  /** @throws {MetanodeError} auth.denied, tree.stale_epoch */
  #mayOrder(link: NodeLink, message: Message): void {
    const isEnding = link.isRetiring && link.isEstablished;
    if (link.peer.role === "parent") {
      if (link === this.#upward.link || (isEnding && !isOrder(message.type))) return;
      throw coreError("tree.stale_epoch", "the link is not that of the present manager", {
        details: { epoch: this.#upward.ownership.epoch },
      });
    }
    const child = this.children.get(link.peer.id);
    const isKnown = child?.link === link && child.record.epoch > 0;
    if (!isKnown && !isEnding) throw coreError("auth.denied", "the node is not adopted yet");
    if (flowsDown(message.type)) {
      throw coreError("auth.denied", `a child may not send its manager ${message.type}; orders flow down the tree`);
    }
  }

  #step(link: NodeLink, { type, data }: Message, context: IncomingContext): unknown {
    if (type === STEP.enrol) return this.#certificates.issue(link, data as { publicKey: string });
    if (type === STEP.renew) return this.#renew(link);
    if (link.peer.role === "parent") {
      switch (type) {
        case STEP.attach:
          return this.#upward.attach(link, data as AttachStep);
        case STEP.adopt:
          return this.#upward.adopt(link, data as AdoptStep);
        case STEP.release:
          this.#upward.release(link, data as { epoch: number });
          return {};
        case STEP.transfer:
          return this.#upward.transfer(link, data as TransferStep);
        case STEP.place:
          this.#upward.placed(link, data as AttachStep);
          return {};
        case STEP.successor:
          this.#upward.succeededBy(link, data as SuccessorStep);
          return {};
        case STEP.stand:
          this.#needManager();
          return this.standby.stand(link, data as StandStep);
        case STEP.ward:
          this.standby.told(link, data as WardStep);
          return {};
        case STEP.visit:
          this.#mayOrder(link, { type } as Message);
          return this.#visitor.visit(data as VisitAsk, context);
        default:
      }
    } else {
      const child = this.children.get(link.peer.id);
      if (child?.link !== link) throw coreError("tree.not_managed", "the link is not the child's present one");
      switch (type) {
        case STEP.changed:
          this.children.learn(child, data as NodeCard);
          return {};
        case STEP.moved:
          this.#adoptions.moved(link, data as MovedStep);
          return {};
        case STEP.hold:
          return this.#hold(data as HoldRequest);
        case STEP.unhold:
          this.#unhold((data as { operation: string }).operation);
          return {};
        default:
      }
    }
    throw coreError("message.unknown_type", `a ${link.peer.role} sends no ${type}`);
  }

  /** Up to the root (see `holds.ts`). */
  async #hold(request: HoldRequest): Promise<void> {
    if (request.adoptee === this.id)
      throw coreError("tree.cycle", `${this.means.identity.name} is an ancestor of the node that would adopt it`);
    const state = this.#upward.state;
    if (state === "free" || state === "offered") return this.#holds.take(request);
    const { link } = this.#upward;
    if (link === undefined) {
      throw coreError(
        "node.unreachable",
        `${this.path} has lost its manager, so nobody can say whether the adoption closes a cycle; try again`,
      );
    }
    await link.request(STEP.hold, request);
  }

  #unhold(operation: string): void {
    this.#holds.drop(operation);
    this.#upward.link?.tell(STEP.unhold, { operation });
  }

  *#watched(): Generator<Watched> {
    yield* this.children.watched();
    const { link } = this.#upward;
    if (link === undefined) return;
    // The manager pings; silence ends the link, and the lease begins to run.
    yield { link, isPinged: false, onBeats: (beats) => this.#onSilence(beats) };
  }

  #onSilence(beats: number): void {
    if (beats === SUSPECT_BEATS) this.#report("suspect", `its manager is silent; the link is cut after ${CUT_BEATS} beats`);
  }

  #tell(): void {
    const { link } = this.#upward;
    if (link === undefined || this.#isStopped) return;
    const card = this.card();
    const text = JSON.stringify(card);
    if (text === this.#told) return;
    this.#told = text;
    link.tell(STEP.changed, card);
  }

  #maintained(text: string, isOverdue: boolean): void {
    this.#report(isOverdue ? "overdue" : "maintenance", text);
    this.changed();
  }

  #report(kind: "maintenance" | "overdue" | "suspect" | "enrolled" | "refused", text: string): void {
    this.means.report({ kind, node: this.id, path: this.path, epoch: this.#upward.ownership.epoch, text });
  }

  /** Handles what a visit asks of this node. */
  async #handle(ask: VisitAsk, context: CallContext): Promise<unknown> {
    const { router, clock } = this.means;
    const { type, version, data, operation, caller, traceparent } = ask;
    return router.call(
      {
        type,
        ...(version === undefined ? {} : { typeversion: version }),
        ...(data === undefined ? {} : { data }),
        ...(traceparent === undefined ? {} : { traceparent }),
        id: `${operation}.${this.id}`,
        idempotencykey: operation,
        ...(caller === undefined ? {} : { extensions: { caller } }),
      },
      { timeoutMs: Math.max(1, context.deadlineMs - clock.now()), ...(context.signal ? { signal: context.signal } : {}) },
    );
  }

  async #find(id: string, context: CallContext): Promise<string | undefined> {
    const { clock } = this.means;
    const request: ForAllRequest = {
      type: "metanode.tree.find",
      where: `id="${id}"`,
      dryRun: true,
      includeMaintenance: true,
      timeoutMs: Math.max(1, context.deadlineMs - clock.now()),
    };
    try {
      const { targets = [] } = await this.all(request).result(context.signal);
      return targets[0]?.path;
    } catch (error) {
      if (codeOf(error) === "call.cancelled") throw error;
      return undefined;
    }
  }
}

function dialOf(address: string, fingerprint: string | undefined): Dial {
  return { address, ...(fingerprint === undefined ? {} : { trust: { fingerprint } }) };
}
