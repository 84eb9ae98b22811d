import { natureError } from "../errors.ts";
import { placeOf } from "../meta/place.ts";

const SPACE = /(?:\s+|--(?:[ \t][^\n]*|(?=\n|$))|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+/y;
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER = /[+-]?\d+(?:\.\d+)?/y;
const QUOTED_NAME = /`((?:[^`]|``)*)`/y;
const STRING = /'((?:[^'\\]|\\[\s\S]|'')*)'|"((?:[^"\\]|\\[\s\S]|"")*)"/y;
/** Up to the end of a statement, without looking into strings. */
const REST = /(?:'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|`[^`]*`|--[ \t][^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/|[^;'"`])*;?/y;

const UNESCAPED: Readonly<Record<string, string>> = { "0": "\0", b: "\b", n: "\n", r: "\r", t: "\t", Z: "\u001a" };

/** Reads MySQL statements piece by piece. Blanks and comments between pieces are passed over. */
export class SqlTokens {
  readonly #text: string;
  #at = 0;
  #counted = { at: 0, line: 1 };

  constructor(text: string) {
    this.#text = text;
    this.#match(SPACE);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  get line(): number {
    // Counted on from where it was asked for last: rows are many.
    const { at, line } = this.#counted;
    this.#counted = { at: this.#at, line: line + this.#text.slice(at, this.#at).split("\n").length - 1 };
    return this.#counted.line;
  }

  get isAtEndOfStatement(): boolean {
    return this.isAtEnd || this.#text[this.#at] === ";";
  }

  /** A word, if one comes next. */
  word(): string | undefined {
    return this.#take(WORD)?.[0];
  }

  /** Passes over one of these words, in letters of any case. */
  takesWord(...words: readonly string[]): boolean {
    const at = this.#at;
    if (words.includes(this.word()?.toUpperCase() ?? "")) return true;
    this.#at = at;
    return false;
  }

  /** Passes over a mark. */
  takes(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.#at)) return false;
    this.#at += mark.length;
    this.#match(SPACE);
    return true;
  }

  /** The name of a table or column. @throws meta.syntax */
  name(): string {
    return this.#take(QUOTED_NAME)?.[1]?.replaceAll("``", "`") ?? this.word() ?? this.fail("expected a name");
  }

  /** A plain value: text, a number, NULL; undefined for DEFAULT and for a call such as NOW(). @throws meta.syntax */
  value(): string | number | null | undefined {
    const string = this.#take(STRING);
    if (string !== undefined) return unescaped(string[1] ?? string[2] ?? "", string[1] === undefined ? '""' : "''");
    const number = this.#take(NUMBER)?.[0];
    if (number !== undefined) return Number(number);
    const word = this.word()?.toUpperCase() ?? this.fail("expected a value");
    if (word === "NULL") return null;
    if (word === "TRUE" || word === "FALSE") return word === "TRUE" ? 1 : 0;
    if (this.takes("(") && !this.takes(")")) {
      do this.value();
      while (this.takes(","));
      if (!this.takes(")")) this.fail("expected )");
    }
    return undefined;
  }

  /** Passes over what is left of a statement. */
  endStatement(): void {
    const rest = this.#match(REST)?.[0];
    // It stops before a quote that is not closed.
    if (!this.isAtEnd && !rest?.endsWith(";")) this.fail("the quote is not closed");
    this.#match(SPACE);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const found = this.#match(pattern);
    if (found !== undefined) this.#match(SPACE);
    return found;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text) ?? undefined;
    if (found !== undefined) this.#at = pattern.lastIndex;
    return found;
  }

  /** Says what was expected where the next piece is. */
  fail(what: string): never {
    const place = placeOf(this.#text, this.#at);
    throw natureError("meta.syntax", `SQL, line ${place.line}, column ${place.column}: ${what}`, { details: { ...place } });
  }
}

/** What a string says. Its own quote can stand twice. */
function unescaped(inner: string, doubled: string): string {
  return inner.replace(/\\([\s\S])|''|""/g, (found, char: string | undefined) => {
    if (char !== undefined) return UNESCAPED[char] ?? char;
    return found === doubled ? found.slice(1) : found;
  });
}
