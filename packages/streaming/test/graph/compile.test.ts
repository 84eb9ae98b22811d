import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compileGraph,
  createGraphBuilder,
  type Edge,
  type GraphDocument,
  graphExpression,
  graphHash,
  graphTree,
  parallel,
  planGraph,
} from "../../src/index.ts";
import { issuesOf, thrownBy } from "./thrown.ts";

const hourglass: readonly Edge[] = [
  ["a", "c"],
  ["a", "d"],
  ["b", "c"],
  ["b", "d"],
];
const nShape: readonly Edge[] = [
  ["a", "c"],
  ["b", "c"],
  ["b", "d"],
];
const bypass: readonly Edge[] = [
  ["a", "b"],
  ["b", "c"],
  ["a", "c"],
];

describe("a graph", () => {
  test("is the same from an expression, from edges in any order and from the builder", () => {
    const nodes = [
      { name: "d", action: "printer" },
      { name: "a", action: "numgen", args: ["1", "2"], env: { B: "2", A: "" } },
      { name: "c" },
      { name: "b" },
    ];
    const fromExpression = compileGraph({ name: "g1", nodes, expression: "(b || a); (c || d)" }).graph;
    const fromEdges = compileGraph({ name: "g1", nodes: [...nodes].reverse(), edges: [...hourglass].reverse() }).graph;
    const builder = createGraphBuilder("g1");
    const b = builder.source<string>("b");
    const a = builder.source<string>("a", { env: { A: "", B: "2" }, args: ["1", "2"], action: "numgen" });
    const d = builder.sink<string>("d", { action: "printer" });
    const c = builder.sink<string>("c");
    parallel(a, b).to(parallel(c, d));
    const built = builder.build().graph;
    expect(JSON.stringify(fromEdges)).toBe(JSON.stringify(fromExpression));
    expect(JSON.stringify(built)).toBe(JSON.stringify(fromExpression));
    expect(fromExpression).toEqual({
      version: 1,
      name: "g1",
      nodes: [
        { name: "a", action: "numgen", args: ["1", "2"], env: { A: "", B: "2" } },
        { name: "b" },
        { name: "c" },
        { name: "d", action: "printer" },
      ],
      edges: hourglass,
    });
  });

  test("is a document that compiles to itself", () => {
    const { graph } = compileGraph({ nodes: [{ name: "b", egress: "all" }, { name: "a" }], edges: [["b", "a"]] });
    expect(compileGraph(graph)).toEqual({ graph, warnings: [] });
  });

  test("has the hash of its canonical JSON, which any other setting changes", () => {
    const { graph } = compileGraph({ expression: "a; b" });
    expect(graphHash(graph)).toBe("sha256:cd30512824a92258de59b5ee2638e9c843a7c19a3beca92a967840063742dc91");
    const other = compileGraph({ nodes: [{ name: "a", args: [" "] }, { name: "b" }], expression: "a; b" }).graph;
    expect(graphHash(other)).not.toBe(graphHash(graph));
    expect(graphHash({ ...graph, nodes: [...graph.nodes].reverse() })).toBe(graphHash(graph));
  });

  test("keeps names that objects have of their own", () => {
    const env = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>;
    const { graph } = compileGraph({
      nodes: [{ name: "constructor", env }, { name: "toString" }],
      expression: "constructor; toString",
    });
    expect(Object.entries(graph.nodes[0]?.env ?? {})).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(planGraph(graph).startOrder).toEqual(["toString", "constructor"]);
  });

  test("starts sinks first also where no expression describes it", () => {
    expect(planGraph(compileGraph({ edges: nShape }).graph)).toEqual({
      sources: ["a", "b"],
      sinks: ["c", "d"],
      edges: nShape,
      startOrder: ["d", "c", "b", "a"],
    });
    expect(planGraph(compileGraph({ edges: bypass }).graph).startOrder).toEqual(["c", "b", "a"]);
  });
});

describe("a graph printed back", () => {
  test.each<[string, readonly Edge[], string | undefined]>([
    [
      "of a chain",
      [
        ["a", "b"],
        ["b", "c"],
      ],
      "a; b; c",
    ],
    ["of an hourglass", hourglass, "(a || b); (c || d)"],
    [
      "of a diamond",
      [
        ["a", "b"],
        ["a", "c"],
        ["b", "d"],
        ["c", "d"],
      ],
      "a; (b || c); d",
    ],
    [
      "of two chains",
      [
        ["c", "d"],
        ["a", "b"],
      ],
      "(a; b) || (c; d)",
    ],
    ["of an N shape", nShape, undefined],
    ["of an edge that passes over a node", bypass, undefined],
  ])("%s is an expression, or none where there is none", (_, edges, expression) => {
    expect(graphExpression(compileGraph({ edges }).graph)).toBe(expression);
  });

  test("of nothing is no expression", () => {
    expect(graphTree(compileGraph({ nodes: [], edges: [] }).graph)).toBeUndefined();
  });

  test("is an expression of the same graph whenever there is one, for any graph without cycles", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const pairs = names.flatMap((from, index) => names.slice(index + 1).map((to): Edge => [from, to]));
    const nodes = names.map((name) => ({ name }));
    let expressible = 0;
    fc.assert(
      fc.property(fc.subarray(pairs), (edges) => {
        const { graph } = compileGraph({ nodes, edges });
        const expression = graphExpression(graph);
        if (expression === undefined) {
          // An N or a bypass must be in it; what expressions make has neither.
          expect(hasForbiddenShape(edges)).toBe(true);
          return;
        }
        expressible++;
        expect(compileGraph({ nodes, expression }).graph).toEqual(graph);
      }),
      { numRuns: 3_000, seed: 5 },
    );
    expect(expressible).toBeGreaterThan(50);
  });

  test("is quick for 10,000 nodes, as deep as they come", () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
    const inTurns = names.map((name, index) => (index === 0 ? name : `${index % 2 === 0 ? ";" : "||"} ${name}`)).join(" ");
    const { graph } = compileGraph({ expression: inTurns });
    const expression = graphExpression(graph) ?? "";
    expect(graphHash(compileGraph({ expression }).graph)).toBe(graphHash(graph));
  });
});

/**
 * Whether no expression makes these edges: by the definition of a vertex series-parallel graph, which is that its transitive
 * closure has no N, and by that expressions make no edge beside a longer way.
 */
function hasForbiddenShape(edges: readonly Edge[]): boolean {
  const names = [...new Set(edges.flat())];
  const reach = new Set(edges.map(([from, to]) => `${from}${to}`));
  for (const via of names) {
    for (const from of names) for (const to of names) if (reach.has(from + via) && reach.has(via + to)) reach.add(from + to);
  }
  const isBeside = edges.some(([from, to]) => names.some((via) => reach.has(from + via) && reach.has(via + to)));
  return isBeside || hasN(names, reach);
}

function hasN(names: readonly string[], reach: ReadonlySet<string>): boolean {
  const isApart = (one: string, other: string): boolean => one !== other && !reach.has(one + other) && !reach.has(other + one);
  const isN = (a: string, b: string, [c, d]: readonly [string, string]): boolean =>
    reach.has(a + c) && reach.has(b + c) && reach.has(b + d) && isApart(a, b) && isApart(c, d) && isApart(a, d);
  const pairs = names.flatMap((c) => names.map((d) => [c, d] as const));
  return names.some((a) => names.some((b) => pairs.some((pair) => isN(a, b, pair))));
}

describe("a wrong document", () => {
  test("is refused with the path of a cycle, also of a node that feeds itself", () => {
    const { code, message, issues } = thrownBy(() =>
      compileGraph({
        edges: [
          ["s", "a"],
          ["a", "b"],
          ["b", "c"],
          ["c", "a"],
          ["c", "t"],
          ["u", "u"],
        ],
      }),
    );
    expect(code).toBe("stream.graph");
    expect(message).toBe("the edges close a cycle: a → b → c → a; a record would never leave it (and 1 more)");
    expect(issues.map(({ cycle }) => cycle)).toEqual([
      ["a", "b", "c", "a"],
      ["u", "u"],
    ]);
  });

  test("is refused with every fault at once, each at its path", () => {
    const document = {
      name: "a b",
      nodes: [
        { name: "a", action: "" },
        { name: "a" },
        { name: "9" },
        null,
        { name: "b", env: { "": "x", Y: 1 }, placment: [] },
        { name: "c", placement: [{ host: "h", port: 70_000 }], args: "x" },
      ],
      edges: [["a", "b"], ["a", "b"], ["a", "cc"], ["b"], [1, "a"]],
      colour: "red",
    } as unknown as GraphDocument;
    expect(issuesOf(() => compileGraph(document))).toEqual([
      "bad-form colour",
      "bad-name name",
      "bad-value nodes[0].action",
      "duplicate-node nodes[1]",
      "bad-name nodes[2].name",
      "bad-value nodes[3]",
      "bad-form nodes[4].placment",
      "bad-value nodes[4].env",
      "bad-value nodes[4].env.Y",
      "bad-value nodes[5].args",
      "bad-value nodes[5].placement[0].port",
      "bad-value edges[3]",
      "bad-name edges[4][0]",
      "unknown-node edges[2][1]",
      "duplicate-edge edges[1]",
    ]);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a list", []],
    ["neither an expression nor edges", { nodes: [] }],
    ["both", { expression: "a", edges: [] }],
    ["another version", { version: 2, expression: "a" }],
    ["an expression that is no text", { expression: 5 }],
    ["edges that are no list", { edges: "a>b" }],
  ])("is refused when it is %s", (_, document) => {
    expect(thrownBy(() => compileGraph(document as GraphDocument)).code).toBe("stream.graph");
  });

  test("is refused with stream.syntax when only the expression is wrong", () => {
    expect(thrownBy(() => compileGraph({ expression: "a;; b" })).code).toBe("stream.syntax");
    const { issues, code } = thrownBy(() => compileGraph({ nodes: [{ name: "numgen" }], expression: "numgem" }));
    expect(code).toBe("stream.syntax");
    expect(issues).toMatchObject([{ kind: "unknown-node", path: "expression", suggestion: "numgen" }]);
  });

  test("is refused when it has more edges than the limit", () => {
    expect(thrownBy(() => compileGraph({ edges: nShape }, { maxEdges: 2 })).code).toBe("stream.too_large");
  });
});

describe("the warnings of a graph", () => {
  test("name nodes that an expression does not mention, which are left out", () => {
    const { graph, warnings } = compileGraph({ nodes: [{ name: "a" }, { name: "b" }], expression: "a" });
    expect(graph.nodes).toEqual([{ name: "a" }]);
    expect(warnings).toMatchObject([{ kind: "unused-node", node: "b" }]);
  });

  test("name nodes that no edge touches, which stay", () => {
    const { graph, warnings } = compileGraph({ nodes: [{ name: "a" }, { name: "b" }, { name: "c" }], edges: [["a", "b"]] });
    expect(graph.nodes).toHaveLength(3);
    expect(warnings).toMatchObject([{ kind: "unconnected-node", node: "c" }]);
    expect(compileGraph({ nodes: [{ name: "a" }], edges: [] }).warnings).toEqual([]);
  });

  test("name accidental sources", () => {
    expect(compileGraph({ expression: "a; b || c" }).warnings).toMatchObject([
      { kind: "accidental-source", path: "expression", suggestion: "a; (b || c)" },
    ]);
  });
});
