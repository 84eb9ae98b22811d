import { nearest, rejectUnknownKeys } from "@metanode/core/internal/options";
import { streamError } from "../errors.ts";
import { type Diagnostic, diagnosticOf, type Finding, Positions, quoted } from "./diagnostic.ts";
import { type Token, tokenize } from "./lexer.ts";
import { lintExpression } from "./lint.ts";
import { parseTokens } from "./parser.ts";
import type { ExpressionTree } from "./tree.ts";

/** What an expression is checked against. */
export interface ExpressionOptions {
  /** The nodes that there are; every other name is an error. @default any name is taken */
  readonly names?: readonly string[];
}

/** Everything that can be said about an expression. */
export interface ExpressionCheck {
  /** Absent exactly when there are errors. */
  readonly tree: ExpressionTree | undefined;
  /**
   * Mistakes of the syntax in the order of the text, then mistakes in the use of names in the order of the text. The first is
   * the one that a parser which stops at once would give. At most 100.
   */
  readonly errors: readonly Diagnostic[];
  /** How many errors there are besides those listed. */
  readonly moreErrors: number;
  /** What is allowed, but most likely not meant. Only of an expression without errors. At most 100. */
  readonly warnings: readonly Diagnostic[];
}

const MAX_DIAGNOSTICS = 100;
/** Similar names are looked for this often, in expressions with more mistakes no longer. */
const MAX_SUGGESTIONS = 20;

/** Checks an expression; no text makes it throw. @throws {MetanodeError} config.invalid – an option is unknown. */
export function checkExpression(text: string, options: ExpressionOptions = {}): ExpressionCheck {
  rejectUnknownKeys("options", options, ["names", "maxEdges"]);
  const { tokens, findings: lexical } = tokenize(text);
  const { tree, findings: unexpected } = parseTokens(text, tokens);
  // Stable: of two at one place that of the lexer comes first.
  const syntax = [...lexical, ...unexpected].sort((one, other) => one.start - other.start);
  const use = checkUse(text, tokens, options.names);
  const found = [...syntax, ...use];
  const isSound = found.length === 0 && tree !== undefined;
  const positions = new Positions(text);
  const told = (findings: readonly Finding[]): Diagnostic[] =>
    findings.slice(0, MAX_DIAGNOSTICS).map((finding) => diagnosticOf(text, positions, finding));
  return {
    tree: isSound ? tree : undefined,
    errors: told(found),
    moreErrors: Math.max(0, found.length - MAX_DIAGNOSTICS),
    warnings: isSound ? told(lintExpression(text, tree)) : [],
  };
}

/**
 * Parses an expression.
 * @throws {MetanodeError} stream.syntax – `details.errors` is the list of {@link Diagnostic}s.
 */
export function parseExpression(text: string, options: ExpressionOptions = {}): ExpressionTree {
  const check = checkExpression(text, options);
  if (check.tree === undefined) throw syntaxError(check);
  return check.tree;
}

/** The error for an expression that did not pass its check. */
export function syntaxError({ errors, moreErrors }: ExpressionCheck): Error {
  const [first] = errors;
  const count = errors.length + moreErrors;
  const place = `line ${first?.line}, column ${first?.column}`;
  const lead = count === 1 ? place : `${count} errors, the first at ${place}`;
  return streamError("stream.syntax", `${lead}: ${first?.kind}: ${first?.message}`, {
    details: { errors, ...(moreErrors === 0 ? {} : { moreErrors }) },
  });
}

/** Each name is used once, and is one of those that there are. */
function checkUse(text: string, tokens: readonly Token[], names: readonly string[] | undefined): Finding[] {
  const known = names === undefined ? undefined : new Set(names);
  const findings: Finding[] = [];
  const used = new Map<string, string>(); // with its place
  let suggested = 0;
  const positions = new Positions(text);
  for (const token of tokens) {
    if (token.type !== "name") continue;
    const { start, end } = token;
    const name = text.slice(start, end);
    const before = used.get(name);
    if (before !== undefined) {
      findings.push({ kind: "duplicate-use", message: duplicateMessage(name, before), start, end });
      continue;
    }
    const { line, column } = positions.of(start);
    used.set(name, `${line}:${column}`);
    if (known === undefined || known.has(name)) continue;
    const suggestion = suggested++ < MAX_SUGGESTIONS ? similar(name, names ?? []) : undefined;
    const hint = suggestion === undefined ? hintOf(names ?? []) : `did you mean ${quoted(suggestion)}?`;
    findings.push({
      kind: "unknown-node",
      message: `no node is called ${quoted(name)}; ${hint}`,
      ...(suggestion === undefined ? {} : { suggestion }),
      start,
      end,
    });
  }
  return findings;
}

function duplicateMessage(name: string, before: string): string {
  return `${quoted(name)} stands at ${before} already: each node has one place; give a second one a name of its own`;
}

function hintOf(names: readonly string[]): string {
  if (names.length === 0) return "there are none";
  return `known are ${names.slice(0, 10).join(", ")}${names.length > 10 ? " and others" : ""}`;
}

/** The known name that is meant, looked for only among those of about the same length; a single letter is like any other. */
export function similar(name: string, names: readonly string[]): string | undefined {
  if (name.length < 2 || name.length > 64) return undefined;
  const reach = Math.max(1, Math.floor(name.length / 3));
  return nearest(
    name,
    names.filter((known) => Math.abs(known.length - name.length) <= reach),
  );
}
