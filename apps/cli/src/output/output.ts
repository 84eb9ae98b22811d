import { stripVTControlCharacters, styleText } from "node:util";
import { type Column, renderTable } from "./table.ts";

/** The form of the data. */
export type OutputFormat = "table" | "json" | "yaml";

/** How a command speaks. */
export interface OutputOptions {
  readonly format: OutputFormat;
  /** False for `--no-color`. Colours also need a terminal and no NO_COLOR. */
  readonly color: boolean;
  readonly verbose: boolean;
}

type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

/** Where a command speaks: data on standard output, talk on standard error. */
export class Output {
  readonly format: OutputFormat;
  readonly #hasColor: boolean;
  readonly #isVerbose: boolean;

  constructor(options: OutputOptions) {
    this.format = options.format;
    this.#isVerbose = options.verbose;
    const { NO_COLOR, TERM } = process.env;
    this.#hasColor = options.color && process.stdout.isTTY === true && !NO_COLOR && TERM !== "dumb";
  }

  get isTerminal(): boolean {
    return process.stdout.isTTY === true;
  }

  /** Shows a value: in the table format as `text()` renders it, else as the API gave it. */
  async show(value: unknown, text: () => string): Promise<void> {
    if (this.format === "table") this.line(text());
    else process.stdout.write(await this.encode(value));
  }

  /** A value in the chosen machine format, ended by a newline. */
  async encode(value: unknown): Promise<string> {
    if (this.format !== "yaml") return `${JSON.stringify(value, null, 2)}\n`;
    const { stringify } = await import("yaml");
    return stringify(value ?? null);
  }

  /** One of a series of values: a line of JSON each, or a YAML document each. */
  async item(value: unknown, text?: () => string): Promise<void> {
    if (this.format === "table" && text !== undefined) this.line(text());
    else if (this.format === "yaml") process.stdout.write(`---\n${await this.encode(value)}`);
    else this.line(JSON.stringify(value));
  }

  /** Data for people, as one or more lines. */
  line(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Data as it is. */
  raw(bytes: Uint8Array): void {
    process.stdout.write(bytes);
  }

  /** Talk: never data. */
  talk(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Talk that only `-v` shows. */
  detail(text: string): void {
    if (this.#isVerbose) this.talk(text);
  }

  /** A line of progress that the next one overwrites; nothing where nobody watches. */
  progress(text: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${stripVTControlCharacters(text)}`);
  }

  /** Ends a line of progress. */
  endProgress(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  paint(colour: Colour, text: string): string {
    return this.#hasColor ? styleText(colour, text, { validateStream: false }) : text;
  }

  /** A table as wide as the terminal; `empty` is said instead of a table without rows. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty?: string): string {
    if (rows.length === 0 && empty !== undefined) return empty;
    const width = this.isTerminal ? process.stdout.columns : undefined;
    return renderTable(rows, columns, {
      ...(width === undefined ? {} : { columns: width }),
      heading: (text) => this.paint("bold", text),
    });
  }
}
