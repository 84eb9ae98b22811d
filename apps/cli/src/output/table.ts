import { displayWidth, oneLine, truncate } from "./width.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | undefined;
  /** Numbers stand at the right. @default "left" */
  readonly align?: "left" | "right";
  /** Given after the padding, so that colours do not disturb the widths. */
  readonly paint?: (text: string, row: Row) => string;
}

/** How a table is fitted to where it is shown. */
export interface TableOptions {
  /** Columns of the terminal; without them nothing is cut, so that a pipe gets whole words. */
  readonly columns?: number;
  /** Paints the line of titles. */
  readonly heading?: (text: string) => string;
}

const GAP = "  ";
/** No column of words is cut below this. */
const NARROWEST = 6;

/** Rows as aligned text, one line each after a line of titles. Ends without a newline. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: TableOptions = {}): string {
  const cells = rows.map((row) => columns.map(({ value }) => oneLine(String(value(row) ?? "-"))));
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...cells.map((line) => displayWidth(line[index] ?? ""))),
  );
  if (options.columns !== undefined) shrink(widths, columns, options.columns);
  const line = (texts: readonly string[], paint: (text: string, index: number) => string): string =>
    texts
      .map((text, index) => paint(pad(text, widths[index] ?? 0, columns[index]?.align, index === texts.length - 1), index))
      .join(GAP)
      .trimEnd();
  const heading = options.heading ?? ((text: string) => text);
  const titles = line(
    columns.map(({ title }) => title),
    (text) => heading(text),
  );
  const body = cells.map((texts, rowIndex) =>
    line(texts, (text, index) => {
      const row = rows[rowIndex];
      const paint = columns[index]?.paint;
      return paint === undefined || row === undefined ? text : paint(text, row);
    }),
  );
  return [titles, ...body].join("\n");
}

/** Takes from the widest column of words until the line fits. Numbers stay whole: a part of one is another number. */
function shrink(widths: number[], columns: readonly { readonly align?: "left" | "right" }[], room: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  while (total() > room) {
    let widest = -1;
    for (const [index, width] of widths.entries()) {
      if (columns[index]?.align !== "right" && width > NARROWEST && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function pad(text: string, width: number, align: "left" | "right" | undefined, isLast: boolean): string {
  const shown = truncate(text, width);
  const room = " ".repeat(Math.max(0, width - displayWidth(shown)));
  if (align === "right") return room + shown;
  return isLast ? shown : shown + room;
}

/** Names and values one below the other. */
export function renderFields(fields: readonly (readonly [string, string | number | undefined])[]): string {
  const width = Math.max(...fields.map(([name]) => displayWidth(name)));
  return fields
    .map(([name, value]) => `${name}${" ".repeat(width - displayWidth(name))}${GAP}${oneLine(String(value ?? "-"))}`)
    .join("\n");
}
