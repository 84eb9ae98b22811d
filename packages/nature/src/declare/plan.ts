import { isDeepStrictEqual } from "node:util";
import type { Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation, normalRows, relationName } from "../catalog/normal.ts";
import type { Meta } from "../meta/meta.ts";
import type { Relation } from "../relation/relation.ts";

/** A member of a meta or relation that is to be another one; undefined = it is not there. */
export interface FieldChange {
  /** For example `settings.target.addStates`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** One meta or relation that is to be added, changed or removed. */
export type PlannedChange = {
  readonly action: "add" | "change" | "remove";
  /** A meta-string, or `from -> to`. */
  readonly name: string;
  /** What a change is about; of what is added everything, of what is removed nothing. */
  readonly fields: readonly FieldChange[];
} & (
  | { readonly kind: "meta"; readonly before: Meta | undefined; readonly after: Meta | undefined }
  | { readonly kind: "relation"; readonly before: Relation | undefined; readonly after: Relation | undefined }
);

/** What has to happen so that the registry says what is declared. Plain data: it can be shown, sent and applied later. */
export interface ChangePlan {
  /** The version of the registry that it was made for, if known. */
  readonly version: number | undefined;
  /** Metas before relations, removals last. */
  readonly changes: readonly PlannedChange[];
  /** How many are as declared already. */
  readonly unchanged: number;
  /** Names of what is in the registry, is not declared, and stays. */
  readonly leftAlone: readonly string[];
}

/** How a plan is made. */
export interface PlanOptions {
  /** Removes what is not declared. @default false – it is left alone */
  readonly prune?: boolean;
}

/** Compares what is declared with what a registry has. @throws meta.syntax, config.invalid */
export function planChanges(
  declared: Declarations,
  current: Declarations & { readonly version?: number },
  { prune = false }: PlanOptions = {},
): ChangePlan {
  const there = normalRows(current);
  const metas = compare<Meta>(
    "meta",
    declared.metas.map((one) => normalMeta(one)),
    there.metas,
  );
  const relations = compare<Relation>(
    "relation",
    declared.relations.map((one) => normalRelation(one)),
    there.relations,
  );
  const removals = [...relations.removals, ...metas.removals];
  return {
    version: current.version,
    changes: [...metas.changes, ...relations.changes, ...(prune ? removals : [])],
    unchanged: metas.unchanged + relations.unchanged,
    leftAlone: prune ? [] : removals.map(({ name }) => name),
  };
}

interface Comparison {
  readonly changes: readonly PlannedChange[];
  readonly removals: readonly PlannedChange[];
  readonly unchanged: number;
}

function compare<T extends Meta | Relation>(
  kind: "meta" | "relation",
  declared: readonly T[],
  current: readonly T[],
): Comparison {
  const there = new Map(current.map((one) => [nameOf(one), one]));
  const changes: PlannedChange[] = [];
  let unchanged = 0;
  for (const after of declared) {
    const name = nameOf(after);
    const before = there.get(name);
    there.delete(name);
    if (isDeepStrictEqual(before, after)) unchanged++;
    else {
      // What an added one is called stands in its name, and that it is enabled goes without saying.
      const fields = differences(before ?? (kind === "meta" ? {} : { enabled: true }), after).filter(
        ({ path }) => !["meta", "from", "to"].includes(path),
      );
      changes.push({ action: before === undefined ? "add" : "change", kind, name, before, after, fields } as PlannedChange);
    }
  }
  const removals = [...there].map(
    ([name, before]) => ({ action: "remove", kind, name, before, after: undefined, fields: [] }) as unknown as PlannedChange,
  );
  return { changes, removals, unchanged };
}

function nameOf(one: Meta | Relation): string {
  return "meta" in one ? one.meta : relationName(one);
}

/** The members that differ, by their paths. Lists are compared as a whole. */
function differences(before: unknown, after: unknown, path = ""): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [a, b] = [before, after].map((value) => (isMembers(value) ? value : undefined));
  if ((a ?? b) === undefined || (a === undefined && before !== undefined) || (b === undefined && after !== undefined)) {
    return [{ path, before, after }];
  }
  return [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].flatMap((name) =>
    differences(a?.[name], b?.[name], path === "" ? name : `${path}.${name}`),
  );
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const SIGNS = { add: "+", change: "~", remove: "-" } as const;

/** A plan for people: one line for each meta and relation, its changed members below it, a summary last. */
export function planText({ changes, unchanged, leftAlone }: ChangePlan): string {
  const count = (action: PlannedChange["action"]): number => changes.filter((change) => change.action === action).length;
  const lines = changes.flatMap(({ action, kind, name, fields }) => [
    `${SIGNS[action]} ${kind} ${name}`,
    ...fields.map(({ path, before, after }) =>
      action === "add" ? `    ${path}: ${shown(after)}` : `    ${path}: ${shown(before)} -> ${shown(after)}`,
    ),
  ]);
  const rest = leftAlone.length === 0 ? "" : `; ${leftAlone.length} not declared here and left alone`;
  const summary = `${count("add")} to add, ${count("change")} to change, ${count("remove")} to remove; ${unchanged} as declared${rest}`;
  return [...lines, ...(lines.length === 0 ? [] : [""]), summary].join("\n");
}

function shown(value: unknown): string {
  return value === undefined ? "(none)" : JSON.stringify(value);
}
