import { MetanodeError } from "@metanode/core/errors";
import { nearest } from "@metanode/core/internal";
import { Catalog, type Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation } from "../catalog/normal.ts";
import { natureError } from "../errors.ts";
import type { LocalExecutor } from "../executor/local.ts";
import type { Meta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString, NULL_META } from "../meta/meta-string.ts";
import type { Condition, ExecutorSpec, Relation, RelationSettings, Selector, TargetDemand } from "../relation/relation.ts";
import {
  type ExecutorUse,
  type FlowExecutors,
  type ForeignExecutor,
  isForeign,
  type NamedExecutor,
  type Role,
  toExecutorSpec,
} from "./executors.ts";
import type { KeyOf, KnownMetas, MetaOptions, MetaSpecs, SourceOf, StatesOf } from "./meta-spec.ts";

/** Conditions over states that there are. */
export interface StateCondition<State extends string> extends Condition {
  readonly none?: readonly State[];
  readonly all?: readonly State[];
  readonly any?: readonly State[];
}

/** The settings of a relation of a flow: those of {@link RelationSettings}, with states and executors that there are. */
export interface FlowRelationSettings<From extends string, To extends string, Executors>
  extends Omit<RelationSettings, "selector" | "downSelector" | "executor" | "before" | "after" | "target"> {
  readonly selector?: Omit<Selector, "states"> & { readonly states?: StateCondition<From> };
  readonly downSelector?: StateCondition<To>;
  readonly executor?: ExecutorUse<Executors, "convert">;
  readonly before?: readonly ExecutorUse<Executors, "before">[];
  readonly after?: readonly ExecutorUse<Executors, "after">[];
  readonly target?: Omit<TargetDemand, "addStates" | "removeStates"> & {
    readonly addStates?: readonly To[];
    readonly removeStates?: readonly To[];
  };
  /** @default true */
  readonly enabled?: boolean;
}

/** Makes a relation between two metas of a flow. */
export type Relate<Metas, Executors> = <From extends SourceOf<Metas>, To extends KeyOf<Metas>>(
  from: From,
  to: To,
  settings?: FlowRelationSettings<StatesOf<Metas, From>, StatesOf<Metas, To>, Executors>,
) => Relation;

/** What a flow is made of. */
export interface FlowParts<Metas extends MetaSpecs, Executors extends FlowExecutors> {
  readonly metas: Metas & KnownMetas<Metas>;
  /** Functions of this process, or where others are. */
  readonly executors?: Executors;
  readonly relations?: (relate: Relate<Metas, Executors>) => readonly Relation[];
}

/** Metas and relations that are declared as code, with the functions that they name. A flow is what a catalog or a plan is made of. */
export interface Flow<Metas extends MetaSpecs = MetaSpecs> extends Declarations {
  /** The meta-strings by the flow's own names, canonical: `input({ meta: shop.names.order, … })`. */
  readonly names: { readonly [Key in keyof Metas]: MetaString };
  /** The metas as they were given, to be used in another flow: `metas: { ...shop.specs, … }`. */
  readonly specs: Metas;
  /** Functions for the protocol `local`, by name. */
  readonly executors: Readonly<Record<string, LocalExecutor>>;
}

/**
 * Declares metas and relations. What does not fit together does not compile: a relation to an unknown meta, an unknown state, a wrong name
 * of an executor.
 *
 * ```ts
 * const shop = defineFlow({
 *   metas: {
 *     order: meta("B:sale/order:1"),
 *     state: meta("B:sale/orderState:1", { states: "new|paid|package", master: "order" }),
 *   },
 *   executors: { pack: { protocol: "http", url: "http://127.0.0.1:8082/pack" } },
 *   relations: (relate) => [
 *     relate("order", "state", { target: { addStates: ["new"] } }),
 *     relate("state", "state", { selector: { states: { all: ["paid"] } }, executor: "pack", target: { addStates: ["package"] } }),
 *   ],
 * });
 * ```
 *
 * @throws meta.syntax, meta.invalid, meta.exists, relation.invalid, relation.exists, instance.state, config.invalid – what only shows at run time
 */
export function defineFlow<const Metas extends MetaSpecs, const Executors extends FlowExecutors>(
  parts: FlowParts<Metas, Executors>,
): Flow<Metas> {
  const specs: MetaSpecs = parts.metas;
  const given: FlowExecutors = parts.executors ?? {};
  const names = Object.fromEntries(Object.entries(specs).map(([key, spec]) => [key, canonicalMeta(spec.meta)]));
  const nameOf = (key: string): MetaString => lookUp(names, key, "meta");
  const relate = (from: string, to: string, settings: LooseSettings = {}): Relation =>
    relationOf({ from: nameOf(from), to: nameOf(to), settings, executors: given });
  const declared = {
    metas: Object.values(specs).flatMap((spec) => metaOf(spec, nameOf)),
    relations: parts.relations?.(relate as Relate<Metas, Executors>) ?? [],
  };
  return {
    ...checked(declared),
    names: names as Flow<Metas>["names"],
    specs: parts.metas,
    executors: Object.fromEntries(
      Object.entries(given).filter((entry): entry is [string, LocalExecutor] => !isForeign(entry[1])),
    ),
  };
}

/** Declarations of which all fit together, in their normal form. @throws the first of what does not */
export function checked({ metas, relations }: Declarations): Declarations {
  const { problems } = new Catalog({ metas, relations });
  const [first, ...more] = problems.map(({ error }) => error);
  if (first instanceof MetanodeError && more.length > 0) {
    const text = [first, ...more].map(({ message }) => message).join("; ");
    throw new MetanodeError(first.code, text, {
      ...(first.details === undefined ? {} : { details: first.details }),
      cause: first,
    });
  }
  if (first !== undefined) throw first;
  return { metas: metas.map((one) => normalMeta(one)), relations: relations.map((one) => normalRelation(one)) };
}

/** The form that is stored. Nothing is declared of type N: all its metas are one, which is there by itself. */
function metaOf(
  { meta, options }: { readonly meta: string; readonly options: MetaOptions },
  nameOf: (key: string) => MetaString,
): Meta[] {
  if (canonicalMeta(meta) === NULL_META) return [];
  const { description, states, fields, enabled, master, multiMeta, ...rest } = options;
  const settings = {
    ...rest,
    ...(master === undefined ? {} : { master: nameOf(master) }),
    ...(multiMeta === undefined ? {} : { multiMeta: multiMeta.map(nameOf) }),
  };
  return [{ meta, settings, ...defined({ description, states, fields, enabled }) }];
}

/** The settings of a relation without what only the compiler knows of them. */
type LooseSettings = Omit<RelationSettings, "executor" | "before" | "after"> & {
  readonly executor?: LooseUse;
  readonly before?: readonly LooseUse[];
  readonly after?: readonly LooseUse[];
  readonly enabled?: boolean;
};
type LooseUse = NamedExecutor | ForeignExecutor;

function relationOf(given: {
  readonly from: MetaString;
  readonly to: MetaString;
  readonly settings: LooseSettings;
  readonly executors: FlowExecutors;
}): Relation {
  const { from, to, executors } = given;
  const { enabled = true, executor, before, after, ...settings } = given.settings;
  const spec = (use: LooseUse, role: Role): ExecutorSpec => specOf(use, role, executors);
  return {
    from,
    to,
    enabled,
    settings: {
      ...settings,
      ...(executor === undefined ? {} : { executor: spec(executor, "convert") }),
      ...(before === undefined ? {} : { before: before.map((use) => spec(use, "before")) }),
      ...(after === undefined ? {} : { after: after.map((use) => spec(use, "after")) }),
    },
  };
}

function specOf(use: LooseUse, role: Role, executors: FlowExecutors): ExecutorSpec {
  if (typeof use === "object" && "protocol" in use) return toExecutorSpec(use);
  const { name, settings, timeoutMs } = typeof use === "string" ? { name: use } : use;
  const found = lookUp(executors, name, "executor");
  const more = defined({ settings, timeoutMs });
  if (isForeign(found)) return toExecutorSpec({ ...found, ...more });
  const roles = typeof found === "function" ? ["convert"] : Object.keys(found);
  if (!roles.includes(role)) {
    throw natureError(
      "executor.unknown",
      `the executor ${JSON.stringify(name)} can be used as ${roles.join(" and ")}, not as ${role}`,
      {
        details: { executor: name, roles },
      },
    );
  }
  return toExecutorSpec({ protocol: "local", url: name, ...more });
}

function lookUp<T>(table: Readonly<Record<string, T>>, key: string, kind: "meta" | "executor"): T {
  const found = Object.hasOwn(table, key) ? table[key] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(table);
  const near = nearest(key, known);
  const hint = near === undefined ? `known are ${known.join(", ") || "none"}` : `did you mean ${near}?`;
  throw natureError(`${kind}.unknown`, `the flow has no ${kind} ${JSON.stringify(key)}; ${hint}`, {
    details: { [kind]: key, known },
  });
}

function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}
