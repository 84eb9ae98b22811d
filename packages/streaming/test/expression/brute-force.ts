/**
 * An independent planner: recursive, on sets, straight from the definition, and nothing of the package in it. It finds the
 * operator that binds last by scanning the text from the right, where the parser builds trees from the left.
 */

/** What an expression comes to, as sets of texts. */
export interface BrutePlan {
  readonly nodes: readonly string[];
  readonly ins: readonly string[];
  readonly outs: readonly string[];
  /** Each edge as `a>b`. */
  readonly edges: ReadonlySet<string>;
}

/** Plans a sound expression. */
export function brutePlan(expression: string): BrutePlan {
  const words = expression.match(/\w+|\|\||[;+()]/g) ?? [];
  return planOf(words);
}

function planOf(words: readonly string[]): BrutePlan {
  const [first] = words;
  if (words.length === 1 && first !== undefined) return { nodes: [first], ins: [first], outs: [first], edges: new Set() };
  const split = lastAtTop(words, ["+"]) ?? lastAtTop(words, [";", "||"]);
  if (split === undefined) return planOf(words.slice(1, -1)); // a bracket around all of it
  const [left, right] = [planOf(words.slice(0, split)), planOf(words.slice(split + 1))];
  const nodes = [...left.nodes, ...right.nodes];
  const edges = new Set([...left.edges, ...right.edges]);
  if (words[split] !== ";") return { nodes, edges, ins: [...left.ins, ...right.ins], outs: [...left.outs, ...right.outs] };
  for (const from of left.outs) for (const to of right.ins) edges.add(`${from}>${to}`);
  return { nodes, edges, ins: left.ins, outs: right.outs };
}

/** The last of some operators outside of every bracket. */
function lastAtTop(words: readonly string[], operators: readonly string[]): number | undefined {
  let depth = 0;
  for (let index = words.length - 1; index >= 0; index--) {
    const word = words[index] ?? "";
    if (word === ")") depth++;
    else if (word === "(") depth--;
    else if (depth === 0 && operators.includes(word)) return index;
  }
  return undefined;
}
