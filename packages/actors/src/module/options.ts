import { coreError, type MetanodeError } from "@metanode/core";
import { intWithin, rejectUnknownKeys, textOf } from "@metanode/core/internal";
import type { ApplicationSpec } from "../application/index.ts";
import type { RestartStrategy } from "../behaviour/supervisor-spec.ts";
import type { NetworkOptions } from "../remote/options.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** How a root is kept. */
export interface RootRules {
  /** Which ends lead to a restart: unclean ones, all, or none. @default "transient" */
  restart?: RestartStrategy;
  /** Restarts allowed within `periodMs`; after more of them, or when its start fails, it is down. @default 5 */
  intensity?: number;
  /** @default 5_000 */
  periodMs?: number;
  /** Until a root that is down is started again; 0 = never. Not after an end that was intended. @default 10_000 */
  retryMs?: number;
  /** How it is spawned. */
  options?: Omit<SpawnOptions, "name" | "linkChild" | "linkParent">;
}

/** An actor or supervisor at the top of the kernel. */
export type RootSpec<A extends ActorShape = ActorShape> = RootRules & { actor: new () => A } & ArgsOf<A>;

type ArgsOf<A extends ActorShape> =
  [] extends Parameters<A["init"]> ? { args?: Parameters<A["init"]> } : { args: Parameters<A["init"]> };

/** How messages of a type reach an actor. */
export interface HandleSpec {
  /** The name that the actor is registered by; it need not be there yet. */
  actor: string;
  /**
   * `call` asks it (`handleCall`) and waits for its answer; `send` tells it (`handleMessage`), and the message counts as
   * handled once it is in the mailbox. @default "call"
   */
  mode?: "call" | "send";
  /** What the actor gets: the whole message, its deadline filled in, or only the payload. @default "message" */
  pass?: "message" | "data";
  /** @default "1" */
  version?: string;
  /** JSON Schema (2020-12) of the payload; checked before the actor sees it. */
  inputSchema?: unknown;
  outputSchema?: unknown;
  description?: string;
  /** Messages of one subject go one at a time, each when the last has its answer. @default false */
  ordered?: boolean;
  /** Messages of this type under way at a time; more are refused with `call.resource_exhausted`. @default no limit */
  maxInFlight?: number;
}

/** The actors of a node. `R` are the roots by their names. */
export interface ActorsOptions<R extends Record<string, ActorShape> = Record<string, ActorShape>> {
  /** What the kernel is named after the `@`. @default the name of the machine */
  host?: string;
  /** Loaded all, then started in this order, each after those that it depends on; before the roots. @default none */
  applications?: readonly ApplicationSpec[];
  /** Spawned in this order, each registered by its key. */
  roots?: { readonly [K in keyof R]: RootSpec<R[K]> };
  /**
   * Kernels on other nodes of the tree, by name, `eu@host`, with the path or the id of the node: mail to their actors finds its way by
   * itself. Others can be met with {@link ActorsModule.connect}. @default none
   */
  nodes?: Readonly<Record<string, string>>;
  /**
   * Whether kernels of other nodes of the tree may connect with this one: their actors can then send mail to those of this node, watch
   * them and end them, whoever manages whom. @default whether `nodes` is given
   */
  acceptNodes?: boolean;
  /** How the kernel meets others. */
  network?: Omit<NetworkOptions, "resolve">;
  /** Message types, or patterns of them, with the actor that handles them: its name, or more than that. */
  handles?: { readonly [type: string]: string | HandleSpec };
}

/** A root with its defaults. */
export interface ResolvedRoot {
  readonly name: string;
  readonly actor: new () => ActorShape;
  readonly args: readonly unknown[];
  readonly restart: RestartStrategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly retryMs: number;
  readonly options: NonNullable<RootRules["options"]>;
}

/** A message type with its defaults. */
export type ResolvedHandle = HandleSpec & Required<Pick<HandleSpec, "mode" | "pass">> & { readonly type: string };

/** The options with their defaults. */
export interface ResolvedActors {
  readonly host: string | undefined;
  readonly applications: readonly ApplicationSpec[];
  readonly nodes: ReadonlyMap<string, string>;
  readonly acceptNodes: boolean;
  readonly network: Omit<NetworkOptions, "resolve">;
  readonly roots: readonly ResolvedRoot[];
  readonly handles: readonly ResolvedHandle[];
}

/** The name of the actor that stands for the node. */
export const NODE_NAME = "node";

const KEYS = ["host", "applications", "roots", "nodes", "acceptNodes", "network", "handles"];
const ROOT_KEYS = ["actor", "args", "restart", "intensity", "periodMs", "retryMs", "options"];
const SPAWN_KEYS = ["mailboxLimit", "priority", "leader", "env", "fallback", "initTimeoutMs", "logLevel"];
const HANDLE_KEYS = ["actor", "mode", "pass", "version", "inputSchema", "outputSchema", "description", "ordered", "maxInFlight"];
const STRATEGIES = ["transient", "permanent", "temporary"] as const;
const MODES = ["call", "send"] as const;
const FORMS = ["message", "data"] as const;

/** Checks the options of the module. @throws {MetanodeError} config.invalid – with the path of what is wrong. */
export function resolveActors(given: ActorsOptions<never>): ResolvedActors {
  rejectUnknownKeys("actors", given, KEYS);
  const { host, applications = [], roots = {}, nodes = {}, acceptNodes, network = {}, handles = {} } = given as ActorsOptions;
  if (host !== undefined && (textOf("actors.host", host).includes("@") || host.length > 180)) {
    throw wrong("actors.host", host, "at most 180 characters without @");
  }
  if (!Array.isArray(applications)) throw wrong("actors.applications", applications, "a list");
  return {
    host,
    applications,
    nodes: resolveNodes(nodes),
    acceptNodes: acceptNodes ?? Object.keys(nodes).length > 0,
    network,
    roots: Object.entries(roots).map(([name, spec]) => resolveRoot(name, spec)),
    handles: Object.entries(handles).map(([type, spec]) => resolveHandle(type, spec)),
  };
}

function resolveNodes(nodes: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  for (const [kernel, target] of Object.entries(nodes)) {
    const path = `actors.nodes.${kernel}`;
    if (!/^[^@]+@[^@]+$/.test(kernel)) throw wrong("actors.nodes", kernel, "names of kernels, node@host");
    textOf(path, target);
  }
  return new Map(Object.entries(nodes));
}

function resolveRoot(name: string, spec: RootSpec): ResolvedRoot {
  const path = `actors.roots.${name}`;
  if (name === "" || name === NODE_NAME) throw wrong(path, name, `a name of its own; ${NODE_NAME} stands for the node`);
  if (typeof spec !== "object" || spec === null) throw wrong(path, spec, "an object with an actor");
  rejectUnknownKeys(path, spec, ROOT_KEYS);
  rejectUnknownKeys(`${path}.options`, spec.options ?? {}, SPAWN_KEYS);
  if (typeof spec.actor !== "function") throw wrong(`${path}.actor`, spec.actor, "a class that extends Actor");
  const args = spec.args ?? [];
  if (!Array.isArray(args)) throw wrong(`${path}.args`, args, "a list");
  return {
    name,
    actor: spec.actor,
    args,
    restart: oneOf(`${path}.restart`, spec.restart ?? "transient", STRATEGIES),
    intensity: intWithin(`${path}.intensity`, spec.intensity ?? 5, 0),
    periodMs: intWithin(`${path}.periodMs`, spec.periodMs ?? 5_000, 1),
    retryMs: intWithin(`${path}.retryMs`, spec.retryMs ?? 10_000, 0, 2_147_483_647),
    options: spec.options ?? {},
  };
}

function resolveHandle(type: string, given: string | HandleSpec): ResolvedHandle {
  const path = `actors.handles.${type}`;
  const spec: HandleSpec = typeof given === "string" ? { actor: given } : given;
  if (typeof spec !== "object" || spec === null) throw wrong(path, spec, "the name of an actor, or an object with one");
  rejectUnknownKeys(path, spec, HANDLE_KEYS);
  textOf(`${path}.actor`, spec.actor);
  if (spec.maxInFlight !== undefined) intWithin(`${path}.maxInFlight`, spec.maxInFlight, 1);
  const mode = oneOf(`${path}.mode`, spec.mode ?? "call", MODES);
  return { ...spec, type, mode, pass: oneOf(`${path}.pass`, spec.pass ?? "message", FORMS) };
}

function oneOf<const T extends string>(path: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw wrong(path, value, `one of ${known.join(", ")}`);
  return found;
}

function wrong(path: string, found: unknown, expected: string): MetanodeError {
  const shown = typeof found === "string" ? JSON.stringify(found) : String(found);
  return coreError("config.invalid", `${path} is ${shown}, expected ${expected}`, { details: { path, expected } });
}
