import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { coreError } from "../errors.ts";
import { rejectUnknownKeys } from "../options.ts";
import type { NodeCard } from "../tree/card.ts";
import { parseSelector, type Selector } from "../tree/selector.ts";
import { compileGlob, type Glob, plainPrefix } from "./glob.ts";

/*
 * A1. Default deny: what no rule allows is denied. Facts alone are allowed where no rule says otherwise.
 * A2. The first rule that fits decides.
 * A3. An allowing rule is held against the one place that will be touched, after every link; a denying rule against every
 *     name that leads there. So a link can neither lead out of what is allowed nor around what is denied.
 */

/** What can be asked of a host: one word for each message type `metanode.host.<verb>`. */
export type HostVerb = "facts" | "exec" | "push" | "pull" | "unit" | "log";

export const HOST_VERBS: readonly HostVerb[] = ["facts", "exec", "push", "pull", "unit", "log"];

/** Allows or denies some verbs to some callers. */
export interface HostRule {
  readonly verbs: readonly HostVerb[];
  /**
   * Globs of what it is about: of files for push, pull and log; of programs for exec, by path, or by name where the caller
   * gives a name and leaves the path to the node; of names for unit and for logs of units. Names that begin with a dot fit `*`.
   * @default anything
   */
  readonly paths?: readonly string[];
  /** Globs over the caller: `role:admin`, `/root/eu/*`; `*` stays within one segment of a path. @default anybody */
  readonly callers?: readonly string[];
  /**
   * Selector of the nodes that the rule is for, `region=eu & !canary=*`, as in messages for all: one file of rules can then serve many
   * nodes. A node that is in no tree is none of those that may, and one of those that may not. @default every node
   */
  readonly where?: string;
  /**
   * Globs of the variables that the caller may set for a program: many a variable makes another program of the one that is
   * allowed. @default none where `paths` names programs, else any
   */
  readonly env?: readonly string[];
  /** @default "allow" */
  readonly effect?: "allow" | "deny";
}

/** What an attempt is about. */
export interface Target {
  /** The places that an allowing rule must name one of. */
  readonly places: readonly string[];
  /** Every name that leads there; a denying rule needs one of them. */
  readonly names: readonly string[];
}

/** What the rules say. */
export interface Decision {
  readonly allowed: boolean;
  /** Whether the caller may set a variable of that name for a program. */
  readonly mayCarry: Glob;
}

const anything: Glob = () => true;

interface CompiledRule {
  readonly verbs: ReadonlySet<HostVerb>;
  readonly callers: readonly Glob[] | undefined;
  readonly where: Selector | undefined;
  readonly isAllowing: boolean;
  readonly mayCarry: Glob;
  /** Undefined where the rule is about anything. */
  readonly paths: readonly Glob[] | undefined;
}

/** The rules of one host, compiled. */
export class Rules {
  readonly #rules: readonly CompiledRule[];

  /** @throws {MetanodeError} config.invalid – with the path of what is wrong */
  constructor(rules: readonly HostRule[]) {
    this.#rules = rules.map((rule, index) => compileRule(rule, `rules[${index}]`));
  }

  /** Whether the card of the node matters. */
  get needsCard(): boolean {
    return this.#rules.some(({ where }) => where !== undefined);
  }

  decide(verb: HostVerb, caller: string, target: Target | undefined, card?: NodeCard): Decision {
    for (const rule of this.#rules) {
      if (!rule.verbs.has(verb)) continue;
      if (rule.callers !== undefined && !rule.callers.some((fits) => fits(caller))) continue;
      // In doubt it is denied: the rule of a node that is not known allows nothing, and denies.
      if (rule.where !== undefined && (card === undefined ? rule.isAllowing : !rule.where.matches(card))) continue;
      if (rule.paths !== undefined && !isAbout(rule.paths, rule.isAllowing ? target?.places : target?.names)) continue;
      return { allowed: rule.isAllowing, mayCarry: rule.mayCarry };
    }
    return { allowed: verb === "facts", mayCarry: anything };
  }
}

function isAbout(globs: readonly Glob[], texts: readonly string[] = []): boolean {
  return texts.some((text) => globs.some((fits) => fits(text)));
}

function compileRule(rule: HostRule, path: string): CompiledRule {
  rejectUnknownKeys(path, rule, ["verbs", "paths", "callers", "where", "env", "effect"]);
  const { verbs, paths, callers, where, env, effect = "allow" } = rule;
  const unknown = Array.isArray(verbs) ? verbs.find((verb) => !HOST_VERBS.includes(verb)) : verbs;
  if (!Array.isArray(verbs) || unknown !== undefined) throw wrong(`${path}.verbs`, unknown, `a list of ${HOST_VERBS.join(", ")}`);
  if (effect !== "allow" && effect !== "deny") throw wrong(`${path}.effect`, effect, "allow or deny");
  const isAllowing = effect === "allow";
  const names = globsOf(env ?? (paths === undefined ? undefined : []), `${path}.env`)?.map((glob) =>
    compileGlob(glob, `${path}.env`),
  );
  return {
    verbs: new Set(verbs),
    callers: globsOf(callers, `${path}.callers`)?.map((glob) => compileGlob(glob, `${path}.callers`)),
    where: where === undefined ? undefined : selectorOf(where, `${path}.where`),
    isAllowing,
    mayCarry: names === undefined ? anything : (name) => names.some((fits) => fits(name)),
    paths: globsOf(paths, `${path}.paths`)?.flatMap((glob) => {
      const onDisk = compileGlob(resolvedGlob(glob), `${path}.paths`);
      return isAllowing ? [onDisk] : [onDisk, compileGlob(glob, `${path}.paths`)];
    }),
  };
}

function selectorOf(text: unknown, path: string): Selector {
  if (typeof text !== "string" || text === "") throw wrong(path, text, "a selector of nodes, such as region=eu");
  try {
    return parseSelector(text);
  } catch (cause) {
    throw coreError("config.invalid", `${path}: ${(cause as Error).message}`, { cause, details: { path } });
  }
}

function globsOf(given: unknown, path: string): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (Array.isArray(given) && given.every((one) => typeof one === "string" && one !== "")) return given;
  throw wrong(path, given, "a list of globs");
}

function wrong(path: string, found: unknown, expected: string): Error {
  return coreError("config.invalid", `${path} is ${JSON.stringify(found)}, expected ${expected}`, {
    details: { path, expected },
  });
}

/**
 * A glob as the disk spells it: `/bin/*` is `/usr/bin/*` where `/bin` is a link. Once, at the start: a link that somebody
 * puts there later must not move what the rule allows.
 */
function resolvedGlob(glob: string): string {
  const { plain, rest } = plainPrefix(glob);
  if (plain === "" || !isAbsolute(plain)) return glob;
  const onDisk = realSync(resolve(plain));
  return `${(onDisk === "/" ? "" : onDisk).replace(/[*?[\]{}\\]/g, "\\$&")}${rest}`;
}

/** The real path of what exists of a path, and the rest as it is. */
function realSync(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realSync(parent), basename(path));
  }
}
