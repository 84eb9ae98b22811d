import { type Token, tokenize } from "./tokens.ts";

/** One place where a module names another. */
export interface ModuleReference {
  /** What stands between the quotes. */
  readonly specifier: string;
  /** Begins at 1. */
  readonly line: number;
  /** Offset of the specifier's first character, after the quote. */
  readonly start: number;
  /**
   * `static`: `import … from`, `import "…"`, `export … from`. `dynamic`: `import("…")`, also in a type, and `require("…")`.
   * `url`: `new URL("./…", import.meta.url)` and `import.meta.resolve("…")`, which name a file without importing it here.
   */
  readonly kind: "static" | "dynamic" | "url";
  /** The statement is gone once types are stripped: `import type`, `export type`. */
  readonly typeOnly: boolean;
}

/** Every module that the text of a TypeScript or JavaScript module names by a literal, in order. */
export function readReferences(source: string): ModuleReference[] {
  const tokens = tokenize(source);
  const found: ModuleReference[] = [];
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token?.kind !== "word" || isMember(tokens, index)) continue;
    const reference = readAt(tokens, index);
    if (reference !== undefined) found.push(reference);
  }
  return found;
}

/** The text with the specifier of each reference replaced by what `change` gives; `undefined` leaves it. */
export function rewriteReferences(source: string, change: (reference: ModuleReference) => string | undefined): string {
  let text = "";
  let copied = 0;
  for (const reference of readReferences(source)) {
    const replacement = change(reference);
    if (replacement === undefined) continue;
    text += source.slice(copied, reference.start) + replacement;
    copied = reference.start + reference.specifier.length;
  }
  return text + source.slice(copied);
}

function readAt(tokens: readonly Token[], index: number): ModuleReference | undefined {
  switch (tokens[index]?.text) {
    case "import":
      return readImport(tokens, index);
    case "export":
      return readExport(tokens, index);
    case "require":
      return is(tokens[index + 1], "(") ? reference(tokens[index + 2], "dynamic") : undefined;
    case "URL":
      return is(tokens[index + 1], "(") && matches(tokens, index + 3, [",", "import", ".", "meta", ".", "url"])
        ? reference(tokens[index + 2], "url")
        : undefined;
    default:
      return undefined;
  }
}

function readImport(tokens: readonly Token[], index: number): ModuleReference | undefined {
  const next = tokens[index + 1];
  if (next?.kind === "string") return reference(next, "static");
  if (is(next, "(")) return reference(tokens[index + 2], "dynamic");
  if (is(next, ".")) {
    return matches(tokens, index + 1, [".", "meta", ".", "resolve", "("]) ? reference(tokens[index + 6], "url") : undefined;
  }
  return readFrom(tokens, index + 1);
}

function readExport(tokens: readonly Token[], index: number): ModuleReference | undefined {
  const next = tokens[index + 1];
  const opens = next?.text === "type" ? tokens[index + 2] : next;
  return is(opens, "{") || is(opens, "*") ? readFrom(tokens, index + 1) : undefined;
}

/** Reads a clause (`type`, names, braces, commas, a star) up to `from "…"`; anything else is no clause. */
function readFrom(tokens: readonly Token[], from: number): ModuleReference | undefined {
  // `import type from "x"` imports a value that is named type.
  const typeOnly = tokens[from]?.text === "type" && tokens[from + 1]?.text !== "from" && !is(tokens[from + 1], ",");
  let depth = 0;
  for (let index = from; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) return undefined;
    if (depth === 0 && token.text === "from" && tokens[index + 1]?.kind === "string") {
      return reference(tokens[index + 1], "static", typeOnly);
    }
    if (is(token, "{")) depth += 1;
    else if (is(token, "}")) depth -= 1;
    else if (token.kind === "template" || (token.kind === "punctuation" && token.text !== "," && token.text !== "*")) {
      return undefined;
    }
    if (token.kind === "string" && depth === 0) return undefined;
  }
  return undefined;
}

function reference(token: Token | undefined, kind: ModuleReference["kind"], typeOnly = false): ModuleReference | undefined {
  // A template that goes on with `${` is one character longer than its text and two backticks; it names nothing certain.
  const literal = token?.kind === "string" || (token?.kind === "template" && token.end === token.start + token.text.length + 2);
  if (!literal || token === undefined) return undefined;
  return { specifier: token.text, line: token.line, start: token.start + 1, kind, typeOnly };
}

function isMember(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  return is(before, ".") && !is(tokens[index - 2], ".");
}

function is(token: Token | undefined, punctuation: string): boolean {
  return token?.kind === "punctuation" && token.text === punctuation;
}

function matches(tokens: readonly Token[], from: number, texts: readonly string[]): boolean {
  return texts.every((text, offset) => tokens[from + offset]?.text === text);
}
