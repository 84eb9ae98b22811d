import { boundOf, type Cell, INSTANCE_COLUMNS } from "./rows.ts";
import type { RangeQuery, TaskRange } from "./store.ts";

/** A statement and its values; placeholders are `$1`, `$2` … */
export interface Sql {
  readonly text: string;
  readonly values: readonly Cell[];
}

/** Conditions joined with AND. */
class Where {
  readonly values: Cell[] = [];
  readonly #conditions: string[] = [];

  add(condition: string, value: Cell): void {
    this.#conditions.push(`${condition} ${this.#place(value)}`);
  }

  /** A bound is compared part by part, as one value. */
  bound(columns: readonly string[], operator: string, bound: string | undefined): void {
    if (bound === undefined || bound === "") return;
    const cells = boundOf(bound);
    const places = cells.map((cell) => this.#place(cell));
    this.#conditions.push(`(${columns.slice(0, cells.length).join(", ")}) ${operator} (${places.join(", ")})`);
  }

  #place(value: Cell): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  get text(): string {
    return this.#conditions.length === 0 ? "" : `WHERE ${this.#conditions.join(" AND ")}`;
  }
}

const KEY = ["meta", "id", "para", "version"];
const TASK_KEY = KEY.map((name) => `from_${name}`);

/** A page of a range of keys. @throws instance.invalid – a bound is none */
export function rangeSql(query: RangeQuery): Sql {
  const { meta, keyGt, keyGe, keyLt, keyLe, createdGeMs, createdLtMs, limit } = query;
  const where = new Where();
  if (meta !== undefined) where.add("meta =", meta);
  where.bound(KEY, ">", keyGt);
  where.bound(KEY, ">=", keyGe);
  where.bound(KEY, "<", keyLt);
  where.bound(KEY, "<=", keyLe);
  if (createdGeMs !== undefined) where.add("created_ms >=", createdGeMs);
  if (createdLtMs !== undefined) where.add("created_ms <", createdLtMs);
  const text = `SELECT ${INSTANCE_COLUMNS.join(", ")} FROM instance ${where.text} ORDER BY ${KEY.join(", ")} LIMIT ${Math.floor(limit)}`;
  return { text, values: where.values };
}

/** How many tasks there are between two bounds. @throws instance.invalid – a bound is none */
export function countTasksSql(query: TaskRange): Sql {
  const where = new Where();
  where.bound(TASK_KEY, ">", query.keyGt);
  where.bound(TASK_KEY, "<", query.keyLt);
  if (query.dueGeMs !== undefined) where.add("due_ms >=", query.dueGeMs);
  if (query.createdLtMs !== undefined) where.add("created_ms <", query.createdLtMs);
  return { text: `SELECT count(*) FROM task ${where.text}`, values: where.values };
}
