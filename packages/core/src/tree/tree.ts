import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import { isOrder } from "../message/orders.ts";
import { Adoptions, type AdoptOptions, type Released, type ReleaseOptions } from "./adoption.ts";
import { Audit } from "./audit.ts";
import type { NodeCard } from "./card.ts";
import { Certificates } from "./certificates.ts";
import type { Child } from "./child.ts";
import { Children } from "./children.ts";
import { Door } from "./door.ts";
import { Enrolment } from "./enrolment.ts";
import { Entrance } from "./entrance.ts";
import { ForAll, type ForAllRequest } from "./for-all.ts";
import { Holds } from "./holds.ts";
import { type MaintenanceHooks, NodeMaintenance } from "./maintenance.ts";
import type { TreeMeans } from "./means.ts";
import { type LinkOwner, type NodeLink, STEP } from "./node-link.ts";
import { type Dial, Ownership } from "./ownership.ts";
import { CUT_BEATS, Pulse, SUSPECT_BEATS, type Watched } from "./pulse.ts";
import { Routes } from "./routes.ts";
import { Standby } from "./standby.ts";
import { Steps } from "./steps.ts";
import { formatToken, parseToken, TokenBook, type TokenOptions } from "./tokens.ts";
import { type UpgradeRequest, upgrade } from "./upgrade.ts";
import { Upward } from "./upward.ts";
import { type VisitAsk, Visitor } from "./visit.ts";
import { Ward } from "./ward.ts";

/*
 * A node in a tree of nodes. It knows its manager and its children, and nothing that lies beyond (M-06); all that it does with
 * them is in the rooms' other files, and here it is put together.
 *
 * D1. See `steps.ts`.
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
/** Changes within so many milliseconds are told to the manager together. */
const GATHER_MS = 5;

export class Tree {
  readonly means: TreeMeans;
  readonly children: Children;
  readonly tokens: TokenBook;
  readonly maintenance: NodeMaintenance;
  readonly standby: Standby;
  readonly ward: Ward;
  readonly audit: Audit;
  readonly maxInMaintenance: number | undefined;
  /** Upgrades the software of this node by the hook for it. @throws {MetanodeError} call.unsupported – in a container, or without a hook */
  readonly upgrade: (request: UpgradeRequest) => Promise<unknown>;
  readonly #upward: Upward;
  readonly #adoptions: Adoptions;
  readonly #holds: Holds;
  readonly #pulse: Pulse;
  readonly #visitor: Visitor;
  readonly #steps: Steps;
  readonly #door: Door;
  readonly #facts: NonNullable<TreeOptions["facts"]>;
  readonly #manages: boolean;
  readonly #certificates: Certificates;
  readonly #entrance: Entrance;
  /** Certificates of the links to manager and children. */
  readonly enrolment: Enrolment;
  readonly #running = new Map<string, ForAll>();
  #labels: Readonly<Record<string, string>>;
  #told = "";
  #isTelling = false;
  #isStopped = false;

  /** @throws {MetanodeError} log.storage – what is remembered of the tree is damaged */
  constructor(options: TreeOptions) {
    const { means, manages = true, facts = () => ({}) } = options;
    this.means = means;
    this.#facts = facts;
    this.#manages = manages;
    this.maxInMaintenance = options.maxInMaintenance;
    this.upgrade = (request) => upgrade(request, { hook: options.hooks?.upgrade, isContainer: options.isContainer });
    const records = means.store.load();
    this.#labels = (records.get(LABELS) as Record<string, string> | undefined) ?? options.labels ?? {};
    this.#certificates = new Certificates(means, records);
    this.#entrance = new Entrance(
      {
        means,
        certificates: this.#certificates,
        tls: options.tls ?? "auto",
        onChannel: (channel) => void this.#door.admit(channel),
        onRenew: () => this.enrolment.tellRenew(),
      },
      records,
    );
    this.#holds = new Holds(means.clock, means.times.stepMs);
    this.tokens = new TokenBook(means.store, records, means.clock);
    this.audit = new Audit(means.store, records, means.clock);
    const links: LinkOwner = {
      receive: (link, message, context) => this.#steps.receive(link, message, context),
      closed: (link, error) => this.#closed(link, error),
    };
    this.#upward = new Upward(
      {
        means,
        links,
        holds: this.#holds,
        card: () => this.card(),
        // Its place is asked for before the ward is made.
        rootName: () => (this.ward === undefined ? Ward.rootName(records) : this.ward.rootName) ?? means.identity.name,
        awakeMs: () => this.#pulse.awakeMs,
        onPlaced: () => {
          this.children.place();
          this.standby?.placed(); // it is made after this
        },
        onDialled: (link, dial) => void this.enrolment.enrol(link, dial),
      },
      records.get(Ownership.key),
    );
    this.children = new Children(
      {
        means,
        links,
        place: () => this.#upward.place,
        onChanged: () => this.changed(),
        onDialled: (link, dial) => void this.enrolment.enrol(link, dial),
        onUnfinished: (child) => void this.#adoptions.resume(child),
        onSettled: (child) => this.standby.settled(child),
        onRecord: (id, record) => {
          this.ward.changed(id, record);
          this.standby.changed(id, record);
        },
        onRefused: (error) => this.standby.refused(error),
        successorOf: (id) => this.standby.successorOf(id),
      },
      records,
    );
    this.enrolment = new Enrolment({
      certificates: this.#certificates,
      upward: this.#upward,
      children: this.children,
      report: (kind, text) => this.#report(kind, text),
    });
    this.#adoptions = new Adoptions({
      means,
      links,
      children: this.children,
      hold: (request) => this.#upward.hold(request),
      unhold: (operation) => this.#upward.unhold(operation),
    });
    this.ward = new Ward(
      {
        means,
        upward: this.#upward,
        children: this.children,
        reach: () => this.#entrance.reach(),
        onStands: () => this.standby.stands(),
        onTaken: () => this.standby.succeeds(),
      },
      records,
    );
    this.standby = new Standby(
      {
        means,
        upward: this.#upward,
        children: this.children,
        adoptions: this.#adoptions,
        ward: this.ward,
        wanted: options.standby,
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
    this.#steps = new Steps({
      means,
      certificates: this.#certificates,
      enrolment: this.enrolment,
      upward: this.#upward,
      children: this.children,
      adoptions: this.#adoptions,
      ward: this.ward,
      visitor: this.#visitor,
      needManager: () => this.#needManager(),
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
      ward: this.ward,
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
    return this.#entrance.address;
  }

  get manages(): boolean {
    return this.#manages;
  }

  /**
   * Listens for other nodes, if an address is given or one was found before, and takes up what was.
   * @throws {MetanodeError} node.port_in_use
   */
  async start(listen?: { address: string; advertise?: string | undefined }): Promise<void> {
    await this.#entrance.open(listen);
    this.#pulse.start();
    this.ward.start();
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
    await this.#entrance.close();
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
    const reach = await this.#entrance.reach();
    const { secret, info } = this.tokens.create(options);
    const { id, expiresMs } = info;
    const token = { address: reach.address, secret, purpose: options.purpose, fingerprint: reach.fingerprint };
    return { text: formatToken(token), id, expiresMs };
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

  /** Adopts a node that waits for approval, or ends a child's quarantine. @throws {MetanodeError} tree.not_managed, node.unreachable */
  async approve(idOrName: string, options: AdoptOptions = {}): Promise<Child> {
    this.#needManager();
    const child = this.children.need(idOrName);
    this.children.forgive(child);
    if (child.record.state !== "pending") return child;
    if (child.link === undefined) throw child.lostError();
    return this.#adoptions.adopt(child.link, options);
  }

  /**
   * Lets a child go.
   * @throws {MetanodeError} tree.not_managed, call.deadline – it has work left; node.unreachable; state.conflict – it is handed on just now
   */
  async release(idOrName: string, options: ReleaseOptions = {}): Promise<Released> {
    if (options.force !== true) this.standby.needPlace();
    return this.#adoptions.release(this.children.need(idOrName), options);
  }

  /** Hands a child, with all that is below it, on to the node that made a token of purpose `join`. */
  async transfer(idOrName: string, to: { id: string; token: string }): Promise<Released> {
    this.standby.needPlace();
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

  #closed(link: NodeLink, error?: MetanodeError): void {
    if (link.peer.role === "parent") this.#upward.closed(link, error);
    else this.children.closed(link, error);
  }

  #managed(): Child[] {
    return this.children.list().filter(({ record }) => record.epoch > 0);
  }

  #needManager(): void {
    if (!this.#manages) throw coreError("call.unsupported", `${this.means.identity.name} manages no nodes`);
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
