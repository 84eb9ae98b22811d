import { describe, expect, test } from "vitest";
import {
  compileGraph,
  type Edge,
  type ExpressionPlan,
  graphExpression,
  graphHash,
  parseExpression,
  planExpression,
  planGraph,
  printExpression,
  treeText,
} from "../../src/index.ts";
import { brutePlan } from "./brute-force.ts";
import { randomExpression, randomNumbers } from "./random.ts";

const SEED = 20_261_126;
const ALL = 100_000;
const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/** Calls `check` with random expressions of up to ten names; a failure names the seed and the expression. */
function forRandom(count: number, check: (expression: string, random: (bound: number) => number) => void): void {
  const random = randomNumbers(SEED);
  for (let run = 0; run < count; run++) {
    const expression = randomExpression(random, NAMES.slice(0, 1 + random(NAMES.length)));
    try {
      check(expression, random);
    } catch (error) {
      throw new Error(`seed ${SEED}, run ${run}: ${JSON.stringify(expression)}`, { cause: error });
    }
  }
}

const keys = (edges: readonly Edge[]): string =>
  edges
    .map(([from, to]) => `${from}>${to}`)
    .sort()
    .join(" ");
const sorted = (names: readonly string[]): string => [...names].sort().join(" ");
/** Plain comparison: `expect` a million times would be most of the time of this file. */
function same(found: string, wanted: string): void {
  if (found !== wanted) expect(found).toBe(wanted);
}

/** The plan is what a brute-force planner finds. */
function checkAgainstBruteForce(plan: ExpressionPlan, expression: string): void {
  const brute = brutePlan(expression);
  same(plan.sources.join(" "), brute.ins.join(" "));
  same(plan.sinks.join(" "), brute.outs.join(" "));
  same(keys(plan.edges), [...brute.edges].sort().join(" "));
  same(String(plan.edges.length), String(brute.edges.size));
  same(sorted(plan.startOrder), sorted(brute.nodes));
}

/** Each node once and after all that it feeds; sources are fed by none, sinks feed none. */
function checkOrder({ sources, sinks, edges, startOrder }: ExpressionPlan): void {
  const place = new Map(startOrder.map((name, index) => [name, index]));
  same(String(place.size), String(startOrder.length));
  for (const [from, to] of edges) if ((place.get(from) ?? -1) <= (place.get(to) ?? 99)) expect(`${from} after ${to}`).toBe("");
  const fed = new Set(edges.map(([, to]) => to));
  const feeding = new Set(edges.map(([from]) => from));
  same(sorted(sources), sorted(startOrder.filter((name) => !fed.has(name))));
  same(sorted(sinks), sorted(startOrder.filter((name) => !feeding.has(name))));
}

/** Two nodes feed either the same nodes or no common one. */
function checkOutSets({ edges }: ExpressionPlan): void {
  const outs = new Map<string, string[]>();
  for (const [from, to] of edges) outs.set(from, [...(outs.get(from) ?? []), to]);
  const seen = new Map<string, string>();
  for (const set of outs.values()) {
    const key = sorted(set);
    for (const to of set) same(seen.get(to) ?? key, key);
    for (const to of set) seen.set(to, key);
  }
}

/** Printing and parsing gives the same tree, and what was printed once is printed so again. */
function checkPrinting(expression: string): void {
  const tree = parseExpression(expression);
  const printed = printExpression(tree);
  const again = parseExpression(printed);
  same(treeText(again), treeText(tree));
  same(printExpression(again), printed);
}

describe("100,000 random expressions", () => {
  test("plan as by brute force, start sinks first, feed equal or disjoint sets, and print to what parses to the same", () => {
    forRandom(ALL, (expression) => {
      const plan = planExpression(expression);
      checkAgainstBruteForce(plan, expression);
      checkOrder(plan);
      checkOutSets(plan);
      checkPrinting(expression);
    });
  }, 120_000); // A few seconds; the limit is for a busy machine.
});

describe("random expressions", () => {
  test("keep their edges when every prefix of a run of operators is put into brackets", () => {
    forRandom(5_000, (_, random) => {
      const names = NAMES.slice(0, 2 + random(8));
      const operators = names.map(() => (random(2) === 0 ? ";" : "||"));
      const flat = names.map((name, index) => (index === 0 ? name : `${operators[index]} ${name}`)).join(" ");
      const nested = names.reduce((left, name, index) => (index === 0 ? name : `(${left} ${operators[index]} ${name})`), "");
      same(keys(planExpression(flat).edges), keys(planExpression(nested).edges));
    });
  });

  test("are associative in each operator: brackets within a run of one change no edge", () => {
    forRandom(2_000, (_, random) => {
      const parts = [NAMES.slice(0, 3), NAMES.slice(3, 6), NAMES.slice(6, 9)].map((names) => randomExpression(random, names));
      const [x, y, z] = parts.map((part) => `(${part})`);
      for (const operator of [";", "||", "+"]) {
        const left = planExpression(`(${x} ${operator} ${y}) ${operator} ${z}`);
        const right = planExpression(`${x} ${operator} (${y} ${operator} ${z})`);
        same(keys(left.edges), keys(right.edges));
      }
      const early = planExpression(`${x}; ${y} || ${z}`);
      const late = planExpression(`${x}; (${y} || ${z})`);
      expect(keys(early.edges)).not.toBe(keys(late.edges));
    });
  });

  test("come back from their graphs as expressions of the same graph", () => {
    forRandom(3_000, (expression) => {
      const { graph } = compileGraph({ expression });
      const printed = graphExpression(graph);
      if (printed === undefined) throw new Error("this is series-parallel, and has an expression");
      const { graph: again } = compileGraph({ expression: printed });
      same(graphHash(again), graphHash(graph));
      same(JSON.stringify(again), JSON.stringify(graph));
      same(String(graphExpression(again)), printed);
      same(keys(planGraph(graph).edges), keys(planExpression(expression).edges));
    });
  });
});
