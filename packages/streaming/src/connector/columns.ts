import { z } from "zod";
import { readValue } from "../record/value.ts";
import type { LoadedRecord } from "./load.ts";

/** Settings that sinks into tables share. */
export const tableSettings = z.object({
  table: z.string().min(1).describe("The table; it has to be there."),
  columns: z
    .record(z.string().min(1), z.string())
    .refine((columns) => Object.keys(columns).length > 0, "name at least one column")
    .describe("For each column the path into the record: `user.id`; an empty one is the whole record."),
  key: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Columns with a unique index: a row that is there already is replaced. Without, ids of records are kept in a table.",
    ),
  maxRecords: z.int().min(1).max(10_000).default(1_000).describe("Most records of one transaction."),
  maxWaitMs: z.int().min(0).default(0).describe("How long records wait for others of their transaction."),
});

export type TableSettings = z.infer<typeof tableSettings>;

/** Where ids of records are kept that have been written without a key. */
export const ID_TABLE = "metanode_records";

/** A name as SQL says it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Reads the columns of a record; what is not there is null. */
export function rowReader({ columns }: TableSettings): (record: unknown) => unknown[] {
  const paths = Object.values(columns).map((path) => (path === "" ? [] : path.split(".")));
  return (record) => {
    const value = readValue(record);
    return paths.map((path) => valueAt(value, path) ?? null);
  };
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const part of path) found = typeof found === "object" && found !== null ? Reflect.get(found, part) : undefined;
  return found;
}

/** A record as a row. */
export interface Row {
  readonly id: string;
  readonly values: readonly unknown[];
}

/** Rows of which none has the key of another: of those that would replace each other the last one counts. */
export function rowsOf(records: Iterable<LoadedRecord>, settings: TableSettings): Row[] {
  const read = rowReader(settings);
  const names = Object.keys(settings.columns);
  const keys = settings.key.map((name) => names.indexOf(name));
  const rows = new Map<string, Row>();
  for (const { record, id } of records) {
    const values = read(record);
    const key = keys.length === 0 ? id : JSON.stringify(keys.map((index) => values[index]));
    rows.delete(key); // it goes to the end, where the last one belongs
    rows.set(key, { id, values });
  }
  return [...rows.values()];
}

/** What a conflict of keys does: the other columns are replaced. */
export function onConflict({ columns, key }: TableSettings): string {
  if (key.length === 0) return "";
  const others = Object.keys(columns).filter((name) => !key.includes(name));
  const set = others.map((name) => `${quoted(name)} = excluded.${quoted(name)}`).join(", ");
  return ` ON CONFLICT (${key.map(quoted).join(", ")}) DO ${set === "" ? "NOTHING" : `UPDATE SET ${set}`}`;
}
