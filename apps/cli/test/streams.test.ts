import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { fixture, type Outcome, run, startNode, temporaryFolder } from "./helpers.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

function metanode(args: readonly string[], stdin = ""): Promise<Outcome> {
  return run(args, { cwd: folder.path, stdin });
}

const PLAN = {
  tree: "SEQ[a,PAR[b,c]]",
  sources: ["a"],
  sinks: ["b", "c"],
  edges: [
    ["a", "b"],
    ["a", "c"],
  ],
  startOrder: ["c", "b", "a"],
};

describe("metanode stream plan", () => {
  test("prints the plan as JSON, YAML and for people, without a node", async () => {
    const json = await metanode(["stream", "plan", "a; (b || c)", "-o", "json"]);
    expect({ ...json, stdout: JSON.parse(json.stdout), bytes: undefined }).toEqual({
      status: 0,
      stdout: PLAN,
      stderr: "",
      bytes: undefined,
    });
    expect(parse((await metanode(["stream", "plan", "a; (b || c)", "-o", "yaml"])).stdout)).toEqual(PLAN);
    expect((await metanode(["stream", "plan", "a; (b || c)"])).stdout).toBe(
      [
        "tree         SEQ[a,PAR[b,c]]",
        "sources      a",
        "sinks        b, c",
        "edges        a → b, a → c",
        "start order  c, b, a",
        "",
      ].join("\n"),
    );
  });

  test("says each mistake with its kind, line, column and a caret, and ends with status 2", async () => {
    const { status, stdout, stderr } = await metanode(["stream", "plan", "a; ; b\n  || num_gen)"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n")).toEqual([
      "error at line 1, column 4: unexpected-token: expected a node or `(` after `;`, found `;`",
      "  a; ; b",
      "     ^",
      expect.stringMatching(/^error at line 2, column 9: lexical: `_` cannot stand here: .*; did you mean `numgen`\?$/),
      "    || num_gen)",
      "          ^",
      "error at line 2, column 13: unexpected-token: unexpected `)`: no bracket is open here",
      "    || num_gen)",
      "              ^",
      expect.stringMatching(/^error stream\.syntax: 3 errors, the first at line 1, column 4: unexpected-token: /),
      "",
    ]);
  });

  test("gives programs every mistake in the problem object, and nothing else on standard error", async () => {
    const { status, stdout, stderr } = await metanode(["stream", "plan", "a -> b; a", "-o", "json"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      code: "stream.syntax",
      status: 400,
      details: {
        errors: [
          { kind: "lexical", line: 1, column: 3, suggestion: ";", caret: "a -> b; a\n  ^^" },
          { kind: "duplicate-use", line: 1, column: 9 },
        ],
      },
    });
  });

  test("takes any name, and with --names only those", async () => {
    expect((await metanode(["stream", "plan", "a; printer", "--names", "a, printer"])).status).toBe(0);
    const { status, stderr } = await metanode(["stream", "plan", "a; prnter", "--names", "a,printer"]);
    expect(status).toBe(2);
    expect(stderr).toContain(
      "error at line 1, column 4: unknown-node: no node is called `prnter`; did you mean `printer`?\n  a; prnter\n     ^^^^^^\n",
    );
    const wrong = await metanode(["stream", "plan", "a", "--names", "a,b c"]);
    expect(wrong).toMatchObject({ status: 2, stdout: "" });
    expect(wrong.stderr).toContain('usage.invalid: "b c" in --names is no name');
  });

  test("warns of an accidental source, and plans it all the same", async () => {
    const { status, stdout, stderr } = await metanode(["stream", "plan", "a; b || c", "-o", "json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ sources: ["a", "c"] });
    expect(stderr).toContain(
      "warning at line 1, column 9: accidental-source: c has become a source; did you mean a; (b || c)?\n",
    );
  });

  test("draws the graph as Mermaid text, and for programs beside the plan", async () => {
    const drawing = 'flowchart LR\n  a(["a"])\n  b[["b"]]\n  a --> b';
    expect((await metanode(["stream", "plan", "a; b", "--mermaid"])).stdout).toBe(`${drawing}\n`);
    const { stdout } = await metanode(["stream", "plan", "a; b", "--mermaid", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ tree: "SEQ[a,b]", mermaid: drawing });
  });

  test("reads a long expression from standard input and from a file", async () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `stage${index}`);
    const { stdout } = await metanode(["stream", "plan", "-", "-o", "json"], names.join("; "));
    expect(JSON.parse(stdout).edges).toHaveLength(9_999);
    writeFileSync(join(folder.path, "graph.txt"), "a;\nb\n");
    expect((await metanode(["stream", "plan", "@graph.txt"])).stdout).toContain("SEQ[a,b]");
  });

  test("refuses an empty expression as a mistake of syntax", async () => {
    const { status, stderr } = await metanode(["stream", "plan", ""]);
    expect(status).toBe(2);
    expect(stderr).toContain("error at line 1, column 1: unexpected-token");
  });
});

describe("metanode stream import", () => {
  const scheme = `name: numbers
dataflow: numgen; (printer || filter)
nodes:
  - { name: numgen, action: num_gen, args: [1.50, 010], addresses: [{ host: h1, port: 7001 }, { host: h2, port: 7001 }] }
  - { name: printer, action: print, env: { MODE: yes, EMPTY: }, addresses: [{ host: h1, port: 7002 }] }
  - { name: filter, action: filter, conn_whitelist: [all], addresses: [{ host: h1, port: 7003 }] }
  - { name: spare, action: filter, addresses: [{ host: h1, port: 7004 }] }
`;

  test("prints the graph of a YAML scheme, values as they are written, and warns of what is left out", async () => {
    writeFileSync(join(folder.path, "scheme.yaml"), scheme);
    const { status, stdout, stderr } = await metanode(["stream", "import", "scheme.yaml", "-o", "json"]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: "warning: unused-node: the expression does not mention node spare, so it is not a part of the graph\n",
    });
    expect(JSON.parse(stdout)).toEqual({
      version: 1,
      name: "numbers",
      nodes: [
        { name: "filter", action: "filter", placement: [{ host: "h1", port: 7003 }], egress: "all" },
        {
          name: "numgen",
          action: "num_gen",
          args: ["1.50", "010"],
          placement: [
            { host: "h1", port: 7001 },
            { host: "h2", port: 7001 },
          ],
        },
        { name: "printer", action: "print", env: { EMPTY: "", MODE: "yes" }, placement: [{ host: "h1", port: 7002 }] },
      ],
      edges: [
        ["numgen", "filter"],
        ["numgen", "printer"],
      ],
    });
    const table = (await metanode(["stream", "import", "-"], scheme)).stdout;
    expect(table).toMatch(/^expression {2}numgen; \(filter \|\| printer\)$/m);
    expect(table).toMatch(/^hash {8}sha256:[0-9a-f]{64}$/m);
    expect(table).toMatch(/^numgen {3}num_gen 1\.50 010 {2}filter, printer {2}h1:7001, h2:7001 {2}-$/m);
  });

  test("names every fault of a scheme with its node, and ends with status 2", async () => {
    writeFileSync(
      join(folder.path, "bad.json"),
      JSON.stringify({ name: "s", dataflow: "a; x", nodes: [{ name: "a", action: "", addresses: [] }, null] }),
    );
    const { status, stdout, stderr } = await metanode(["stream", "import", "bad.json"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n")).toEqual([
      'error: bad-value: nodes[0].action (node a) is "", expected a text that is not empty',
      "error: bad-value: nodes[0].addresses (node a) is empty, expected one address or more",
      "error: bad-value: nodes[1] is null, expected an object with `name`, `action` and `addresses`",
      "error: unknown-node: dataflow: line 1, column 4: no node is called `x`; known are a",
      expect.stringMatching(/^error stream\.scheme: nodes\[0\]\.action \(node a\) is "", .* \(and 3 more\)$/),
      "",
    ]);
  });

  test.each([
    ["a file that is no JSON", "broken.json", "{", "stream.scheme: broken.json cannot be read: "],
    ["a file that is no YAML", "broken.yaml", "a: [", "stream.scheme: broken.yaml cannot be read: "],
    ["null", "null.json", "null", "stream.scheme: the document is null, expected an object"],
    ["a file that is not there", undefined, "", "usage.invalid: the file absent.json cannot be read"],
  ])("refuses %s with status 2 and one line", async (_, file, text, message) => {
    if (file !== undefined) writeFileSync(join(folder.path, file), text);
    const { status, stderr } = await metanode(["stream", "import", file ?? "absent.json"]);
    expect(status).toBe(2);
    expect(stderr).toContain(`error ${message}`);
  });
});

describe("the streaming package", () => {
  const loads = (args: readonly string[]): Promise<Outcome> =>
    run(args, { cwd: folder.path, env: { NODE_OPTIONS: `--import=${pathToFileURL(fixture("loads.mjs"))}` } });

  test("is loaded by the commands that need it, and not by the help", async () => {
    expect((await loads(["--help"])).stderr).toBe("");
    expect((await loads(["stream", "plan", "--help"])).stderr).toBe("");
    expect((await loads(["stream", "plan", "a"])).stderr).toContain("loads src/index.ts");
  });

  test("has its codes explained", async () => {
    expect((await metanode(["explain", "stream.syntax"])).stdout).toMatch(/^exit {5}2 \(wrong usage\)$/m);
  });
});

describe("metanode stream exec", () => {
  test("runs a graph of programs to its end, as a pipe does", async () => {
    const commands = [
      "--node",
      "n=seq 1 9",
      "--node",
      "odd=grep [13579]$",
      "--node",
      "even=grep [02468]$",
      "--node",
      "sum=paste -sd+",
    ];
    const { status, stdout } = await metanode(["stream", "exec", "n; (odd || even); sum", ...commands]);
    expect(status).toBe(0);
    const numbers = stdout.trim().split(/[+\n]/).map(Number);
    expect(numbers.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("fails with what was given up on, and why", async () => {
    const { status, stderr } = await metanode(["stream", "exec", "n; x", "--node", "n=seq 1 1", "--node", "x=false"]);
    expect(status).toBe(8);
    expect(stderr).toContain('given up: "1"');
    expect(stderr).toContain("exit code 1");
  });

  test("says what is wrong before anything runs", async () => {
    const { status, stderr } = await metanode(["stream", "exec", "n; y", "--node", "n=seq 1 1"]);
    expect(status).toBe(2);
    expect(stderr).toContain("there is no action y");
  });
});

describe("the graphs of a node", () => {
  test("are applied, run, watched, changed and removed", async () => {
    await using node = await startNode();
    const graph = `
      name: ticking
      expression: ticks; mark
      nodes:
        - { name: ticks, action: generate, with: { intervalMs: 5, template: "tick {n}" } }
        - { name: mark, command: sed -u s/tick/tock/, answers: one }
    `;
    const say = async (args: readonly string[], stdin = ""): Promise<Record<string, unknown>> => {
      const { status, stdout, stderr } = await node.metanode([...args, "-o", "json"], { stdin });
      expect([status, stderr]).toEqual([0, ""]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    expect(await say(["stream", "apply", "-", "--run"], graph)).toMatchObject({ name: "ticking", state: "running" });
    expect(await say(["stream", "ls"])).toMatchObject({ items: [{ name: "ticking" }] });
    const tapped = await node.metanode(["stream", "tap", "ticking", "ticks", "mark", "--limit", "2"]);
    expect(tapped.stdout).toMatch(/^tick \d+\ntick \d+\n$/);
    expect(await say(["stream", "upgrade", "ticking", "mark", '{"command": "cat", "answers": "one"}'])).toMatchObject({
      version: 2,
    });
    expect(await say(["stream", "status", "ticking"])).toMatchObject({
      state: "running",
      nodes: [{ name: "ticks" }, { name: "mark" }],
    });
    expect(await say(["stream", "history", "ticking"])).toMatchObject({ items: [{ version: 2 }, { version: 1 }] });
    expect(await say(["stream", "pause", "ticking"])).toMatchObject({ state: "paused" });
    expect(await say(["stream", "stop", "ticking"])).toMatchObject({ graph: { state: "stopped" }, inFlight: 0 });
    expect((await node.metanode(["stream", "tap", "ticking", "ticks", "mark"])).status).toBe(4);
    expect((await node.metanode(["stream", "run", "nothing"])).status).toBe(3);
    expect((await node.metanode(["stream", "rm", "ticking", "--yes"])).status).toBe(0);
    expect((await node.metanode(["stream", "ls"])).stdout).toContain("no graphs");
    expect((await node.metanode(["action", "ls"])).stdout).toContain("generate");
  });
});
