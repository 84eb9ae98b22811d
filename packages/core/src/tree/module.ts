import { randomUUID } from "node:crypto";
import { arch, availableParallelism, hostname, platform, totalmem } from "node:os";
import { join } from "node:path";
import type { Registry } from "prom-client";
import { coreError } from "../errors.ts";
import { hostId } from "../node/host-id.ts";
import { Gauge } from "../node/metrics.ts";
import type { ModuleHealth, ModuleHost, NodeModule } from "../node/module.ts";
import { intWithin, rejectUnknownKeys } from "../options.ts";
import type { Registration } from "../router/router.ts";
import type { MaintenanceHooks } from "./maintenance.ts";
import { DEFAULT_TIMES, type NodeTransport, type TreeEvent, type TreeTimes } from "./means.ts";
import { createMemoryTreeStore, openFileTreeStore } from "./store.ts";
import { grpcTransport, withNats } from "./transports.ts";
import { Tree } from "./tree.ts";
import { registerVerbs } from "./verbs.ts";

export interface TreeModuleOptions extends Partial<TreeTimes> {
  /** Where to listen for other nodes: `host:port`, or `nats:<name>` with `nats`. @default from the first token on, any free port of this machine's loopback */
  listen?: string;
  /** Certificates on links: always, never, or where others than this machine can dial. @default "auto" */
  tls?: "auto" | boolean;
  /** The address that other nodes dial, where it is not the one it listens on. */
  advertise?: string;
  /** A token of the node that is to adopt this one. */
  join?: string;
  /** The address of that node, where it is not the one in the token; without a token, somebody has to approve there. */
  address?: string;
  labels?: Readonly<Record<string, string>>;
  facts?: () => Readonly<Record<string, string | number>>;
  /** Of the software on this node, for selectors. @default "0" */
  version?: string;
  /** Whether it adopts others. @default true */
  manages?: boolean;
  /** The name of the child that is to take this node's place when it is lost. */
  standby?: string;
  hooks?: MaintenanceHooks;
  /** Whether the node runs in a container, where it does not upgrade itself. @default what the host shows */
  isContainer?: boolean;
  maxInMaintenance?: number;
  /** Servers of NATS, for addresses of the form `nats:<name>`: nodes that cannot dial each other meet there. */
  nats?: string | readonly string[];
  /** @default gRPC, and NATS where `nats` is given */
  transport?: NodeTransport;
}

const KEYS = [
  "listen",
  "advertise",
  "tls",
  "join",
  "address",
  "labels",
  "facts",
  "version",
  "manages",
  "standby",
  "hooks",
  "isContainer",
  "maxInMaintenance",
  "nats",
  "transport",
  ...Object.keys(DEFAULT_TIMES),
];

/** What somebody should look at. */
const WARNED: ReadonlySet<TreeEvent["kind"]> = new Set([
  "unreachable",
  "quarantined",
  "orphaned",
  "overdue",
  "refused",
  "fenced",
]);

/** The module that makes a node a part of a tree: to manage others, and to be managed. */
export interface TreeModule extends NodeModule {
  /** @throws {MetanodeError} node.closed – the node does not run */
  readonly tree: Tree;
  /** Calls back with what happens, until the returned function is called. */
  onEvent(listener: (event: TreeEvent) => void): () => void;
}

class TreeOfNode implements TreeModule {
  readonly name = "tree";
  readonly #options: TreeModuleOptions;
  readonly #times: TreeTimes;
  readonly #listeners = new Set<(event: TreeEvent) => void>();
  #tree: Tree | undefined;
  #verbs: Registration[] = [];

  constructor(options: TreeModuleOptions) {
    rejectUnknownKeys("tree", options, KEYS);
    this.#options = options;
    const times = { ...DEFAULT_TIMES };
    for (const key of Object.keys(times) as (keyof TreeTimes)[]) {
      if (options[key] !== undefined) times[key] = intWithin(`tree.${key}`, options[key], 1);
    }
    this.#times = times;
  }

  get tree(): Tree {
    if (this.#tree === undefined) throw coreError("node.closed", "the tree is not started, or has stopped");
    return this.#tree;
  }

  onEvent(listener: (event: TreeEvent) => void): () => void {
    const own = (event: TreeEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async start(host: ModuleHost): Promise<void> {
    const { listen, advertise, join: token, address, version = "0" } = this.#options;
    const { labels, facts, manages, hooks, isContainer, maxInMaintenance, tls, standby } = this.#options;
    const ofHost = factsOfHost();
    const isKept = host.nodeId !== "memory";
    const tree = new Tree({
      means: {
        identity: { id: isKept ? host.nodeId : randomUUID(), name: host.node, version },
        clock: host.clock,
        random: Math.random,
        store: isKept ? openFileTreeStore(join(host.folder, "tree")) : createMemoryTreeStore(),
        router: host.router,
        transport: await transportOf(this.#options),
        times: this.#times,
        newId: randomUUID,
        report: (event) => this.#report(host, event),
      },
      inFlight: () => host.inFlight(),
      ...(labels ? { labels } : {}),
      ...(tls === undefined ? {} : { tls }),
      facts: facts ?? (() => ofHost),
      ...(manages === undefined ? {} : { manages }),
      ...(standby === undefined ? {} : { standby }),
      ...(hooks ? { hooks } : {}),
      ...(isContainer === undefined ? {} : { isContainer }),
      ...(maxInMaintenance === undefined ? {} : { maxInMaintenance }),
    });
    this.#tree = tree;
    this.#verbs = registerVerbs(tree);
    expose(host.metrics, tree);
    await tree.start(listen === undefined ? undefined : { address: listen, advertise });
    const isOwned = tree.upward.ownership.owner !== undefined;
    if (token !== undefined && !isOwned) tree.join(token, address);
    else if (address !== undefined && !isOwned) tree.offer(address);
  }

  health(): ModuleHealth {
    const tree = this.#tree;
    if (tree === undefined) return { status: "failing", reasons: ["the tree is not started"] };
    const reasons = tree.maintenance.overdue.map(
      (what) => `the maintenance of ${what} lasts longer than was meant; end or prolong it`,
    );
    const lost = tree.children.list().filter(({ record, sight }) => record.epoch > 0 && sight === "unreachable");
    if (lost.length > 0)
      reasons.push(`${lost.length} children cannot be reached: ${lost.map(({ record }) => record.name).join(", ")}`);
    const flapping = tree.children.list().filter(({ condition }) => condition === "quarantined");
    if (flapping.length > 0)
      reasons.push(`${flapping.length} children are in quarantine: ${flapping.map(({ record }) => record.name).join(", ")}`);
    const { name, isReady, isFenced } = tree.standby.info;
    if (isFenced) reasons.push(`${name} has taken the place of this node`);
    else if (name !== undefined && !isReady) reasons.push(`${name} is to stand by for this node and is not ready`);
    if (tree.upward.state === "orphaned") reasons.push("the manager of this node cannot be reached");
    return { status: reasons.length === 0 ? "ok" : "degraded", reasons };
  }

  async drain(): Promise<void> {
    // Links stay until the stop, so that answers of other modules' last work still travel.
  }

  async stop(): Promise<void> {
    for (const verb of this.#verbs) verb.remove();
    this.#verbs = [];
    await this.#tree?.stop();
    this.#tree = undefined;
  }

  #report(host: ModuleHost, event: TreeEvent): void {
    const { kind, node, path, epoch, text } = event;
    const level = WARNED.has(kind) ? "warn" : "info";
    host.logger[level]({ kind, node, path, epoch }, text);
    host.journal.add({ kind: "tree", what: path || node, type: kind, member: node });
    for (const listener of this.#listeners) listener(event);
  }
}

async function transportOf({ transport, nats }: TreeModuleOptions): Promise<NodeTransport> {
  if (transport !== undefined || nats === undefined) return transport ?? grpcTransport;
  // Most nodes have no bus.
  const { natsTransport } = await import("../link/nats.ts");
  return withNats(natsTransport({ servers: nats }));
}

/** Metrics: `metanode_tree_children{state}`, `metanode_tree_epoch`. */
function expose(metrics: Registry, tree: Tree): void {
  new Gauge({
    name: "metanode_tree_children",
    help: "Nodes that this one manages directly, by state.",
    labelNames: ["state"],
    registers: [metrics],
    collect() {
      this.reset();
      for (const child of tree.children.list()) this.inc({ state: child.condition });
    },
  });
  new Gauge({
    name: "metanode_tree_epoch",
    help: "Grows each time that this node is adopted.",
    registers: [metrics],
    collect() {
      this.set(tree.upward.ownership.epoch);
    },
  });
}

/** What selectors may go by of the host, and what does not change. */
function factsOfHost(): Readonly<Record<string, string | number>> {
  return {
    host: hostId(),
    hostname: hostname(),
    os: platform(),
    arch: arch(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** @throws {MetanodeError} config.invalid */
export function treeModule(options: TreeModuleOptions = {}): TreeModule {
  return new TreeOfNode(options);
}
