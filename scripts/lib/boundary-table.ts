/**
 * Who may import whom. A row lists everything that may be imported; what is not listed may not. Rows come with the
 * packages: a new package or a new room of a package needs a row here, and that is the moment to think about its place.
 */

/** Workspaces by location: an exact one, or a whole folder with `/*`. The values are locations, written the same way. */
export const packageTable: Readonly<Record<string, readonly string[]>> = {
  "packages/core": [],
  "packages/actors": ["packages/core"],
  "packages/nature": ["packages/core"],
  "packages/streaming": ["packages/core"],
  // Knows a node by its HTTP API alone.
  "packages/client": [],
  "apps/gateway": ["packages/*"],
  "apps/agent": ["packages/*"],
  // What it deploys is the agent, whose configuration and program it takes as they are.
  infra: ["packages/core", "apps/agent"],
  "apps/cli": ["packages/*", "infra"],
  "apps/console": ["packages/client"],
  // Examples compose whatever a user could compose.
  "examples/*": ["packages/*", "apps/gateway", "apps/agent"],
  bench: ["packages/*", "apps/gateway"],
  scripts: ["packages/*", "apps/*"],
};

/** Folders that are no workspaces: they find the workspaces in the root's node_modules without naming them. */
export const unlisted: readonly string[] = ["bench", "scripts"];

/** Locations that may name files of a package by their paths: tools that run what no package publishes, such as its tests. */
export const tools: readonly string[] = ["scripts"];

/** Locations that see a package as a user does: its `./internal` is closed to them. */
export const outsiders: readonly string[] = ["examples/*", "bench"];

/** A subpath that is published without promises, for siblings only. */
export const internalSubpath = "./internal";

/**
 * The rooms of a package: the files and folders directly in its `src/`, each with the rooms that it stands on. A package
 * without a row has no rule about rooms. `index`, `internal` and `testing` may import every room, and no room them.
 */
export const roomTable: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "packages/core": {
    errors: [],
    clock: ["errors"],
    options: ["errors"],
    http: [],
    memory: ["clock"],
    message: ["errors", "clock", "options"],
    member: ["errors", "clock", "options", "message"],
    trust: ["errors", "clock", "options"],
    link: ["errors", "clock", "options", "message"],
    router: ["errors", "clock", "options", "message", "member", "link"],
    log: ["errors", "clock", "options", "memory", "message"],
    processor: ["errors", "clock", "options", "message", "member", "link", "router", "log"],
    node: ["errors", "clock", "options", "message", "member", "link", "router", "log", "processor"],
    tree: ["errors", "clock", "options", "message", "member", "link", "router", "node", "trust"],
    host: ["errors", "clock", "options", "message", "member", "router", "node", "tree"],
  },
  "packages/actors": {
    errors: [],
    splitting: ["errors"],
    identity: ["errors"],
    mailbox: ["errors", "identity"],
    relations: ["errors", "identity", "mailbox"],
    events: ["errors", "identity", "mailbox", "relations"],
    log: ["errors", "identity"],
    process: ["errors", "identity", "mailbox", "relations", "events", "log"],
    runtime: ["errors", "identity", "mailbox", "relations", "events", "process", "log"],
    meta: ["errors", "identity", "mailbox", "process", "log", "runtime"],
    behaviour: ["errors", "identity", "mailbox", "relations", "events", "process", "log", "runtime", "meta"],
    // Applications, cron and what comes from other nodes are parts of a kernel.
    application: ["errors", "identity", "mailbox", "process", "log", "runtime", "behaviour"],
    cron: ["errors", "identity", "mailbox", "process", "log", "runtime", "behaviour"],
    remote: [
      "errors",
      "identity",
      "mailbox",
      "relations",
      "events",
      "process",
      "log",
      "runtime",
      "meta",
      "behaviour",
      "application",
    ],
    kernel: [
      "errors",
      "identity",
      "mailbox",
      "relations",
      "events",
      "process",
      "log",
      "runtime",
      "meta",
      "behaviour",
      "application",
      "cron",
      "remote",
    ],
    // Ready-made meta-processes, each published by a door of its own. They stand on what authors stand on.
    port: ["errors", "splitting", "identity", "mailbox", "runtime", "meta"],
    tcp: ["errors", "splitting", "identity", "mailbox", "runtime", "meta"],
    udp: ["errors", "identity", "mailbox", "runtime", "meta"],
    web: ["errors", "splitting", "identity", "mailbox", "runtime", "meta", "behaviour", "tcp"],
    websocket: ["errors", "splitting", "identity", "mailbox", "runtime", "meta", "tcp", "web"],
    sse: ["errors", "splitting", "identity", "mailbox", "runtime", "meta", "tcp", "web"],
    worker: ["errors", "identity", "mailbox", "runtime", "meta"],
    module: [
      "errors",
      "identity",
      "mailbox",
      "process",
      "log",
      "runtime",
      "meta",
      "behaviour",
      "application",
      "cron",
      "remote",
      "kernel",
    ],
  },
  "packages/nature": {
    errors: [],
    "byte-order": [],
    shape: [],
    meta: ["errors", "byte-order", "shape"],
    instance: ["errors", "byte-order", "shape", "meta"],
    relation: ["errors", "byte-order", "shape", "meta", "instance"],
    catalog: ["errors", "byte-order", "shape", "meta", "instance", "relation"],
    executor: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog"],
    // Declarations as data and as code: nothing that works or stores.
    declare: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog", "executor"],
    // Made by Prisma's generator.
    generated: [],
    store: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog", "generated"],
    registry: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog", "declare", "store"],
    builtin: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog", "executor", "store"],
    engine: ["errors", "byte-order", "shape", "meta", "instance", "relation", "catalog", "executor", "store"],
    // Workflows on their own, without a node.
    nature: [
      "errors",
      "byte-order",
      "shape",
      "meta",
      "instance",
      "relation",
      "catalog",
      "executor",
      "declare",
      "store",
      "registry",
      "builtin",
      "engine",
    ],
    module: [
      "errors",
      "byte-order",
      "shape",
      "meta",
      "instance",
      "relation",
      "catalog",
      "executor",
      "declare",
      "store",
      "registry",
      "builtin",
      "engine",
      "nature",
    ],
  },
  "packages/streaming": {
    errors: [],
    expression: ["errors"],
    graph: ["errors", "expression"],
    // From here on graphs run. What records are, where they come from, what works on them, and the run that holds it all.
    record: ["errors"],
    codec: ["errors", "record"],
    delivery: ["errors", "record"],
    stage: ["errors", "graph", "record", "delivery"],
    // Programs that work on stdin and stdout.
    program: ["errors", "graph", "record", "codec", "delivery", "stage"],
    protocol: ["errors", "record", "delivery", "stage", "program"],
    action: ["errors", "graph", "record", "codec", "delivery", "stage", "program", "protocol"],
    upload: ["errors", "graph", "stage", "program", "action"],
    run: ["errors", "graph", "record", "delivery", "stage"],
    // Graphs of functions and iterables in one process.
    flow: ["errors", "graph", "record", "delivery", "stage", "run"],
    // Built-in sources and sinks: files, sockets, servers, tables, the log and the router.
    connector: ["errors", "graph", "record", "codec", "delivery", "stage"],
    thread: ["errors", "graph", "record", "delivery", "stage"],
    // Built-in stages: windows, joins, what remembers, what holds back.
    operator: ["errors", "graph", "record", "delivery", "stage", "run", "flow"],
    // Graphs by name: kept, run, changed, watched.
    deployment: [
      "errors",
      "expression",
      "graph",
      "record",
      "codec",
      "delivery",
      "stage",
      "program",
      "action",
      "upload",
      "run",
      "flow",
      "connector",
      "thread",
      "operator",
    ],
    module: ["errors", "run", "deployment"],
  },
  infra: {
    // Makes nodes run somewhere, and has a node adopt them.
    deploy: [],
  },
};

/** Rooms that stand above all others of their package. */
export const topRooms: ReadonlySet<string> = new Set(["index", "internal", "testing"]);

/** The scripts that a workspace must have, because turbo passes over a workspace without them in silence. */
export const requiredScripts = { all: ["types"], publishable: ["build"] } as const;

/** Whether a location is meant by a pattern of the tables. */
export function covers(pattern: string, location: string): boolean {
  return pattern === location || (pattern.endsWith("/*") && location.startsWith(pattern.slice(0, -1)));
}

/** Modules of Node whose import costs more than what is used of them, and what to import instead; types may come from there. */
export const costlyBuiltins: Readonly<Record<string, string>> = {
  "node:http": "importing a value from node:http loads undici, 4 MB and some 30 ms; import it from @metanode/core/internal/http",
};
