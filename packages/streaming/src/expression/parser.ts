import { type Finding, Positions, quoted } from "./diagnostic.ts";
import type { Operator, Token } from "./lexer.ts";
import type { ExpressionTree, GroupTree } from "./tree.ts";

/**
 * Recovery, so that every mistake is reported once and none because of another:
 *
 * P1. After a complaint the parser goes on as if the most likely repair had been made: `;` between two operands, an operator
 *     too many left out, an operand in empty brackets. A tree with a repair in it is never handed out.
 * P2. From a complaint until the next sound operand, what is missing is not complained about again.
 * P3. A bracket that closes nothing is always a mistake of its own, once per run of them.
 */

/** An operand being built: a name or group that is complete, or a group that the same operator would extend. */
interface Series {
  tree: ExpressionTree | undefined;
  /** The group that `tree` is and that may still grow, because it was begun in this series. */
  growing: { readonly type: "seq" | "par"; readonly children: ExpressionTree[] } | undefined;
  pending: ";" | "||" | undefined;
}

/** An open bracket, or the expression itself at the bottom. */
interface Level extends Series {
  readonly open: Token | undefined;
  readonly alternatives: ExpressionTree[];
}

/** Parses tokens to a tree; there is none when something was found wrong. */
export function parseTokens(
  text: string,
  tokens: readonly Token[],
): { readonly tree: ExpressionTree | undefined; readonly findings: readonly Finding[] } {
  const parser = new Parser(text);
  for (const token of tokens) parser.take(token);
  return { tree: parser.tree, findings: parser.findings };
}

class Parser {
  readonly findings: Finding[] = [];
  readonly #text: string;
  readonly #levels: Level[] = [levelOf(undefined)];
  #tree: ExpressionTree | undefined;
  #wantsOperand = true;
  /** P2. */
  #isRecovering = false;
  /** P3. */
  #isInStrayRun = false;
  #before: Token | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The whole tree, after the last token. */
  get tree(): ExpressionTree | undefined {
    return this.#tree;
  }

  get #top(): Level {
    return this.#levels[this.#levels.length - 1] as Level;
  }

  take(token: Token): void {
    if (token.type !== ")") this.#isInStrayRun = false;
    switch (token.type) {
      case "name":
      case "bad-name":
      case "(":
        this.#operand(token);
        break;
      case ")":
        this.#close(token);
        break;
      case "end":
        this.#end(token);
        break;
      default:
        this.#operator(token);
    }
    this.#before = token;
  }

  #operand(token: Token): void {
    const isMisplaced = !this.#wantsOperand;
    if (isMisplaced) {
      // Of a bad name the lexer has complained already.
      if (token.type === "bad-name") this.#isRecovering = true;
      this.#missing(token, `expected an operator (\`;\`, \`||\` or \`+\`) before ${this.#shown(token)}`);
      this.#join(";");
    }
    if (token.type === "(") {
      this.#levels.push(levelOf(token));
      this.#wantsOperand = true;
      this.#isRecovering = false;
      return;
    }
    // What follows without an operator is a part of the same slip.
    this.#isRecovering = isMisplaced || token.type === "bad-name";
    this.#add({ type: "node", name: this.#text.slice(token.start, token.end), start: token.start, end: token.end });
    this.#wantsOperand = false;
  }

  #operator(token: Token): void {
    const isBad = token.type === "bad-operator";
    if (this.#wantsOperand) {
      // One too many: passed over.
      if (isBad) this.#isRecovering = true;
      this.#missing(token, `expected a node or \`(\`${this.#place()}, found ${this.#shown(token)}`);
      return;
    }
    this.#isRecovering = isBad;
    this.#join(isBad ? ";" : (token.type as Operator));
    this.#wantsOperand = true;
  }

  #close(token: Token): void {
    const level = this.#top;
    if (level.open === undefined) {
      if (!this.#isInStrayRun) this.#find(token, "unexpected `)`: no bracket is open here");
      this.#isInStrayRun = true;
      this.#isRecovering = true;
      return;
    }
    if (this.#wantsOperand) {
      this.#missing(token, `expected a node or \`(\`${this.#place()}, found \`)\``);
      this.#add({ type: "node", name: "", start: token.start, end: token.start });
    }
    this.#levels.pop();
    this.#add(bracketed(finished(level), level.open, token));
    this.#wantsOperand = false;
    this.#isRecovering = false;
  }

  #end(token: Token): void {
    const unclosed = this.#levels.length - 1;
    const first = this.#levels[1]?.open;
    if (this.#wantsOperand && !this.#isRecovering) {
      const open = first === undefined ? "" : `, and ${this.#openText(unclosed, first)}`;
      this.#find(token, `expected a node or \`(\`${this.#place()}, found the end${open}`);
    } else if (first !== undefined) {
      this.#find(token, `expected \`)\`, found the end: ${this.#openText(unclosed, first)}`);
    }
    if (this.findings.length === 0 && !this.#wantsOperand) this.#tree = finished(this.#top);
  }

  #openText(count: number, first: Token): string {
    const { line, column } = new Positions(this.#text).of(first.start);
    const place = `${line}:${column}`;
    return count === 1 ? `the bracket at ${place} is not closed` : `${count} brackets are not closed, the first at ${place}`;
  }

  /** P2. */
  #missing(token: Token, message: string): void {
    if (!this.#isRecovering) this.#find(token, message);
    this.#isRecovering = true;
  }

  #find({ start, end }: Token, message: string): void {
    this.findings.push({ kind: "unexpected-token", message, start, end });
  }

  #join(operator: Operator): void {
    const level = this.#top;
    if (operator !== "+") {
      level.pending = operator;
      return;
    }
    settle(level);
    if (level.tree !== undefined) level.alternatives.push(level.tree);
    level.tree = undefined;
    level.growing = undefined;
    level.pending = undefined;
  }

  /** Adds an operand to the series: left associative, and equal operators one after the other make one group. */
  #add(operand: ExpressionTree): void {
    const level = this.#top;
    const type = level.pending === ";" ? "seq" : "par";
    if (level.tree === undefined) level.tree = operand;
    else if (level.growing?.type === type) level.growing.children.push(operand);
    else {
      settle(level);
      level.growing = { type, children: [level.tree, operand] };
    }
    level.pending = undefined;
  }

  #place(): string {
    const before = this.#before;
    return before === undefined ? "" : ` after ${this.#shown(before)}`;
  }

  #shown({ start, end }: Token): string {
    return quoted(this.#text.slice(start, end));
  }
}

function levelOf(open: Token | undefined): Level {
  return { open, alternatives: [], tree: undefined, growing: undefined, pending: undefined };
}

/** Makes the growing group the operand of the series. */
function settle(series: Series): void {
  if (series.growing !== undefined) series.tree = groupOf(series.growing.type, series.growing.children);
  series.growing = undefined;
}

function finished(level: Level): ExpressionTree {
  settle(level);
  const last = level.tree as ExpressionTree;
  return level.alternatives.length === 0 ? last : groupOf("alt", [...level.alternatives, last]);
}

function groupOf(type: GroupTree["type"], children: readonly ExpressionTree[]): GroupTree {
  return { type, children, bracketed: false, start: children[0]?.start ?? 0, end: children.at(-1)?.end ?? 0 };
}

function bracketed(tree: ExpressionTree, open: Token, close: Token): ExpressionTree {
  const span = { start: open.start, end: close.end };
  return tree.type === "node" ? { ...tree, ...span } : { ...tree, ...span, bracketed: true };
}
