import { actorError, knownOptions, wholeNumber } from "../errors.ts";
import type { Reason } from "../identity/index.ts";
import { MAX_NAME_BYTES } from "../identity/index.ts";
import { type Log, type LogLevel, startLevel } from "../log/index.ts";
import type { SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/**
 * What the end of a member of the group does to its application. `temporary`: nothing. `transient`: one that is not
 * `normal` or `shutdown` stops the application. `permanent`: any stops it. With its last member each ends.
 */
export type ApplicationMode = "temporary" | "transient" | "permanent";

/** How long each callback of an application may take unless it says otherwise, and the start of a member at most. */
export const DEFAULT_BUDGET_MS = 15_000;

/** What the callbacks of an application get. */
export interface ApplicationContext {
  readonly name: string;
  readonly mode: ApplicationMode;
  /** The name of the kernel. */
  readonly node: string;
  /** The log, in the name of the application. */
  readonly log: Log;
  /** What its processes begin with, by upper-case names. */
  readonly env: ReadonlyMap<string, unknown>;
  /** Aborted when the callback has used its time up: nobody waits for it any more. */
  readonly signal: AbortSignal;
}

/** One member of the group of an application. */
export interface ApplicationMember {
  readonly actor: new () => ActorShape;
  /** The member is registered under it. */
  readonly name?: string;
  /** The arguments of its `init`. @default none */
  readonly args?: readonly unknown[];
  /** Its start takes at most 15 s. Its environment is laid over that of the application. */
  readonly options?: Omit<SpawnOptions, "name" | "leader" | "linkParent" | "linkChild">;
}

/** What an application consists of, and how it lives. */
export interface ApplicationSpec {
  readonly name: string;
  /** @default "" */
  readonly description?: string;
  /** @default "" */
  readonly version?: string;
  /** @default "temporary" */
  readonly mode?: ApplicationMode;
  /** Applications that run before this one starts. They must be loaded; those that do not run are started. @default none */
  readonly dependsOn?: readonly string[];
  /** Started in this order; at least one. */
  readonly group: readonly ApplicationMember[];
  /** Laid over the environment of the kernel. Values, no live things: those belong to `init`. */
  readonly env?: Readonly<Record<string, unknown>>;
  /** From which level on its processes log. @default that of the kernel, at the start */
  readonly logLevel?: LogLevel;
  /** For whoever chooses between several instances of it. @default none */
  readonly tags?: readonly string[];
  /** For whoever chooses between several instances of it. @default 0 */
  readonly weight?: number;
  /** The names of its processes by what they do, so that callers need not know them. @default none */
  readonly roles?: Readonly<Record<string, string>>;
  /** Longest `init`, in milliseconds. @default 15_000 */
  readonly initTimeoutMs?: number;
  /** Longest `start`, in milliseconds. @default 15_000 */
  readonly startTimeoutMs?: number;
  /** Longest `stop`, in milliseconds; after as long again processes that did not end are killed. @default 15_000 */
  readonly stopTimeoutMs?: number;
  /** Longest `terminate`, in milliseconds. @default 15_000 */
  readonly terminateTimeoutMs?: number;
  /** Before the first member: opens what they need. A throw makes the start fail, and nothing else is called. */
  init?(context: ApplicationContext): unknown;
  /** All members run. A throw is logged. */
  start?(context: ApplicationContext): unknown;
  /** Before the first member is stopped; everything is still up. A throw is logged. */
  stop?(context: ApplicationContext, reason: Reason): unknown;
  /** Every process of the application has finished its own `terminate`: closes what `init` opened. A throw is logged. */
  terminate?(context: ApplicationContext, reason: Reason): unknown;
}

type MemberOf<A extends ActorShape> = Omit<ApplicationMember, "actor" | "args"> & {
  readonly actor: new () => A;
} & ([] extends Parameters<A["init"]> ? { readonly args?: Parameters<A["init"]> } : { readonly args: Parameters<A["init"]> });

type Members<G extends readonly ActorShape[]> = { readonly [K in keyof G]: MemberOf<G[K]> };

/** An application, with the arguments of its members checked against their `init`. */
export function defineApplication<const G extends readonly ActorShape[]>(
  spec: Omit<ApplicationSpec, "group"> & { readonly group: Members<G> },
): ApplicationSpec {
  return spec as unknown as ApplicationSpec;
}

const CALLBACKS = ["init", "start", "stop", "terminate"] as const;
const BUDGETS = ["initTimeoutMs", "startTimeoutMs", "stopTimeoutMs", "terminateTimeoutMs"] as const;
const FACTS = [
  "name",
  "description",
  "version",
  "mode",
  "dependsOn",
  "group",
  "env",
  "logLevel",
  "tags",
  "weight",
  "roles",
] as const;
const KNOWN: readonly (keyof ApplicationSpec)[] = [...FACTS, ...BUDGETS, ...CALLBACKS];
const MODES: readonly string[] = ["temporary", "transient", "permanent"];

/** @throws actor.incorrect – no such mode */
export function checkMode(mode: ApplicationMode): ApplicationMode {
  if (MODES.includes(mode)) return mode;
  throw actorError("actor.incorrect", `the mode of an application is ${MODES.join(", ")}, not ${String(mode)}`);
}

/** Throws what is wrong with a specification: actor.application_spec, actor.incorrect, actor.not_allowed. */
export function checkApplication(spec: ApplicationSpec): void {
  const { name, group } = spec;
  if (typeof name !== "string" || name === "" || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw actorError("actor.application_spec", `an application has a name of 1 to ${MAX_NAME_BYTES} bytes`);
  }
  // An object of a class has fields of its own, which its callbacks use.
  if (Object.getPrototypeOf(spec) === Object.prototype) knownOptions("application", spec, KNOWN);
  if (!Array.isArray(group) || group.length === 0) {
    throw actorError("actor.application_spec", `application ${name} has nobody in its group; it needs at least one member`);
  }
  for (const member of group as ApplicationMember[]) checkMember(name, member);
  for (const budget of BUDGETS) if (spec[budget] !== undefined) wholeNumber(`application.${budget}`, spec[budget], 1);
  if (spec.mode !== undefined) checkMode(spec.mode);
  if (spec.logLevel !== undefined) startLevel(spec.logLevel);
}

function checkMember(application: string, { actor, options = {} }: ApplicationMember): void {
  if (typeof actor !== "function") {
    throw actorError("actor.application_spec", `a member of application ${application} has no actor`);
  }
  if ((options.initTimeoutMs ?? 0) > DEFAULT_BUDGET_MS) {
    const found = `member ${actor.name} of application ${application} has an initTimeoutMs of ${options.initTimeoutMs}`;
    throw actorError("actor.not_allowed", `${found}, expected at most ${DEFAULT_BUDGET_MS}`);
  }
}
