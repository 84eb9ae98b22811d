/** What can be wrong with an expression, and `accidental-source`, which is only a warning. */
export type DiagnosticKind = "lexical" | "unexpected-token" | "duplicate-use" | "unknown-node" | "accidental-source";

/** One thing to say about one place of an expression. */
export interface Diagnostic {
  readonly kind: DiagnosticKind;
  /** One sentence without a full stop: what was found, what was expected. */
  readonly message: string;
  /** Of the first character, from 1. Only a line feed begins a new line. */
  readonly line: number;
  /** Of the first character in its line, from 1, in characters (code points). The end of the expression is one further than its last. */
  readonly column: number;
  /** What to write instead: a name, an operator, or a whole expression. */
  readonly suggestion?: string;
  /** Two lines: the line of the expression, or a piece of a long one, and below it a `^` under each character that is meant. */
  readonly caret: string;
}

/** A place of a text, in UTF-16 units; `end` is behind the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A diagnostic that does not know yet where in its text it stands. */
export interface Finding extends Span {
  readonly kind: DiagnosticKind;
  readonly message: string;
  readonly suggestion?: string;
}

/** Longest piece of a line that a caret text shows, in UTF-16 units on each side of the place. */
const CONTEXT = 60;

/** Counts lines and columns of a text. Places that are asked for in ascending order cost no more than one pass over the text. */
export class Positions {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #column = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** Line and column of an offset, both from 1. */
  of(offset: number): { readonly line: number; readonly column: number; readonly lineStart: number } {
    if (offset < this.#at) {
      this.#at = 0;
      this.#line = 1;
      this.#lineStart = 0;
      this.#column = 1;
    }
    while (this.#at < offset) {
      const code = this.#text.codePointAt(this.#at) ?? 0;
      this.#at += code > 0xffff ? 2 : 1;
      if (code === 0x0a) {
        this.#line++;
        this.#lineStart = this.#at;
        this.#column = 1;
      } else this.#column++;
    }
    return { line: this.#line, column: this.#column, lineStart: this.#lineStart };
  }
}

/** A finding with its line, its column and its caret text. */
export function diagnosticOf(text: string, positions: Positions, finding: Finding): Diagnostic {
  const { line, column, lineStart } = positions.of(finding.start);
  return {
    kind: finding.kind,
    message: finding.message,
    line,
    column,
    ...(finding.suggestion === undefined ? {} : { suggestion: finding.suggestion }),
    caret: caretText(text, finding, lineStart),
  };
}

function caretText(text: string, { start, end }: Span, lineStart: number): string {
  let lineEnd = start;
  const furthest = start + CONTEXT;
  while (lineEnd < text.length && lineEnd < furthest && text[lineEnd] !== "\n") lineEnd++;
  const from = Math.max(lineStart, start - CONTEXT);
  const before = text.slice(from, start);
  const marked = [...text.slice(start, Math.min(end, lineEnd))].length;
  const lead = from > lineStart ? "… " : "";
  const more = lineEnd < text.length && text[lineEnd] !== "\n" ? " …" : "";
  const shown = printable(text.slice(from, lineEnd).replace(/\r$/, ""));
  return `${lead}${shown}${more}\n${" ".repeat(lead.length)}${printable(before).replace(/[^\t]/gu, " ")}${"^".repeat(Math.max(1, marked))}`;
}

/** Keeps a terminal from obeying what somebody wrote into an expression; every character stays one character. */
function printable(text: string): string {
  return text.replace(/[^\P{C}\t]/gu, "\ufffd");
}

/** A piece of an expression as a message shows it: quoted, short, on one line. */
export function quoted(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `\`${printable(short).replace(/\s+/g, " ")}\``;
}
