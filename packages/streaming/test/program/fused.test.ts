import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type Action, compileGraph, functionAction, GraphRun, programAction } from "../../src/index.ts";
import { NumberSource, range } from "../run/counting.ts";
import { runPrograms, script } from "./tools.ts";

const numbers = range(1_000).map(String);
const fusedOf = (run: GraphRun, name: string): unknown => run.status().nodes.find((node) => node.name === name)?.details?.fused;

describe("programs in a row", () => {
  test("are joined by pipes of the operating system: the same records, without coming by", async () => {
    const { end, seen, run } = await runPrograms(numbers, {
      grep: { command: "grep 7" },
      sed: { command: ["sed", "s/7/'seven'/"], env: { HOW: "quoted 'well'" } },
      tr: { command: ["tr", "a-z", "A-Z"] },
    });
    expect(end).toEqual({ outcome: "completed", inFlight: 0 });
    expect(seen).toEqual(numbers.filter((text) => text.includes("7")).map((text) => text.replace("7", "'SEVEN'")));
    expect(fusedOf(run, "grep")).toEqual(["grep", "sed", "tr"]);
    expect(run.status().edges.find(({ from }) => from === "grep")?.records).toBe(0);
  });

  test("keep environments of their own", async () => {
    const { seen } = await runPrograms(["x"], {
      one: { command: ["sh", "-c", 'cat; echo "$MINE"'], env: { MINE: "one" } },
      two: { command: ["sh", "-c", 'cat; echo "$MINE"'], env: { MINE: "two" } },
    });
    expect(seen).toEqual(["x", "one", "two"]);
  });

  test("fail together: the record is found on which any of them fails, and the dead letter says which", async () => {
    const poison = `
      const lines = require("fs").readFileSync(0, "utf8").split("\\n").filter(Boolean);
      if (lines.includes("500")) process.exit(3);
      for (const line of lines) console.log(line);
    `;
    const { end, seen, letters } = await runPrograms(numbers.slice(490, 510), {
      first: { command: "cat", attempts: 1, backoffMs: [0] },
      picky: { command: script(poison) },
      last: { command: "cat" },
    });
    expect(end.outcome).toBe("completed");
    expect(seen.toSorted()).toEqual(numbers.slice(490, 510).filter((text) => text !== "500"));
    expect(letters).toMatchObject([
      { record: "500", stderr: expect.stringContaining("picky: the program ended with exit code 3") },
    ]);
  });

  test("may stop reading early, as in a shell", async () => {
    const { end, seen } = await runPrograms(numbers, {
      yes: { command: ["sh", "-c", "cat >/dev/null; seq 1 100000"] },
      head: { command: "head -n 3" },
    });
    expect(end.outcome).toBe("completed");
    expect(seen).toEqual(["1", "2", "3"]);
  });

  test("come apart while somebody taps an edge between them, and join again: in order, nothing lost, nothing twice", async () => {
    const nodes = [
      { name: "numbers" },
      { name: "one", command: "cat", runMs: 20 },
      { name: "two", command: "cat", runMs: 20 },
      { name: "keep" },
    ];
    const { graph } = compileGraph({ name: "apart", nodes, expression: "numbers; one; two; keep" });
    const source = new NumberSource();
    const seen: string[] = [];
    const actions = new Map<string, Action>(graph.nodes.map((node) => [node.name, programOr(node)]));
    function programOr(node: (typeof graph.nodes)[number]): Action {
      if (node.name === "numbers") return { source: () => source };
      return node.name === "keep" ? functionAction((line: string) => void seen.push(line)) : programAction(node);
    }
    await using run = await GraphRun.open({ graph, actions, folder: mkdtempSync(join(tmpdir(), "metanode-fused-")) });
    source.give(100);
    await vi.waitFor(() => expect(seen).toHaveLength(100), 5_000);
    const passed: unknown[] = [];
    const stop = run.tap("one", "two", ({ records }) => passed.push(...records));
    source.give(100);
    await vi.waitFor(() => expect(seen).toHaveLength(200), 5_000);
    expect(passed).toEqual(range(200).slice(100).map(String));
    stop();
    source.give(100);
    await vi.waitFor(() => expect(seen).toHaveLength(300), 5_000);
    expect(passed).toHaveLength(100);
    expect(seen).toEqual(range(300).map(String));
  });
});
