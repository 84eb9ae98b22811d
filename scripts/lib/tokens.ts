/**
 * The least of a TypeScript lexer: words, string literals and punctuation with their places. TypeScript 7 has no
 * compiler API for JavaScript, and stripping types first would lose the `import type` statements.
 */

/** One token. Comments, numbers' values, regular expressions and the text of templates are left out. */
export interface Token {
  readonly kind: "word" | "string" | "template" | "punctuation";
  /** The word, the punctuation character, or what stands between the quotes, escapes as written. */
  readonly text: string;
  /** Offset of the first character (of a string: of its opening quote). */
  readonly start: number;
  /** Offset after the last character. */
  readonly end: number;
  /** Begins at 1. */
  readonly line: number;
}

/** After one of these words a slash begins a regular expression, after any other word it divides. */
const BEFORE_EXPRESSION = new Set(
  "return typeof instanceof in of new delete void throw case do else await yield default extends".split(" "),
);
const WORD = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\d[\w.]*/y;
const REGEX = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

/** Splits the text of a TypeScript or JavaScript module into tokens. Text that is no valid module gives tokens too. */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  /** For each open brace: whether it closes a `${` of a template. */
  readonly #braces: boolean[] = [];
  #at = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#next();
    return this.#tokens;
  }

  #next(): void {
    const character = this.#source[this.#at] ?? "";
    if (character === "\n") {
      this.#line += 1;
      this.#at += 1;
    } else if (character.trim() === "") this.#at += 1;
    else if (character === '"' || character === "'") this.#string(character);
    else if (character === "`") this.#template();
    else if (character === "/") this.#slash();
    else if (/\d/.test(character)) this.#skipTo(this.#match(NUMBER) ?? this.#at + 1, true);
    else if (character === "}" && this.#braces.pop() === true) this.#template();
    else this.#wordOrPunctuation(character);
  }

  #wordOrPunctuation(character: string): void {
    const end = this.#match(WORD);
    if (end !== undefined) {
      this.#push("word", this.#source.slice(this.#at, end), end);
      return;
    }
    if (character === "{") this.#braces.push(false);
    this.#push("punctuation", character, this.#at + 1);
  }

  #slash(): void {
    const following = this.#source[this.#at + 1];
    if (following === "/") {
      const end = this.#source.indexOf("\n", this.#at);
      this.#skipTo(end === -1 ? this.#source.length : end);
    } else if (following === "*") {
      const end = this.#source.indexOf("*/", this.#at + 2);
      this.#skipTo(end === -1 ? this.#source.length : end + 2);
    } else {
      const end = this.#expressionMayBegin() ? this.#match(REGEX) : undefined;
      if (end === undefined) this.#push("punctuation", "/", this.#at + 1);
      else this.#skipTo(end, true);
    }
  }

  #expressionMayBegin(): boolean {
    const last = this.#tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === "word") return BEFORE_EXPRESSION.has(last.text);
    return last.kind === "punctuation" && ![")", "]", "}", "0"].includes(last.text);
  }

  #string(quote: string): void {
    let end = this.#at + 1;
    while (end < this.#source.length && this.#source[end] !== quote && this.#source[end] !== "\n") {
      end += this.#source[end] === "\\" ? 2 : 1;
    }
    this.#push("string", this.#source.slice(this.#at + 1, end), Math.min(end + 1, this.#source.length));
  }

  /** Reads from a backtick, or from the brace that closes a `${`, to the next `${` or to the closing backtick. */
  #template(): void {
    const from = this.#at + 1;
    let end = from;
    while (end < this.#source.length && this.#source[end] !== "`" && !this.#source.startsWith("${", end)) {
      end += this.#source[end] === "\\" ? 2 : 1;
    }
    const opens = this.#source.startsWith("${", end);
    if (opens) this.#braces.push(true);
    this.#push("template", this.#source.slice(from, end), Math.min(end + (opens ? 2 : 1), this.#source.length));
    if (opens) this.#tokens.push({ kind: "punctuation", text: "{", start: this.#at, end: this.#at, line: this.#line });
  }

  #match(pattern: RegExp): number | undefined {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#source) ? pattern.lastIndex : undefined;
  }

  #push(kind: Token["kind"], text: string, end: number): void {
    this.#tokens.push({ kind, text, start: this.#at, end, line: this.#line });
    this.#skipTo(end);
  }

  /** Moves on, counting lines. A number or a regular expression leaves "0" behind: a slash after it divides. */
  #skipTo(end: number, isValue = false): void {
    for (let index = this.#at; index < end; index += 1) if (this.#source[index] === "\n") this.#line += 1;
    if (isValue) this.#tokens.push({ kind: "punctuation", text: "0", start: this.#at, end, line: this.#line });
    this.#at = end;
  }
}
