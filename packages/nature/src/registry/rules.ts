import { isDeepStrictEqual } from "node:util";
import { MetanodeError } from "@metanode/core/errors";
import { codeOf } from "@metanode/core/internal";
import { Catalog, type Declarations } from "../catalog/catalog.ts";
import { relationName } from "../catalog/normal.ts";
import { natureError } from "../errors.ts";
import { type LoadedMeta, loadMeta, type Meta } from "../meta/meta.ts";
import { formatMetaString, type MetaString, parseMetaString } from "../meta/meta-string.ts";
import type { StateRules } from "../meta/state-set.ts";

/**
 * What an edit may do.
 *
 *  G1. What is declared after it fits together. What did not fit before may stay as it is.
 *  G2. A meta is deleted, or disabled, only when no relation and no other meta that stays needs it; and deleted only when no instance of it
 *      is stored.
 *  G3. While instances of a meta are stored, its states change only so that every set of states that was allowed is so still: states may
 *      be added, and alternatives made independent. A state is not taken away, two are not made to exclude each other, and a meta
 *      without states does not get any, nor the other way round. For all that there is the next version of the meta.
 *
 * Type, key and version of a meta are its name: with another one it is another meta.
 */

/** What needs a meta. */
export interface MetaUses {
  /** Names of relations from or to it. */
  readonly relations: readonly string[];
  /** Metas whose master it is, or that stand for it. */
  readonly metas: readonly MetaString[];
}

/** What needs a meta, be it enabled or not. All in its normal form. */
export function usesOf(meta: MetaString, { metas, relations }: Declarations): MetaUses {
  const is = (name: string | undefined): boolean => name === meta;
  return {
    relations: relations.filter(({ from, to }) => is(from) || is(to)).map(relationName),
    metas: metas
      .filter((one) => !is(one.meta) && (is(one.settings?.master) || (one.settings?.multiMeta ?? []).some(is)))
      .map((one) => one.meta),
  };
}

/** An edit with what is declared before and after it. */
export interface EditInQuestion {
  readonly before: Declarations;
  readonly after: Declarations;
  readonly catalogBefore: Catalog;
  /** Whether any instance of a meta is stored. */
  readonly hasInstances: (meta: MetaString) => Promise<boolean>;
}

/** Checks an edit. @returns what is in force after it @throws meta.in_use, and whatever does not fit */
export async function checkEdit({ before, after, catalogBefore, hasInstances }: EditInQuestion): Promise<Catalog> {
  const kept = new Map(after.metas.map((meta) => [meta.meta, meta]));
  for (const old of before.metas) {
    const meta = kept.get(old.meta);
    if (meta === undefined) await checkDelete(old.meta, after, hasInstances);
    else if (!isDeepStrictEqual(old, meta)) await checkChange(old, meta, { after, hasInstances });
  }
  const catalog = new Catalog(after);
  checkFit(catalogBefore, catalog);
  return catalog;
}

async function checkDelete(meta: MetaString, after: Declarations, hasInstances: EditInQuestion["hasInstances"]): Promise<void> {
  const uses = usesOf(meta, after);
  if (uses.relations.length + uses.metas.length > 0) throw inUse(meta, "deleted", uses);
  if (await hasInstances(meta)) {
    throw natureError("meta.in_use", `meta ${meta} cannot be deleted: instances of it are stored; disable it`, {
      details: { meta, instances: true },
    });
  }
}

async function checkChange(old: Meta, meta: Meta, { after, hasInstances }: Pick<EditInQuestion, "after" | "hasInstances">) {
  if (meta.enabled === false && old.enabled !== false) {
    const enabled = {
      metas: after.metas.filter((one) => one.enabled !== false),
      relations: after.relations.filter((one) => one.enabled),
    };
    const uses = usesOf(meta.meta, enabled);
    if (uses.relations.length + uses.metas.length > 0) throw inUse(meta.meta, "disabled", uses);
  }
  const problem = contradiction(old, meta);
  if (problem === undefined || !(await hasInstances(meta.meta))) return;
  const name = parseMetaString(meta.meta);
  const next = formatMetaString({ ...name, version: name.version + 1 });
  throw natureError("meta.in_use", `meta ${meta.meta}: ${problem}, but instances of it are stored; declare ${next} instead`, {
    details: { meta: meta.meta, instances: true },
  });
}

function inUse(meta: MetaString, what: string, { relations, metas }: MetaUses): Error {
  const users = [...relations.map((name) => `relation ${name}`), ...metas.map((name) => `meta ${name}`)];
  return natureError(
    "meta.in_use",
    `meta ${meta} cannot be ${what}: ${users.join(", ")} ${users.length > 1 ? "need" : "needs"} it`,
    {
      details: { meta, relations, metas },
    },
  );
}

/** What of a change instances that are stored would contradict (G3). A meta that did not load has had none. */
export function contradiction(old: Meta, meta: Meta): string | undefined {
  let before: LoadedMeta;
  try {
    before = loadMeta(old);
  } catch {
    return undefined;
  }
  const after = loadMeta(meta);
  if (before.isStateful !== after.isStateful) return after.isStateful ? "it would get states" : "it would lose its states";
  const gone = before.states.names.find((name) => !after.states.has(name));
  if (gone !== undefined) return `the state ${gone} would go`;
  const pair = newExclusion(before.states, after.states);
  return pair && `the states ${pair[0]} and ${pair[1]} would exclude each other`;
}

function newExclusion(before: StateRules, after: StateRules): [string, string] | undefined {
  const { names } = before;
  for (const [at, one] of names.entries()) {
    const other = names.slice(at + 1).find((name) => after.excludes(one, name) && !before.excludes(one, name));
    if (other !== undefined) return [one, other];
  }
  return undefined;
}

/** G1. */
function checkFit(before: Catalog, after: Catalog): void {
  const old = new Set(before.problems.map(({ what, error }) => `${what} ${error.message}`));
  const fresh = after.problems.filter(({ what, error }) => !old.has(`${what} ${error.message}`));
  const [first] = fresh;
  if (first === undefined) return;
  const { what, error } = first;
  const more = fresh.length === 1 ? "" : `; and ${fresh.length - 1} more`;
  const text = error.message.includes(what) ? error.message : `${what}: ${error.message}`;
  const details = {
    ...(error as MetanodeError).details,
    problems: fresh.map((one) => ({ what: one.what, text: one.error.message })),
  };
  throw new MetanodeError(codeOf(error) ?? "meta.invalid", `${text}${more}`, { details, cause: error });
}
