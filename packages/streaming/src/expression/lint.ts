import type { Finding } from "./diagnostic.ts";
import { type ExpressionTree, type GroupTree, postOrder } from "./tree.ts";

/** Longest expression that is repeated whole as a suggestion. Of a longer one only the piece in question is shown. */
const MAX_SUGGESTION = 200;
const MAX_NAMES = 3;

/**
 * Finds sources that nobody meant: in `a; b || c` both operators bind alike, so `c` stands beside all of `a; b` and gets
 * nothing from `a`. Brackets around the sequence say that this is meant.
 */
export function lintExpression(text: string, tree: ExpressionTree): Finding[] {
  const findings: Finding[] = [];
  for (const group of postOrder(tree)) {
    if (group.type !== "par") continue;
    const [first, ...rest] = group.children;
    if (first?.type !== "seq" || first.bracketed || rest[0] === undefined) continue;
    const names = sourcesOf(rest);
    const suggestion = withBrackets(text, group, first);
    const asks =
      suggestion === undefined ? "put brackets around what is meant to stand side by side" : `did you mean ${suggestion}?`;
    findings.push({
      kind: "accidental-source",
      message: `${listed(names)} ${names.length === 1 ? "has become a source" : "have become sources"}; ${asks}`,
      ...(suggestion === undefined ? {} : { suggestion }),
      start: rest[0].start,
      end: rest[0].end,
    });
  }
  return findings.sort((one, other) => one.start - other.start);
}

/** The text with brackets around the last step of the sequence and what stands beside it. */
function withBrackets(text: string, group: GroupTree, sequence: GroupTree): string | undefined {
  const from = sequence.children.at(-1)?.start ?? sequence.start;
  const to = group.children.at(-1)?.end ?? group.end;
  const isShort = text.length <= MAX_SUGGESTION;
  const [start, end] = isShort ? [0, text.length] : [sequence.start, to];
  if (end - start > MAX_SUGGESTION) return undefined;
  return `${text.slice(start, from)}(${text.slice(from, to)})${text.slice(to, end)}`.replace(/\s+/g, " ").trim();
}

/** The names of the nodes that a list of subtrees begins with; a few are enough. */
function sourcesOf(trees: readonly ExpressionTree[]): string[] {
  const names: string[] = [];
  const work = [...trees].reverse();
  for (let tree = work.pop(); tree !== undefined; tree = work.pop()) {
    if (tree.type === "node") names.push(tree.name);
    else if (tree.type === "seq") work.push(tree.children[0] as ExpressionTree);
    else for (let index = tree.children.length - 1; index >= 0; index--) work.push(tree.children[index] as ExpressionTree);
    if (names.length > MAX_NAMES) break;
  }
  return names;
}

function listed(names: readonly string[]): string {
  if (names.length > MAX_NAMES) return `${names.slice(0, MAX_NAMES).join(", ")} and others`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
