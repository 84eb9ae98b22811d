import { wait } from "../clock.ts";
import { codeOf, coreError } from "../errors.ts";
import { type Handler, handlerMember } from "../member/handler.ts";
import { rejectUnknownKeys, textOf } from "../options.ts";
import type { Registration } from "../router/router.ts";
import { TARGET } from "../router/router.ts";
import type { Maintenance } from "./card.ts";
import type { Child } from "./child.ts";
import type { ForAllRequest } from "./for-all.ts";
import type { MaintenanceRequest } from "./maintenance.ts";
import { attemptEach, Operations } from "./operations.ts";
import { childPath, cleanPath } from "./path.ts";
import type { StandbyInfo } from "./standby.ts";
import type { TokenPurpose } from "./tokens.ts";
import type { Tree } from "./tree.ts";

/** The messages with which a tree is managed. They are messages as any other: routed, traced, counted, with deadlines. */
export const TREE = {
  ping: "metanode.node.ping",
  describe: "metanode.node.describe",
  labels: "metanode.node.labels",
  maintenance: "metanode.node.maintenance",
  upgrade: "metanode.node.upgrade",
  join: "metanode.tree.join",
  token: "metanode.tree.token",
  tokens: "metanode.tree.tokens",
  revoke: "metanode.tree.revoke",
  adopt: "metanode.tree.adopt",
  approve: "metanode.tree.approve",
  release: "metanode.tree.release",
  transfer: "metanode.tree.transfer",
  move: "metanode.tree.move",
  members: "metanode.tree.members",
  all: "metanode.tree.all",
  control: "metanode.tree.control",
  maintain: "metanode.tree.maintain",
  audit: "metanode.tree.audit",
  authority: "metanode.tree.authority",
  standby: "metanode.tree.standby",
} as const;

/** Fields that every verb takes. */
interface Common {
  readonly operation?: string;
  readonly caller?: string;
}

/** A child, for people and programs. */
export interface ChildInfo {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly state: string;
  readonly epoch: number;
  readonly lastSeenMs: number;
  readonly card?: Child["record"]["card"];
}

/** A node, as it describes itself. */
export interface NodeDescription {
  readonly card: ReturnType<Tree["card"]>;
  readonly state: string;
  readonly epoch: number;
  readonly owner?: { readonly id: string; readonly name: string };
  readonly address?: string;
  readonly standby?: StandbyInfo;
  readonly children: readonly ChildInfo[];
  readonly members: Readonly<Record<string, unknown>>;
  readonly pid: number;
}

export function childInfo(tree: Tree, child: Child): ChildInfo {
  const { id, name, epoch, card } = child.record;
  const { path } = tree.children.placeOf(child);
  return { id, name, path, state: child.condition, epoch, lastSeenMs: child.lastSeenMs, ...(card ? { card } : {}) };
}

export function describe(tree: Tree): NodeDescription {
  const { ownership, state } = tree.upward;
  const { owner, epoch } = ownership;
  const standby = tree.standby.info;
  const hasStandby = standby.name !== undefined || standby.manager !== undefined;
  return {
    card: tree.card(),
    state,
    epoch,
    ...(owner === undefined ? {} : { owner: { id: owner.id, name: owner.name } }),
    ...(tree.address === undefined ? {} : { address: tree.address }),
    ...(hasStandby ? { standby } : {}),
    children: tree.children.list().map((child) => childInfo(tree, child)),
    members: tree.maintenance.members,
    pid: process.pid,
  };
}

type Verb<T> = (data: T & Common, context: { deadlineMs: number; signal?: AbortSignal | undefined }) => unknown;

/** Registers the verbs; a node that manages nobody has only those about itself. */
export function registerVerbs(tree: Tree): Registration[] {
  const { router, clock, newId } = tree.means;
  const operations = new Operations(tree.audit, { now: () => clock.now(), newId });
  const registrations: Registration[] = [];
  const add = <T extends object>(type: string, keys: readonly string[], verb: Verb<T>, streaming = false): void => {
    const handler: Handler = ({ data, extensions }, context) => {
      const given = (data ?? {}) as T & Common;
      rejectUnknownKeys(type, given, [...keys, "operation", "caller"]);
      // What a face says of who asks comes before what is in the message itself.
      const caller = typeof extensions?.caller === "string" ? extensions.caller : given.caller;
      if (given.operation !== undefined) textOf("operation", given.operation);
      if (caller !== undefined) textOf("caller", caller);
      return verb(caller === undefined ? given : { ...given, caller }, context);
    };
    registrations.push(router.register({ type, member: handlerMember("tree", handler), streaming }));
  };
  aboutItself(tree, operations, add);
  if (tree.manages) {
    aboutChildren(tree, operations, add);
    aboutTheWhole(tree, operations, add);
  }
  return registrations;
}

type Add = <T extends object>(type: string, keys: readonly string[], verb: Verb<T>, streaming?: boolean) => void;

function aboutItself(tree: Tree, operations: Operations, add: Add): void {
  const { identity, clock } = tree.means;
  add(TREE.ping, [], () => ({ id: identity.id, path: tree.path, pid: process.pid }));
  add(TREE.describe, [], () => describe(tree));
  add<{ set?: Record<string, string>; remove?: string[] }>(TREE.labels, ["set", "remove"], ({ set = {}, remove = [], ...rest }) =>
    operations.run({ ...rest, verb: "labels", target: tree.path }, async () => {
      const labels = new Map(Object.entries({ ...tree.card().labels, ...set }));
      for (const name of remove) labels.delete(name);
      tree.setLabels(Object.fromEntries(labels));
      return tree.card().labels;
    }),
  );
  add<{ token?: string; address?: string }>(TREE.join, ["token", "address"], ({ token, address, ...rest }) =>
    operations.run({ ...rest, verb: "join", target: tree.path }, async () => {
      if (token !== undefined) tree.join(token);
      else tree.offer(textOf("address", address));
      return { state: tree.upward.state };
    }),
  );
  add<{ version?: string }>(TREE.upgrade, ["version"], ({ version, operation, caller }) =>
    operations.run({ operation, caller, verb: "upgrade", target: tree.path }, () => tree.upgrade({ version, by: caller })),
  );
  add<MaintenanceRequest & { on?: boolean; waitMs?: number }>(
    TREE.maintenance,
    ["on", "waitMs", "member", "reason", "by", "expiresInMs", "alternates"],
    async ({ on = true, waitMs = 0, operation, caller, ...request }) => {
      const target = request.member === undefined ? tree.path : `${tree.path}#${request.member}`;
      await operations.run({ operation, caller, verb: on ? "maintenance.enter" : "maintenance.exit", target }, async () => {
        if (on) await tree.maintenance.enter({ by: caller, ...request });
        else await tree.maintenance.leave(request.member);
      });
      const isDrained = on && (await tree.maintenance.drained(request.member, clock.now() + waitMs));
      return { path: tree.path, on, drained: isDrained, node: tree.maintenance.node, members: tree.maintenance.members };
    },
  );
}

function aboutChildren(tree: Tree, operations: Operations, add: Add): void {
  add<{ purpose?: TokenPurpose; ttlMs?: number; uses?: number }>(
    TREE.token,
    ["purpose", "ttlMs", "uses"],
    ({ purpose = "join", ...rest }) => tree.token({ purpose, ...rest }),
  );
  add(TREE.tokens, [], () => tree.tokens.list());
  add<{ id: string }>(TREE.revoke, ["id"], ({ id }) => tree.tokens.revoke(textOf("id", id)));
  add<{ token: string; as?: string; force?: boolean }>(TREE.adopt, ["token", "as", "force"], ({ token, as, force, ...rest }) =>
    operations.run({ ...rest, verb: "adopt", target: as ?? "a node" }, async (operation) =>
      childInfo(tree, await tree.adopt(textOf("token", token), { as, force, operation })),
    ),
  );
  add<{ child: string; as?: string }>(TREE.approve, ["child", "as"], ({ child, as, ...rest }) =>
    operations.run({ ...rest, verb: "approve", target: textOf("child", child) }, async (operation) =>
      childInfo(tree, await tree.approve(child, { as, operation })),
    ),
  );
  add<{ child: string; drainMs?: number; force?: boolean }>(
    TREE.release,
    ["child", "drainMs", "force"],
    ({ child, drainMs, force, ...rest }) =>
      operations.run({ ...rest, verb: "release", target: textOf("child", child) }, (operation) =>
        tree.release(child, { drainMs, force, operation }),
      ),
  );
  add<{ child: string; to: { id: string; token: string } }>(TREE.transfer, ["child", "to"], ({ child, to, ...rest }) =>
    operations.run({ ...rest, verb: "transfer", target: textOf("child", child) }, () => tree.transfer(child, to)),
  );
  add<{ desired: { name: string; token?: string }[]; drainMs?: number }>(
    TREE.members,
    ["desired", "drainMs"],
    ({ desired, drainMs, ...rest }) => {
      if (!Array.isArray(desired)) throw coreError("message.invalid", `desired is ${String(desired)}, expected a list of nodes`);
      return operations.run({ ...rest, verb: "members", target: `${desired.length} nodes` }, (operation) =>
        reconcile(tree, desired, { drainMs, operation }),
      );
    },
  );
  add<{ action: "rotate" | "retire" }>(TREE.authority, ["action"], ({ action, ...rest }) =>
    operations.run({ ...rest, verb: `authority.${action}`, target: tree.path }, async () => {
      if (action === "rotate") await tree.enrolment.rotate();
      else if (action === "retire") tree.enrolment.retire();
      else throw coreError("message.invalid", `action is ${String(action)}, expected rotate or retire`);
      return { action };
    }),
  );
  add<{ child?: string; none?: boolean; handOver?: boolean }>(
    TREE.standby,
    ["child", "none", "handOver"],
    ({ child, none = false, handOver = false, ...rest }, { deadlineMs }) => {
      if (handOver) {
        const { name = "nobody" } = tree.standby.info;
        return operations.run({ ...rest, verb: "handOver", target: name }, () => tree.standby.handOver(deadlineMs));
      }
      if (child === undefined && !none) return tree.standby.info;
      const target = child === undefined ? "nobody" : textOf("child", child);
      return operations.run({ ...rest, verb: "standby", target }, () => tree.standby.name(child));
    },
  );
  add<{ limit?: number }>(TREE.audit, ["limit"], ({ limit }) => tree.audit.list(limit));
}

/** Makes the children those that are desired: adopts whoever is missing, releases whoever is too many. */
async function reconcile(
  tree: Tree,
  desired: readonly { name: string; token?: string }[],
  { drainMs, operation }: { drainMs: number | undefined; operation: string },
): Promise<{ adopted: unknown; released: unknown }> {
  const wanted = new Set(desired.map(({ name }) => name));
  const isChild = (name: string): boolean => {
    const child = tree.children.named(name);
    return child !== undefined && child.record.state !== "pending";
  };
  const missing = desired.filter(({ name }) => !isChild(name));
  const extra = tree.children.list().filter(({ record }) => record.state !== "pending" && !wanted.has(record.name));
  const adopted = await attemptEach(missing, ({ name, token }) =>
    token === undefined
      ? tree.approve(name, { operation: `${operation}.${name}` })
      : tree.adopt(token, { as: name, operation: `${operation}.${name}` }),
  );
  const released = await attemptEach(
    extra.map(({ record }) => record),
    ({ id }) => tree.release(id, { drainMs }),
  );
  return { adopted, released };
}

/** What may be put into maintenance: a node, one of its members, all nodes of a subtree, all nodes of a host. */
interface MaintainRequest {
  readonly on?: boolean;
  readonly node?: string;
  readonly member?: string;
  readonly subtree?: string;
  readonly host?: string;
  readonly reason?: string;
  readonly expiresInMs?: number;
  readonly waitMs?: number;
  /** Beyond the limit of nodes in maintenance. */
  readonly force?: boolean;
}

function aboutTheWhole(tree: Tree, operations: Operations, add: Add): void {
  add<ForAllRequest>(
    TREE.all,
    [
      "type",
      "version",
      "data",
      "where",
      "policy",
      "timeoutMs",
      "depth",
      "skipSelf",
      "includeMaintenance",
      "dryRun",
      "reduce",
      "failFast",
      "batch",
      "parallel",
      "canary",
      "maxFailures",
      "traceparent",
    ],
    (request, { deadlineMs, signal }) => forAll(tree, { request, deadlineMs, signal }),
    true,
  );
  add<{ run: string; action: "pause" | "resume" | "cancel" }>(TREE.control, ["run", "action"], ({ run, action }) => {
    const found = tree.running(textOf("run", run));
    if (action !== "pause" && action !== "resume" && action !== "cancel") {
      throw coreError("message.invalid", `action is ${String(action)}, expected pause, resume or cancel`);
    }
    found[action]();
    return { run, action, tally: found.tally };
  });
  add<{ node: string; to: string }>(TREE.move, ["node", "to"], ({ node, to, ...rest }, { deadlineMs }) =>
    operations.run({ ...rest, verb: "move", target: textOf("node", node) }, () =>
      move(tree, { node: cleanPath(node), to: cleanPath(textOf("to", to)), deadlineMs }),
    ),
  );
  add<MaintainRequest>(
    TREE.maintain,
    ["on", "node", "member", "subtree", "host", "reason", "expiresInMs", "waitMs", "force"],
    ({ operation, caller, ...request }, { deadlineMs, signal }) => {
      const { on = true, force = false, node = tree.path, subtree, host } = request;
      const target = subtree ?? (host === undefined ? node : `host ${host}`);
      const verb = `maintain${force ? ".force" : on ? "" : ".end"}`;
      return operations.run({ operation, caller, verb, target }, () =>
        maintain(tree, { ...request, caller }, { deadlineMs, signal }),
      );
    },
  );
}

/** How often it is looked whether a node has arrived, in milliseconds. */
const ARRIVAL_LOOK_MS = 20;

/** Hands a node on from its manager to another of this tree; ends when it can be reached there. */
async function move(tree: Tree, { node, to, deadlineMs }: { node: string; to: string; deadlineMs: number }): Promise<unknown> {
  const { router, clock } = tree.means;
  const { parent, name } = parentOf(node);
  const at = (target: string): { extensions: Record<string, string> } => ({ extensions: { [TARGET]: target } });
  const { id } = (await router.call({ type: TREE.ping, ...at(to) })) as { id: string };
  const { text: token } = (await router.call({ type: TREE.token, ...at(to), data: { purpose: "join" } })) as { text: string };
  const moved = await router.call({ type: TREE.transfer, ...at(parent), data: { child: name, to: { id, token } } });
  // The old manager has let go; the new one may not have heard the answer yet.
  while (clock.now() < deadlineMs) {
    try {
      await router.call({ type: TREE.ping, ...at(childPath(to, name)) });
      return moved;
    } catch (error) {
      if (codeOf(error) !== "resource.not_found") throw error;
      await wait(clock, ARRIVAL_LOOK_MS);
    }
  }
  return moved;
}

/** Types that ask and change nothing: nobody has to know later who did. */
const QUESTIONS: ReadonlySet<string> = new Set([TREE.ping, TREE.describe, "metanode.host.facts"]);

/** Runs a for-all and writes down who asked for it and what it came to, unless it is but a question. */
async function* forAll(
  tree: Tree,
  { request, deadlineMs, signal }: { request: ForAllRequest & Common; deadlineMs: number; signal: AbortSignal | undefined },
): AsyncGenerator<unknown> {
  const run = tree.all(request, deadlineMs);
  if (request.dryRun === true || QUESTIONS.has(request.type)) {
    yield* run.run(signal);
    return;
  }
  const { operation } = run;
  const target = `${request.type} where ${request.where || "every node"}`;
  const entry = { operation, atMs: tree.means.clock.now(), caller: request.caller ?? "local", verb: "all", target };
  tree.audit.put(entry);
  let ok = false;
  let answer: unknown;
  try {
    for await (const event of run.run(signal)) {
      if (event.kind === "done") {
        ok = event.verdict;
        answer = { verdict: event.verdict, tally: event.tally };
      }
      yield event;
    }
  } finally {
    tree.audit.put({ ...entry, ok, ...(answer === undefined ? {} : { answer }) });
  }
}

/** The path of a node's manager, and its name there. @throws {MetanodeError} message.invalid – a root has none */
function parentOf(path: string): { parent: string; name: string } {
  const at = path.lastIndexOf("/");
  if (at > 0) return { parent: path.slice(0, at), name: path.slice(at + 1) };
  throw coreError("message.invalid", `${path} is a root: it has no manager`);
}

async function maintain(
  tree: Tree,
  request: MaintainRequest & Common,
  limits: { deadlineMs: number; signal?: AbortSignal | undefined },
): Promise<unknown> {
  const { node = tree.path, subtree, host, on = true, force = false, ...rest } = request;
  const { router, clock } = tree.means;
  const options = {
    timeoutMs: Math.max(1, limits.deadlineMs - clock.now()),
    ...(limits.signal ? { signal: limits.signal } : {}),
  };
  const order = { on, ...rest };
  if (subtree !== undefined || host !== undefined) {
    const where =
      subtree === undefined ? `fact.host="${host}"` : `path="${cleanPath(subtree)}" | path="${cleanPath(subtree)}/**"`;
    const run = tree.all({ type: TREE.maintenance, where, data: order, includeMaintenance: true, timeoutMs: options.timeoutMs });
    return run.result(limits.signal);
  }
  if (node === tree.path) return router.call({ type: TREE.maintenance, data: order }, options);
  const { parent, name } = parentOf(cleanPath(node));
  if (parent !== tree.path) {
    return router.call({ type: TREE.maintain, extensions: { [TARGET]: parent }, data: { ...request, node } }, options);
  }
  const child = tree.children.need(name);
  if (on && request.member === undefined && !force) mayEnter(tree, child);
  const types = new Set(child.record.card?.types ?? []);
  const alternates = tree.children
    .list()
    .filter((other) => other !== child && other.state === "ready" && other.record.card?.types.some((type) => types.has(type)))
    .map((other) => tree.children.placeOf(other).path);
  const extensions = { [TARGET]: node };
  const answer = await router.call({ type: TREE.maintenance, extensions, data: { ...order, alternates } }, options);
  // Known at once, not with its next word: the limit counts it from now on.
  const { card } = child.record;
  if (card !== undefined) tree.children.learn(child, { ...card, maintenance: (answer as { node?: Maintenance }).node });
  return answer;
}

/** @throws {MetanodeError} state.conflict – as many children as may be are in maintenance already */
function mayEnter(tree: Tree, child: Child): void {
  const children = tree.children.list().filter(({ record }) => record.epoch > 0);
  const limit = tree.maxInMaintenance ?? Math.max(1, Math.floor(children.length / 2));
  const others = children.filter((other) => other !== child && other.record.card?.maintenance !== undefined);
  if (others.length < limit) return;
  const names = others.map(({ record }) => record.name);
  throw coreError(
    "state.conflict",
    `${names.join(", ")} of ${children.length} children are in maintenance, the limit is ${limit}; wait, or use force`,
    {
      details: { limit, inMaintenance: names },
    },
  );
}
