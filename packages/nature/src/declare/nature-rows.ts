import { rejectUnknownKeys } from "@metanode/core/internal";
import { Catalog, type Declarations } from "../catalog/catalog.ts";
import { normalMeta, normalRelation, relationName } from "../catalog/normal.ts";
import { isSchema } from "../instance/schema.ts";
import type { Meta } from "../meta/meta.ts";
import { canonicalMeta, NULL_META, parseMetaString } from "../meta/meta-string.ts";
import type { Relation } from "../relation/relation.ts";
import { optionalFlag, optionalList, optionalObject, optionalText, refuse } from "../shape.ts";
import { type Note, Notes } from "./nature-note.ts";
import { fromNatureConfig, fromNatureSettings, toNatureConfig, toNatureSettings } from "./nature-settings.ts";

/** A row of Nature's table `meta`. @source spec of the workflow model, §10 */
export interface NatureMetaRow {
  readonly meta_type: string;
  readonly meta_key: string;
  readonly description: string;
  readonly version: number;
  readonly states: string;
  readonly fields: string;
  readonly config: string;
  /** 1 = enabled. */
  readonly flag: number;
}

/** A row of Nature's table `relation`. @source spec of the workflow model, §10 */
export interface NatureRelationRow {
  readonly from_meta: string;
  readonly to_meta: string;
  readonly settings: string;
  /** 1 = enabled. */
  readonly flag: number;
}

/** What Nature keeps of its declarations, under the names of its tables. */
export interface NatureRows {
  readonly meta: readonly NatureMetaRow[];
  readonly relation: readonly NatureRelationRow[];
}

/** The columns of Nature's tables, in their order there. */
export const NATURE_COLUMNS = {
  meta: ["id", "meta_type", "meta_key", "description", "version", "states", "fields", "config", "flag", "create_time"],
  relation: ["id", "from_meta", "to_meta", "settings", "flag"],
} as const;

/** Characters that its columns hold. */
const MAX_LENGTH: Readonly<Record<string, number>> = {
  meta_key: 255,
  description: 1_023,
  states: 1_023,
  fields: 1_023,
  config: 2_047,
  from_meta: 255,
  to_meta: 255,
  settings: 2_047,
};

/** Declarations as Nature's rows, and what of them Nature does not understand. @throws meta.syntax, config.invalid */
export function toNatureRows({ metas, relations }: Declarations): { readonly rows: NatureRows; readonly notes: readonly Note[] } {
  const notes = new Notes();
  const rows = {
    meta: metas.map((one) => toMetaRow(normalMeta(one), notes)),
    relation: relations.map((one) => toRelationRow(normalRelation(one), notes)),
  };
  return { rows, notes: notes.all };
}

function toMetaRow({ meta, description = "", states = "", fields, settings = {}, enabled }: Meta, notes: Notes): NatureMetaRow {
  notes.about(meta);
  const { type, key, version } = parseMetaString(meta);
  if (fields !== undefined) {
    notes.add(
      "lost",
      "fields",
      isSchema(fields) ? "Nature does not check content" : "is no JSON Schema with a keyword in it: it will not be read back",
    );
  }
  if (settings.retentionMs !== undefined) notes.add("lost", "settings.retentionMs", "Nature keeps instances for ever");
  const row = {
    meta_type: type,
    meta_key: key,
    description,
    version,
    states,
    fields: fields === undefined ? "" : JSON.stringify(fields),
    config: JSON.stringify(toNatureConfig(settings)),
    flag: enabled === false ? 0 : 1,
  };
  checkLengths(row, notes);
  return row;
}

function toRelationRow(relation: Relation, notes: Notes): NatureRelationRow {
  const { from, to, settings, enabled } = relation;
  notes.about(relationName(relation));
  const row = {
    from_meta: from,
    to_meta: to,
    settings: JSON.stringify(toNatureSettings(settings, notes)),
    flag: enabled ? 1 : 0,
  };
  checkLengths(row, notes);
  return row;
}

function checkLengths(row: object, notes: Notes): void {
  for (const [column, value] of Object.entries(row)) {
    const max = MAX_LENGTH[column];
    if (max !== undefined && [...String(value)].length > max) {
      notes.add("lost", column, `is longer than the ${max} characters that Nature's column holds`);
    }
  }
}

/**
 * Declarations from Nature's rows, with everything that is not the same told. Old spellings are brought up to date where their meaning is
 * certain. What comes back fits together: what did not is refused, with what needs it.
 * @throws config.invalid – these are no rows
 */
export function fromNatureRows(given: unknown): { readonly declarations: Declarations; readonly notes: readonly Note[] } {
  const rows = optionalObject("rows", given) ?? refuse("rows", given, "an object with the rows of meta and relation");
  rejectUnknownKeys("rows", rows, ["meta", "relation"]);
  const notes = new Notes();
  const metas = (optionalList("rows.meta", rows.meta) ?? []).flatMap((row, at) => fromMetaRow(row, at, notes));
  const relations = (optionalList("rows.relation", rows.relation) ?? []).flatMap((row, at) => fromRelationRow(row, at, notes));
  return { declarations: fitting({ metas, relations }, notes), notes: notes.all };
}

function fromMetaRow(given: unknown, at: number, notes: Notes): Meta[] {
  notes.about(`meta[${at}]`);
  const meta = notes.attempt((): Meta => {
    const row = rowOf("meta", given, notes);
    const name = `${textOf("meta_type", row)}:${textOf("meta_key", row)}:${String(row.version ?? "")}`;
    notes.about(name);
    return normalMeta({
      meta: canonicalMeta(name),
      description: textOf("description", row),
      states: textOf("states", row),
      ...fieldsOf(row.fields, notes),
      settings: fromNatureConfig(jsonOf("config", row), notes),
      enabled: isEnabled(row.flag),
    });
  });
  if (meta?.meta !== NULL_META) return meta === undefined ? [] : [meta];
  notes.add("changed", "", `${NULL_META} is there by itself and needs no declaration`);
  return [];
}

function fromRelationRow(given: unknown, at: number, notes: Notes): Relation[] {
  notes.about(`relation[${at}]`);
  const relation = notes.attempt((): Relation => {
    const row = rowOf("relation", given, notes);
    const ends = { from: textOf("from_meta", row), to: textOf("to_meta", row) };
    notes.about(relationName(ends));
    const settings = jsonOf("settings", row) as Record<string, unknown>;
    return normalRelation({ ...ends, settings: fromNatureSettings(settings, notes), enabled: isEnabled(row.flag) });
  });
  return relation === undefined ? [] : [relation];
}

/** A row with only columns that there are. */
function rowOf(table: keyof typeof NATURE_COLUMNS, given: unknown, notes: Notes): Readonly<Record<string, unknown>> {
  const row = optionalObject(table, given) ?? refuse(table, given, "a row");
  const known: readonly string[] = NATURE_COLUMNS[table];
  for (const column of Object.keys(row)) {
    if (!known.includes(column)) notes.add("lost", column, `is no column of ${table}; they are ${known.join(", ")}`);
  }
  return row;
}

function textOf(column: string, row: Readonly<Record<string, unknown>>): string {
  return optionalText(column, row[column]) ?? "";
}

/** JSON in a column, mostly as text; an empty one is an empty object. */
function jsonOf(column: string, row: Readonly<Record<string, unknown>>): object {
  const value = row[column];
  if (typeof value !== "string") return optionalObject(column, value) ?? {};
  if (value.trim() === "") return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    parsed = undefined;
  }
  return typeof parsed === "object" && !Array.isArray(parsed) ? (parsed ?? {}) : refuse(column, value, "a JSON object");
}

/** Nature never reads it, so it may hold anything; a JSON Schema is taken for one. */
function fieldsOf(given: unknown, notes: Notes): { readonly fields?: object } {
  if (given === undefined || given === null || given === "") return {};
  let fields: unknown = given;
  try {
    if (typeof given === "string") fields = JSON.parse(given);
  } catch {
    fields = undefined;
  }
  if (isSchema(fields)) return { fields };
  notes.add("lost", "fields", "is no JSON Schema of the content, so it is left out");
  return {};
}

/** A row without a flag is enabled, as in the database; another number than 1 means that it is not. */
function isEnabled(flag: unknown): boolean {
  if (typeof flag === "boolean") return optionalFlag("flag", flag) ?? true;
  return flag === undefined || flag === null || Number(flag) === 1;
}

/** Without what is there twice, or does not fit. */
function fitting({ metas, relations }: Declarations, notes: Notes): Declarations {
  const once = <T>(all: readonly T[], nameOf: (one: T) => string): T[] => {
    const seen = new Set<string>();
    return all.filter((one) => {
      const name = nameOf(one);
      if (seen.has(name)) notes.about(name).add("refused", "", "stands there a second time");
      return !seen.has(name) && seen.add(name);
    });
  };
  const unique = { metas: once(metas, ({ meta }) => meta), relations: once(relations, relationName) };
  const misfits = new Set<string>();
  for (const { what, error } of new Catalog(unique).problems) {
    misfits.add(what);
    notes.about(what).add("refused", "", error.message);
  }
  return {
    metas: unique.metas.filter(({ meta }) => !misfits.has(meta)),
    relations: unique.relations.filter((one) => !misfits.has(relationName(one))),
  };
}
