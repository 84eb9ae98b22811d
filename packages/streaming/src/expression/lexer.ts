import { type Finding, quoted, type Span } from "./diagnostic.ts";

/** An operator: in sequence, side by side, and `+`, which plans as `||` but binds less than both. */
export type Operator = ";" | "||" | "+";

/**
 * A token. `bad-name` and `bad-operator` are no tokens of the language: the lexer has complained about them, and the parser
 * takes them for what they were most likely meant to be, so that one slip is one error.
 */
export interface Token extends Span {
  readonly type: "name" | "(" | ")" | Operator | "bad-name" | "bad-operator" | "end";
}

/** What others write between nodes, with what it is called here. The longer spelling first. */
const FOREIGN = [
  { pattern: /[-=~]{1,8}>|[→⇒➜]|>>?/uy, meant: ";", says: "nodes in sequence are joined by `;`" },
  { pattern: /\|(?!\|)/uy, meant: ";", says: "nodes in sequence are joined by `;`, nodes side by side by `||`" },
  { pattern: /&&?|,/uy, meant: "||", says: "nodes side by side are joined by `||`" },
] as const;

const ONE_BAR_TOO_MANY = "one `|` too many: nodes side by side are joined by `||`";
const SPACE = /[\t\n\r ]+/y;
const NAME = /[A-Za-z][A-Za-z0-9]*/y;
/** A word runs until something that cannot be meant as a part of a name. */
const WORD_END = /[\t\n\r ();+|,&>→⇒➜]|[-=~]{1,8}>/gu;

/** Cuts an expression into tokens, the last of which is its end; whatever is no token becomes one finding per word. */
export function tokenize(text: string): { readonly tokens: readonly Token[]; readonly findings: readonly Finding[] } {
  const tokens: Token[] = [];
  const findings: Finding[] = [];
  let at = 0;
  while (at < text.length) {
    const space = matchAt(SPACE, text, at);
    if (space > 0) {
      at += space;
      continue;
    }
    const { token, finding } = next(text, at);
    tokens.push(token);
    if (finding !== undefined) findings.push(finding);
    at = token.end;
  }
  tokens.push({ type: "end", start: text.length, end: text.length });
  return { tokens, findings };
}

function next(text: string, at: number): { token: Token; finding?: Finding } {
  const character = text[at];
  if (character === "(" || character === ")" || character === ";" || character === "+") {
    return { token: { type: character, start: at, end: at + 1 } };
  }
  if (text.startsWith("||", at)) return { token: { type: "||", start: at, end: at + 2 } };
  if (character === "|" && text[at - 1] === "|") {
    const span = { start: at, end: at + 1 };
    return {
      token: { type: "bad-operator", ...span },
      finding: { kind: "lexical", message: ONE_BAR_TOO_MANY, suggestion: "||", ...span },
    };
  }
  for (const { pattern, meant, says } of FOREIGN) {
    const length = matchAt(pattern, text, at);
    if (length === 0) continue;
    const span = { start: at, end: at + length };
    const message = `${quoted(text.slice(at, span.end))} is not part of an expression: ${says}`;
    return { token: { type: "bad-operator", ...span }, finding: { kind: "lexical", message, suggestion: meant, ...span } };
  }
  const end = wordEnd(text, at);
  const valid = matchAt(NAME, text, at);
  if (at + valid === end) return { token: { type: "name", start: at, end } };
  const isName = /[\p{L}\p{N}]/u.test(text.slice(at, Math.min(end, at + 1_000)));
  return {
    token: { type: isName ? "bad-name" : "bad-operator", start: at, end },
    finding: badWord(text, { start: at, end }, valid),
  };
}

function badWord(text: string, { start, end }: Span, validLength: number): Finding {
  const wrong = start + validLength;
  const character = String.fromCodePoint(text.codePointAt(wrong) ?? 0);
  const word = text.slice(start, Math.min(end, start + 100));
  const repaired = word.replace(/^[^A-Za-z]+|[^A-Za-z0-9]+/g, "");
  return {
    kind: "lexical",
    message: `${quoted(character)} cannot stand here: a name is a letter from A to Z and then letters and digits`,
    ...(repaired === "" || end - start > 100 ? {} : { suggestion: repaired }),
    start: wrong,
    end: wrong + character.length,
  };
}

function wordEnd(text: string, at: number): number {
  WORD_END.lastIndex = at;
  const end = WORD_END.exec(text)?.index ?? text.length;
  return end > at ? end : at + String.fromCodePoint(text.codePointAt(at) ?? 0).length;
}

function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}
