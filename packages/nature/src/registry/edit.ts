import { isDeepStrictEqual } from "node:util";
import { nearest } from "@metanode/core/internal";
import type { Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation, relationName } from "../catalog/normal.ts";
import { natureError } from "../errors.ts";
import type { Meta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString, NULL_META } from "../meta/meta-string.ts";
import type { Relation } from "../relation/relation.ts";
import type { RegistryEdit } from "../store/admin.ts";

/** One step of an edit. `create` wants that it is not there yet, `change` and `delete` that it is; `put` takes either. */
export type Edit =
  | { readonly op: "create-meta" | "change-meta" | "put-meta"; readonly meta: Meta }
  | { readonly op: "enable-meta" | "disable-meta" | "delete-meta"; readonly meta: MetaString }
  | { readonly op: "create-relation" | "change-relation" | "put-relation"; readonly relation: Relation }
  | {
      readonly op: "enable-relation" | "disable-relation" | "delete-relation";
      readonly from: MetaString;
      readonly to: MetaString;
    };

/**
 * What is declared after some edits, in their order. What there is comes in its normal form, as far as it has one;
 * whether all fits together is not looked at.
 * @throws meta.exists, meta.unknown, relation.exists, relation.unknown, meta.syntax, config.invalid
 */
export function edited({ metas, relations }: Declarations, edits: readonly Edit[]): Declarations {
  const byMeta = new Map(metas.map((meta) => [meta.meta, meta]));
  const byRelation = new Map(relations.map((relation) => [relationName(relation), relation]));
  for (const edit of edits) {
    if ("from" in edit || "relation" in edit) editRelation(byRelation, edit);
    else editMeta(byMeta, edit);
  }
  return { metas: [...byMeta.values()], relations: [...byRelation.values()] };
}

type MetaEdit = Extract<Edit, { meta: unknown }>;
type RelationEdit = Exclude<Edit, MetaEdit>;

function editMeta(metas: Map<MetaString, Meta>, edit: MetaEdit): void {
  if (typeof edit.meta === "object") {
    const meta = normalMeta(edit.meta);
    if (meta.meta === NULL_META) throw natureError("meta.exists", `${NULL_META} is there by itself and needs no declaration`);
    if (edit.op === "create-meta" && metas.has(meta.meta)) {
      throw natureError("meta.exists", `meta ${meta.meta} is declared already; change it, or make the next version`, {
        details: { meta: meta.meta },
      });
    }
    if (edit.op === "change-meta") need(metas, meta.meta, "meta");
    metas.set(meta.meta, meta);
    return;
  }
  const name = metas.has(edit.meta) ? edit.meta : canonicalMeta(edit.meta);
  const found = need(metas, name, "meta");
  if (edit.op === "delete-meta") metas.delete(name);
  else metas.set(name, normalMeta({ ...found, enabled: edit.op === "enable-meta" }));
}

function editRelation(relations: Map<string, Relation>, edit: RelationEdit): void {
  if ("relation" in edit) {
    const relation = normalRelation(edit.relation);
    const name = relationName(relation);
    if (edit.op === "create-relation" && relations.has(name)) {
      throw natureError("relation.exists", `there is a relation ${name} already; change it`, { details: { relation: name } });
    }
    if (edit.op === "change-relation") need(relations, name, "relation");
    relations.set(name, relation);
    return;
  }
  const { from, to } = edit;
  const given = relationName(edit);
  const name = relations.has(given) ? given : relationName({ from: canonicalMeta(from), to: canonicalMeta(to) });
  const found = need(relations, name, "relation");
  if (edit.op === "delete-relation") relations.delete(name);
  else relations.set(name, normalRelation({ ...found, enabled: edit.op === "enable-relation" }));
}

function need<T>(table: ReadonlyMap<string, T>, name: string, kind: "meta" | "relation"): T {
  const found = table.get(name);
  if (found !== undefined) return found;
  const near = nearest(name, [...table.keys()]);
  throw natureError(`${kind}.unknown`, `there is no ${kind} ${name}${near === undefined ? "" : `; did you mean ${near}?`}`, {
    details: { [kind]: name, ...(near === undefined ? {} : { suggestion: near }) },
  });
}

/** What a store has to do so that `before` becomes `after`; nothing for what is the same. */
export function storeEdits(before: Declarations, after: Declarations): RegistryEdit[] {
  const edits: RegistryEdit[] = [];
  const metas = new Map(before.metas.map((meta) => [meta.meta, meta]));
  for (const meta of after.metas) {
    if (!isDeepStrictEqual(metas.get(meta.meta), meta)) edits.push({ op: "put-meta", meta });
    metas.delete(meta.meta);
  }
  const relations = new Map(before.relations.map((relation) => [relationName(relation), relation]));
  for (const relation of after.relations) {
    if (!isDeepStrictEqual(relations.get(relationName(relation)), relation)) edits.push({ op: "put-relation", relation });
    relations.delete(relationName(relation));
  }
  for (const { from, to } of relations.values()) edits.push({ op: "delete-relation", from, to });
  for (const meta of metas.keys()) edits.push({ op: "delete-meta", meta });
  return edits;
}
