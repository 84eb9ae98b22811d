import type { Span } from "./diagnostic.ts";

/** A node of the graph, where the expression names it. */
export interface NameTree extends Span {
  readonly type: "node";
  readonly name: string;
}

/** Several subtrees joined by one operator: `;`, `||` or `+`. Has two children or more. */
export interface GroupTree extends Span {
  readonly type: "seq" | "par" | "alt";
  readonly children: readonly ExpressionTree[];
  /** Whether it stands in brackets of its own, which its span includes. */
  readonly bracketed: boolean;
}

/**
 * What an expression means, before it is planned. Runs of one operator are one group; brackets never dissolve into the
 * group around them, so that `(a; b); c` is another tree than `a; b; c` (with the same edges).
 */
export type ExpressionTree = NameTree | GroupTree;

/** Words of one group in a text: what opens it, what stands between its children, what closes it. */
interface Brackets {
  readonly open: string;
  readonly between: string;
  readonly close: string;
}

const LABELS = { seq: "SEQ", par: "PAR", alt: "ALT" } as const;
const OPERATORS = { seq: "; ", par: " || ", alt: " + " } as const;

/** The tree as text, as plans show it: `SEQ[a,PAR[b,c]]`. */
export function treeText(tree: ExpressionTree): string {
  return render(tree, ({ type }) => ({ open: `${LABELS[type]}[`, between: ",", close: "]" }));
}

/**
 * The tree as an expression, in its canonical spelling: `; ` and ` || ` and ` + `, and brackets around every group inside
 * another one, also where the grammar would do without. Parsing it gives the same tree.
 */
export function printExpression(tree: ExpressionTree): string {
  return render(tree, (group) =>
    group === tree
      ? { open: "", between: OPERATORS[group.type], close: "" }
      : { open: "(", between: OPERATORS[group.type], close: ")" },
  );
}

/** Writes a tree with a stack of its own: trees are as deep as their expressions are long. */
function render(tree: ExpressionTree, bracketsOf: (group: GroupTree) => Brackets): string {
  const parts: string[] = [];
  const work: (ExpressionTree | string)[] = [tree];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    if (typeof item === "string") parts.push(item);
    else if (item.type === "node") parts.push(item.name);
    else {
      const { open, between, close } = bracketsOf(item);
      parts.push(open);
      work.push(close);
      for (let index = item.children.length - 1; index >= 0; index--) {
        work.push(item.children[index] as ExpressionTree);
        if (index > 0) work.push(between);
      }
    }
  }
  return parts.join("");
}

/** Visits every subtree once, children before their group and in the order of the text, without recursion. */
export function* postOrder(tree: ExpressionTree): Generator<ExpressionTree, void, undefined> {
  const work: { readonly tree: ExpressionTree; next: number }[] = [{ tree, next: 0 }];
  for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
    const child = top.tree.type === "node" ? undefined : top.tree.children[top.next];
    if (child === undefined) {
      work.pop();
      yield top.tree;
    } else {
      top.next++;
      work.push({ tree: child, next: 0 });
    }
  }
}
