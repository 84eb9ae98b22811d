import { describe, expect, test } from "vitest";
import { importScheme } from "../../src/index.ts";
import { issuesOf, thrownBy } from "./thrown.ts";

const address = (port: unknown, host: unknown = "h1"): unknown => ({ host, port });
const node = (name: string, port: number, more: object = {}): unknown => ({
  name,
  action: "act",
  addresses: [address(port)],
  ...more,
});

describe("a GoStreaming scheme", () => {
  test("becomes a graph: addresses are placements, the whitelist is egress, arguments and environment are kept", () => {
    const { graph, warnings } = importScheme({
      name: "numbers",
      dataflow: "numgen ; filter2 ; (printer2 || (filter3 ; printer6))",
      nodes: [
        node("numgen", 7001, {
          args: ["-n", "100"],
          env: { SEED: "7", EMPTY: "" },
          addresses: [address(7001), address(7001, "h2")],
        }),
        node("filter2", 7002, { conn_whitelist: ["10.0.0.1"] }),
        node("filter3", 7003, { conn_whitelist: ["all"] }),
        node("printer2", 7004, { conn_whitelist: [], args: null, env: null }),
        node("printer6", 7005),
      ],
    });
    expect(warnings).toEqual([]);
    const placement = (port: number): unknown => [{ host: "h1", port }];
    expect(graph).toEqual({
      version: 1,
      name: "numbers",
      nodes: [
        { name: "filter2", action: "act", placement: placement(7002), egress: ["10.0.0.1"] },
        { name: "filter3", action: "act", placement: placement(7003), egress: "all" },
        {
          name: "numgen",
          action: "act",
          args: ["-n", "100"],
          env: { EMPTY: "", SEED: "7" },
          placement: [
            { host: "h1", port: 7001 },
            { host: "h2", port: 7001 },
          ],
        },
        { name: "printer2", action: "act", placement: placement(7004) },
        { name: "printer6", action: "act", placement: placement(7005) },
      ],
      edges: [
        ["filter2", "filter3"],
        ["filter2", "printer2"],
        ["filter3", "printer6"],
        ["numgen", "filter2"],
      ],
    });
  });

  test("may name nodes that the dataflow does not mention, and have keys that mean nothing: both are warnings", () => {
    const { graph, warnings } = importScheme({
      name: "s",
      dataflow: "a",
      nodes: [node("a", 1, { agrs: [] }), node("1b", 2)],
      owner: "x",
    });
    expect(graph.nodes.map(({ name }) => name)).toEqual(["a"]);
    expect(warnings.map(({ kind, path, node: name }) => [kind, path ?? name])).toEqual([
      ["bad-form", "owner"],
      ["bad-form", "nodes[0].agrs"],
      ["unused-node", "1b"],
    ]);
    expect(warnings[1]).toMatchObject({ suggestion: "args" });
  });

  test("warns of accidental sources in the dataflow", () => {
    const nodes = [node("a", 1), node("b", 2), node("c", 3)];
    expect(importScheme({ name: "s", dataflow: "a; b || c", nodes }).warnings).toMatchObject([
      { kind: "accidental-source", path: "dataflow" },
    ]);
  });
});

describe("a wrong scheme", () => {
  test.each<[string, unknown, string[]]>([
    ["null", null, ["bad-form "]],
    ["a list", [], ["bad-form "]],
    ["without a name", { dataflow: "a", nodes: [node("a", 1)] }, ["bad-name name"]],
    ["with a name of other signs", { name: "a-b", dataflow: "a", nodes: [node("a", 1)] }, ["bad-name name"]],
    ["without a dataflow", { name: "s", nodes: [node("a", 1)] }, ["bad-value dataflow"]],
    ["with an empty dataflow", { name: "s", dataflow: "", nodes: [node("a", 1)] }, ["bad-form dataflow"]],
    ["without nodes", { name: "s", dataflow: "a" }, ["bad-value nodes", "unknown-node dataflow"]],
    ["with a null node", { name: "s", dataflow: "a", nodes: [node("a", 1), null] }, ["bad-value nodes[1]"]],
    [
      "with a name with other signs in a node",
      { name: "s", dataflow: "a", nodes: [node("a", 1), node("../b", 2)] },
      ["bad-name nodes[1].name"],
    ],
    ["without an action", { name: "s", dataflow: "a", nodes: [node("a", 1, { action: "" })] }, ["bad-value nodes[0].action"]],
    [
      "without an address",
      { name: "s", dataflow: "a", nodes: [node("a", 1, { addresses: [] })] },
      ["bad-value nodes[0].addresses"],
    ],
    [
      "with a null address",
      { name: "s", dataflow: "a", nodes: [node("a", 1, { addresses: [null] })] },
      ["bad-value nodes[0].addresses[0]"],
    ],
    [
      "with an empty host",
      { name: "s", dataflow: "a", nodes: [node("a", 1, { addresses: [address(1, "")] })] },
      ["bad-value nodes[0].addresses[0].host"],
    ],
    ["with port 0", { name: "s", dataflow: "a", nodes: [node("a", 0)] }, ["bad-value nodes[0].addresses[0].port"]],
    [
      "with a port that there is not",
      { name: "s", dataflow: "a", nodes: [node("a", 65_536)] },
      ["bad-value nodes[0].addresses[0].port"],
    ],
    [
      "with an empty argument",
      { name: "s", dataflow: "a", nodes: [node("a", 1, { args: ["x", ""] })] },
      ["bad-value nodes[0].args[1]"],
    ],
    [
      "with a variable without a name",
      { name: "s", dataflow: "a", nodes: [node("a", 1, { env: { "": "x" } })] },
      ["bad-value nodes[0].env"],
    ],
    ["with a node twice", { name: "s", dataflow: "a", nodes: [node("a", 1), node("a", 2)] }, ["duplicate-node nodes[1]"]],
    [
      "with an address twice",
      { name: "s", dataflow: "a", nodes: [node("a", 1), node("b", 1)] },
      ["bad-value nodes[1].addresses[0]"],
    ],
    ["with a node used twice", { name: "s", dataflow: "a; a", nodes: [node("a", 1)] }, ["duplicate-node dataflow"]],
    ["with a node that there is not", { name: "s", dataflow: "a; x9", nodes: [node("a", 1)] }, ["unknown-node dataflow"]],
  ])("%s is refused for that and for nothing else", (_, document, issues) => {
    expect(thrownBy(() => importScheme(document)).code).toBe("stream.scheme");
    expect(issuesOf(() => importScheme(document))).toEqual(issues);
  });

  test("is refused with all faults in the order in which GoStreaming looks for them, each naming its node", () => {
    const document = {
      name: "?",
      dataflow: "a;; x9; a",
      nodes: [node("a", 0, { action: "", args: [""], env: { "": "" } }), node("b", 5), node("b", 5)],
    };
    const { issues } = thrownBy(() => importScheme(document));
    expect(issues.map(({ path }) => path)).toEqual([
      "dataflow",
      "name",
      "nodes[0].action",
      "nodes[0].addresses[0].port",
      "nodes[0].args[0]",
      "nodes[0].env",
      "nodes[2]",
      "nodes[2].addresses[0]",
      "dataflow",
      "dataflow",
    ]);
    for (const { path, node: name, message } of issues)
      if (path?.startsWith("nodes[0]")) expect([name, message]).toEqual(["a", expect.stringContaining("node a")]);
  });
});
