import { type Note, Notes } from "./nature-note.ts";
import { NATURE_COLUMNS, type NatureRows } from "./nature-rows.ts";
import { SqlTokens } from "./sql-tokens.ts";

/*
 * Nature's rows as the statements that put them into its database (MySQL's dialect), and back from such statements. Only INSERT and REPLACE
 * with plain values are read: what a file of declarations consists of.
 */

type Table = keyof typeof NATURE_COLUMNS;
type Row = Record<string, unknown>;

/** One INSERT statement for each row. */
export function toNatureSql({ meta, relation }: NatureRows): string {
  const statements = [...meta.map((row) => insert("meta", row)), ...relation.map((row) => insert("relation", row))];
  return statements.map((statement) => `${statement};\n`).join("");
}

function insert(table: Table, row: object): string {
  const columns = Object.keys(row).map((name) => `\`${name}\``);
  return `INSERT INTO \`${table}\` (${columns.join(", ")}) VALUES (${Object.values(row).map(literal).join(", ")})`;
}

/** The backslash first: the others are written with it. */
const ESCAPES = [
  ["\\", "\\\\"],
  ["'", "''"],
  ["\0", "\\0"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\u001a", "\\Z"],
] as const;

function literal(value: unknown): string {
  if (typeof value === "number") return String(value);
  return `'${ESCAPES.reduce((text, [char, written]) => text.replaceAll(char, () => written), String(value))}'`;
}

/** The rows that the statements of a file would insert, and which of them were not read. @throws meta.syntax – it is no SQL; `details` say where */
export function fromNatureSql(text: string): {
  readonly rows: { readonly [T in Table]: Row[] };
  readonly notes: readonly Note[];
} {
  const rows: Record<Table, Row[]> = { meta: [], relation: [] };
  const notes = new Notes();
  const tokens = new SqlTokens(text);
  while (!tokens.isAtEnd) {
    notes.about(`line ${tokens.line}`);
    const verb = tokens.word()?.toUpperCase();
    if (verb === "INSERT" || verb === "REPLACE") readInsert(tokens, rows, notes);
    // What makes or prepares tables holds no declarations.
    else if (verb !== undefined && !HARMLESS.has(verb)) notes.add("lost", "", `${verb} is not read, only INSERT and REPLACE are`);
    tokens.endStatement();
  }
  return { rows, notes: notes.all };
}

const HARMLESS = new Set("CREATE DROP ALTER SET USE LOCK UNLOCK BEGIN START COMMIT TRUNCATE".split(" "));

function readInsert(tokens: SqlTokens, rows: Record<Table, Row[]>, notes: Notes): void {
  while (tokens.takesWord("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"));
  let name = tokens.name();
  while (tokens.takes(".")) name = tokens.name();
  const table = name.toLowerCase();
  if (table !== "meta" && table !== "relation") {
    notes.add("lost", "", `rows of the table ${name} are no declarations`);
    return;
  }
  const columns = tokens.takes("(") ? namesUntilClosed(tokens) : NATURE_COLUMNS[table];
  if (!tokens.takesWord("VALUES", "VALUE")) tokens.fail("expected VALUES");
  do {
    const { line } = tokens;
    if (!tokens.takes("(")) tokens.fail("expected ( before the values of a row");
    const values = valuesUntilClosed(tokens);
    if (values.length === columns.length) rows[table].push(rowOf(columns, values));
    else notes.about(`line ${line}`).add("refused", "", `has ${values.length} values for ${columns.length} columns`);
  } while (tokens.takes(","));
  // What may follow (ON DUPLICATE KEY UPDATE …) changes no row of an empty table; anything else is a row that would get lost.
  if (!tokens.isAtEndOfStatement && !tokens.takesWord("ON", "AS")) tokens.fail("expected , or ; behind a row");
}

function rowOf(columns: readonly string[], values: readonly unknown[]): Row {
  const named = columns.map((column, at): [string, unknown] => [column.toLowerCase(), values[at]]);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}

function namesUntilClosed(tokens: SqlTokens): string[] {
  const names: string[] = [];
  do names.push(tokens.name());
  while (tokens.takes(","));
  if (!tokens.takes(")")) tokens.fail("expected , or ) behind a column");
  return names;
}

function valuesUntilClosed(tokens: SqlTokens): unknown[] {
  const values: unknown[] = [];
  do values.push(tokens.value());
  while (tokens.takes(","));
  if (!tokens.takes(")")) tokens.fail("expected , or ) behind a value");
  return values;
}
