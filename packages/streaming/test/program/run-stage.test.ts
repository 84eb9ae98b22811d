import { describe, expect, test } from "vitest";
import { range } from "../run/counting.ts";
import { runPrograms, script } from "./tools.ts";

const numbers = range(1_000).map(String);

describe("a program that runs over batches", () => {
  test("is any filter there is: what it writes goes on, and what it was given is done when it exits", async () => {
    const { end, seen, run } = await runPrograms(numbers, {
      grep: { command: "grep 7", fuse: false },
      sed: { command: "sed s/7/seven/", fuse: false },
      tr: { command: ["tr", "a-z", "A-Z"] },
    });
    expect(end).toEqual({ outcome: "completed", inFlight: 0 });
    expect(seen).toEqual(numbers.filter((text) => text.includes("7")).map((text) => text.replace("7", "SEVEN")));
    expect(run.status().nodes.map(({ name, out }) => [name, out])).toEqual([
      ["records", 1_000],
      ["grep", 271],
      ["sed", 271],
      ["tr", 271],
      ["keep", 0],
    ]);
  });

  test("takes one that finds nothing for what it is: no failure", async () => {
    const { end, seen } = await runPrograms(numbers, { grep: { command: "grep nothing" } });
    expect(end.outcome).toBe("completed");
    expect(seen).toEqual([]);
  });

  test("runs again and again over what comes, each run over so many bytes", async () => {
    const { seen, run } = await runPrograms(numbers, { count: { command: "wc -l", runBytes: 1_000 } });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.map(Number).reduce((sum, count) => sum + count)).toBe(1_000);
    expect(run.status().nodes.find(({ name }) => name === "count")?.details).toMatchObject({ runs: seen.length });
  });

  test("runs once over everything where the node says so", async () => {
    const { seen } = await runPrograms(["b", "a", "b"], {
      sort: { command: "sort", settle: "end" },
      uniq: { command: "uniq -c", settle: "end" },
    });
    expect(seen.map((line) => line.trim())).toEqual(["1 a", "2 b"]);
  });

  test("speaks other codecs too", async () => {
    const { seen } = await runPrograms([{ n: 1 }, { n: 2 }], { jq: { command: "jq -c .n*10", codec: "json" } });
    expect(seen).toEqual(["10", "20"]);
  });

  test("that fails on one record has the others handled, and gives that one up with the last of its stderr", async () => {
    const poison = `
      const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
      if (lines.includes("500")) { console.error("cannot stomach 500"); process.exit(3); }
      for (const line of lines) console.log(line);
    `;
    const { end, seen, letters } = await runPrograms(numbers, {
      picky: { command: script(poison), attempts: 2, backoffMs: [0] },
    });
    expect(end.outcome).toBe("completed");
    expect(seen.toSorted()).toEqual(numbers.filter((text) => text !== "500").toSorted());
    expect(letters).toMatchObject([
      { record: "500", attempts: 2, stderr: expect.stringContaining("cannot stomach 500"), error: { code: "stream.program" } },
    ]);
  });

  test("that was killed is run again over the same records, and the begun record that it left behind is none", async () => {
    const fragile = `
      const fs = require("fs");
      const lines = fs.readFileSync(0, "utf8").trim().split("\\n");
      if (!fs.existsSync(process.env.MARK)) {
        fs.writeFileSync(process.env.MARK, "");
        fs.writeSync(1, "0\\n1\\nhal");
        process.kill(process.pid, "SIGKILL");
      }
      for (const line of lines) console.log(line);
    `;
    const mark = `${process.env.TMPDIR ?? "/tmp"}/metanode-mark-${process.pid}-${Date.now()}`;
    const { end, seen } = await runPrograms(numbers, {
      fragile: { command: script(fragile), env: { MARK: mark }, backoffMs: [0] },
    });
    expect(end.outcome).toBe("completed");
    expect(seen.slice(0, 2)).toEqual(["0", "1"]);
    expect(seen.slice(2)).toEqual(numbers);
  });

  test("that does not exist is given up on with what is wrong, record by record", async () => {
    const { end, letters } = await runPrograms(["a"], { none: { command: "no-such-program", attempts: 1, backoffMs: [0] } });
    expect(end.outcome).toBe("completed");
    expect(letters).toMatchObject([{ record: "a", error: { code: "stream.program" } }]);
  });

  test("keeps its log apart from its output", async () => {
    const { log, seen } = await runPrograms(["a"], { talk: { command: ["sh", "-c", "cat; echo done >&2"] } });
    expect(seen).toEqual(["a"]);
    expect(log).toContain("done");
  });

  test("sees of the environment only what is allowed, and what its node gives", async () => {
    process.env.METANODE_TEST_SECRET = "hush";
    const { seen } = await runPrograms(["a"], { env: { command: ["sh", "-c", "cat >/dev/null; env"], env: { MINE: "1" } } });
    delete process.env.METANODE_TEST_SECRET;
    expect(seen).toContain("MINE=1");
    expect(seen.join()).not.toContain("hush");
  });
});
