import { describe, expect, test } from "vitest";
import { compileGraph, graphMermaid } from "../../src/index.ts";

describe("a graph as Mermaid text", () => {
  test("shows sources, stages, sinks and edges, with the actions that have other names", () => {
    const nodes = [{ name: "numgen", action: "numgen" }, { name: "filter", action: "bin/filter v2" }, { name: "printer" }];
    expect(graphMermaid(compileGraph({ nodes, expression: "numgen; filter; printer" }).graph)).toBe(
      [
        "flowchart LR",
        '  filter["filter<br/>bin/filter v2"]',
        '  numgen(["numgen"])',
        '  printer[["printer"]]',
        "  filter --> printer",
        "  numgen --> filter",
      ].join("\n"),
    );
  });

  test("gives other ids to nodes whose names Mermaid keeps for itself, and lets no action be markup", () => {
    const text = graphMermaid(compileGraph({ nodes: [{ name: "end", action: '"]<b>' }], expression: "end" }).graph);
    expect(text).toBe('flowchart LR\n  end_(["end<br/>#34;#93;#60;b#62;"])');
  });
});
