import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { fixture, type Outcome, run, temporaryFolder } from "./helpers.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder[Symbol.dispose]());

function metanode(args: readonly string[], stdin = ""): Promise<Outcome> {
  return run(args, { cwd: folder.path, stdin });
}

const SHOP = fixture("shop.flow.ts");
const FILE = {
  format: "metanode.workflows",
  version: 1,
  metas: [
    { meta: "B:sale/order:1" },
    { meta: "B:sale/state:1", states: "new|paid", settings: { master: "B:sale/order:1" } },
    { meta: "B:bill:1" },
  ],
  relations: [
    {
      from: "B:sale/order:1",
      to: "B:sale/state:1",
      settings: {
        executor: { protocol: "http", url: "http://127.0.0.1:8082/pack" },
        target: { addStates: ["new"] },
        delayMs: 2_000,
      },
      enabled: true,
    },
    { from: "B:sale/state:1", to: "B:bill:1", settings: { selector: { states: { all: ["paid"] } } }, enabled: true },
  ],
};

describe("metanode meta check", () => {
  test("shows the parts of a meta-string in its one spelling", async () => {
    const { status, stdout } = await metanode(["meta", "check", "B:/sale/order/:01", "-o", "json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ meta: "B:sale/order:1", type: "B", key: "sale/order", version: 1 });
    expect((await metanode(["meta", "check", "N:what:ever"])).stdout).toMatch(/^meta +N::1\ntype +N \(null/);
  });

  test("ends with status 2, the line, the column and a caret for what is none", async () => {
    expect(await metanode(["meta", "check", "B:sale|order:1"])).toMatchObject({
      status: 2,
      stdout: "",
      stderr: `error meta.syntax: meta-string "B:sale|order:1", column 7: a key has no |, which parts the keys of instances
  line 1, column 7:
    B:sale|order:1
          ^
`,
    });
  });
});

describe("metanode meta states", () => {
  test("says which states remain, and which gave way to which", async () => {
    const args = ["meta", "states", "a|b[c|d,e], f", "--from", "c,e,f", "--add", "a", "--remove", "f"];
    expect(JSON.parse((await metanode([...args, "-o", "json"])).stdout)).toEqual({
      expression: "a|b[c|d,e],f",
      states: ["a", "c", "d", "e", "f"],
      remaining: ["a"],
      conflicts: [
        { winner: "a", loser: "c" },
        { winner: "a", loser: "e" },
      ],
    });
    expect((await metanode(args)).stdout).toBe(
      "states     a, c, d, e, f\nremaining  a\nconflicts  a instead of c, a instead of e\n",
    );
  });

  test.each([
    ["b,a", [], "a", [["a", "b"]]],
    ["a", ["--add", "b"], "b", [["b", "a"]]],
    ["a", ["--remove", "a"], "", []],
    ["", ["--add", "a"], "a", []],
  ] as const)("takes %s of a|b with %j in their order", async (from, more, remaining, conflicts) => {
    const { stdout } = await metanode(["meta", "states", "a|b", "--from", from, ...more, "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      remaining: remaining === "" ? [] : remaining.split(","),
      conflicts: conflicts.map(([winner, loser]) => ({ winner, loser })),
    });
  });

  test("knows the states of an expression of several lines in any alphabet", async () => {
    const { stdout } = await metanode(["meta", "states", "новый |\n оплачен[картой, 现金]", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ expression: "новый|оплачен[картой,现金]", states: ["новый", "картой", "现金"] });
  });

  test("ends with status 2, the line, the column and a caret for an expression that is none", async () => {
    const bad = "new |\n现金, paid[a,,b]";
    const { status, stdout, stderr } = await metanode(["meta", "states", bad]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.split("\n").slice(1)).toEqual(["  line 2, column 12:", "    现金, paid[a,,b]", "                 ^", ""]);
    const problem = JSON.parse((await metanode(["meta", "states", bad, "-o", "json"])).stderr);
    expect(problem).toMatchObject({ code: "meta.syntax", details: { text: bad, line: 2, column: 12 } });
  });

  test("ends with status 2 for a state that is none, in each of its lists", async () => {
    for (const list of ["--from", "--add", "--remove"]) {
      const { status, stderr } = await metanode(["meta", "states", "new|paid[cash]", list, "paid"]);
      expect(status).toBe(2);
      expect(stderr).toBe('error instance.state: "paid" groups states and is none itself; known are new, cash\n');
    }
  });
});

describe("metanode meta mermaid", () => {
  test("draws all flows that a file of TypeScript exports", async () => {
    const { status, stdout } = await metanode(["meta", "mermaid", SHOP]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^flowchart LR\n {2}m0\["B bill:1"\]\n/);
    expect(stdout).toContain('  m1 -->|"after 2000 ms · http://127.0.0.1:8082/pack · +new"| m2\n');
    expect((await metanode(["meta", "mermaid", SHOP, "--view", "domain"])).stdout).toContain('subgraph d0["sale"]');
  });

  test("draws the same from JSON, for programs too", async () => {
    writeFileSync(join(folder.path, "shop.json"), JSON.stringify(FILE));
    const [code, file] = await Promise.all(
      [SHOP, "shop.json"].map((name) => metanode(["meta", "mermaid", name, "--view", "flow"])),
    );
    expect(file?.stdout).toBe(code?.stdout);
    const { stdout } = await metanode(["meta", "mermaid", "shop.json", "--view", "flow", "-o", "json"]);
    expect(JSON.parse(stdout)).toEqual({ view: "flow", mermaid: code?.stdout });
  });
});

describe("metanode meta export and import", () => {
  test("bring code to JSON, to rows and to SQL, and each of them back", async () => {
    expect(JSON.parse((await metanode(["meta", "export", SHOP, "--as", "json"])).stdout)).toEqual(FILE);
    const sql = await metanode(["meta", "export", SHOP]);
    expect(sql).toMatchObject({ status: 0, stderr: "" });
    expect(sql.stdout.match(/^INSERT INTO `(meta|relation)` /gm)).toHaveLength(5);
    const rows = await metanode(["meta", "export", SHOP, "--as", "rows"]);
    for (const { stdout } of [sql, rows]) {
      const back = await metanode(["meta", "import", "-"], stdout);
      expect(back).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(back.stdout)).toEqual(FILE);
    }
    expect(parse((await metanode(["meta", "import", "-", "-o", "yaml"], sql.stdout)).stdout)).toEqual(FILE);
  });

  test("tell on standard error what changes and what is lost, with status 8 if anything is", async () => {
    const insert = (settings: object): string =>
      `INSERT INTO meta (meta_type, meta_key, version, states) VALUES ('B', 'a', 1, 'x|y');
       INSERT INTO relation (from_meta, to_meta, settings) VALUES ('B:a:1', 'B:a:1', '${JSON.stringify(settings)}');`;
    const old = await metanode(["meta", "import", "-"], insert({ target_states: { add: ["x"] } }));
    expect(old.status).toBe(0);
    expect(old.stderr).toBe("changed  B:a:1 -> B:a:1 target_states  is an old spelling, taken for today's\n");
    expect(JSON.parse(old.stdout).relations[0].settings).toEqual({ target: { addStates: ["x"] } });
    const unknown = await metanode(["meta", "import", "-"], insert({ delai: 5 }));
    expect(unknown.status).toBe(8);
    expect(unknown.stderr).toBe("lost  B:a:1 -> B:a:1 delai  is not known; did you mean delay?\n");
    expect(JSON.parse(unknown.stdout).relations[0].settings).toEqual({});
  });

  test.each<[string, string[], string, string]>([
    ["a file that is not there", ["export", "no.json"], "", "usage.invalid: the file no.json cannot be read"],
    ["code that is not there", ["export", "no.ts"], "", "usage.invalid: the file no.ts cannot be read"],
    ["code without a flow", ["export", fixture("../helpers.ts")], "", "exports no flow"],
    ["code that fails", ["export", "fails.ts"], "", "usage.invalid: the file fails.ts cannot be loaded"],
    ["a flow that fails", ["mermaid", "flow.ts"], "", "meta.syntax: states"],
    ["JSON of another kind", ["import", "-"], '{"a":1}', "usage.invalid: standard input holds no declarations"],
    ["no JSON", ["import", "-"], '{"a":', "usage.invalid: standard input is no JSON"],
    [
      "a wrong member",
      ["import", "-"],
      JSON.stringify({ ...FILE, metas: [{ meta: 5 }] }),
      "config.invalid: metas[0].meta is 5, expected text",
    ],
    ["no SQL", ["import", "-"], "hello", "usage.invalid: standard input holds no declarations"],
    ["SQL with a mistake", ["import", "-"], "INSERT INTO meta (a)\nVALUE 5;", "meta.syntax: SQL, line 2, column 7"],
  ])("end with status 2 for %s", async (_what, args, stdin, expected) => {
    writeFileSync(join(folder.path, "fails.ts"), "throw new Error('on purpose');");
    writeFileSync(
      join(folder.path, "flow.ts"),
      `import { defineFlow, meta } from ${JSON.stringify(import.meta.resolve("@metanode/nature"))};
       export const flow = defineFlow({ metas: { a: meta("B:a:1", { states: "a," }) } });`,
    );
    const { status, stdout, stderr } = await metanode(["meta", ...args], stdin);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error /);
    expect(stderr).toContain(expected);
  });
});
