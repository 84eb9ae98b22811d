import { describe, expect, test, vi } from "vitest";
import { range } from "../run/counting.ts";
import { openPrograms, runPrograms, script } from "./tools.ts";

const numbers = range(1_000).map(String);

/** Answers line by line; `body` sees \`line\` and returns the answer. */
const answering = (body: string): string[] =>
  script(`
    const fs = require("fs");
    require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const answer = ((line) => { ${body} })(line);
      if (answer !== undefined) fs.writeSync(1, answer + "\\n");
    });
  `);

describe("a program that answers each record with one", () => {
  test("is fed and read all along, in order", async () => {
    const { end, seen, run } = await runPrograms(numbers, {
      sed: { command: "sed -u s/^/n/", answers: "one" },
      awk: { command: ["awk", '{ print $0 "!"; fflush() }'], answers: "one" },
    });
    expect(end).toEqual({ outcome: "completed", inFlight: 0 });
    expect(seen).toEqual(numbers.map((text) => `n${text}!`));
    expect(run.status().nodes.find(({ name }) => name === "sed")?.counts).toEqual({});
  });

  test("drops a record by answering with an empty one", async () => {
    const { seen, run } = await runPrograms(numbers, {
      even: { command: answering("return line % 2 ? '' : line"), answers: "one" },
    });
    expect(seen).toEqual(numbers.filter((text) => Number(text) % 2 === 0));
    expect(run.status().nodes.find(({ name }) => name === "even")?.counts).toEqual({ filtered: 500 });
  });

  test("may speak in frames, as GoStreaming's actions do: an empty frame takes a record and gives nothing", async () => {
    const filter = `
      let rest = Buffer.alloc(0);
      process.stdin.on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
          const size = rest.readUInt32BE();
          const number = rest.readUInt32BE(4);
          require("fs").writeSync(1, number % 3 === 0 ? rest.subarray(0, 4 + size) : Buffer.alloc(4));
          rest = rest.subarray(4 + size);
        }
      });
    `;
    const records = range(300).map((number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(number);
      return bytes;
    });
    const { end, seen } = await runPrograms(records, { filter: { command: script(filter), codec: "frames" } });
    expect(end.outcome).toBe("completed");
    expect(seen).toHaveLength(100);
  });

  test("that dies on one record is started again: the others are answered once each, and that one is given up", async () => {
    const body = "if (line === '500') { console.error('cannot stomach it'); process.exit(3); } return line";
    const { end, seen, letters, run } = await runPrograms(numbers, {
      picky: { command: answering(body), answers: "one", attempts: 2, backoffMs: [0] },
    });
    expect(end.outcome).toBe("completed");
    expect(seen).toEqual(numbers.filter((text) => text !== "500"));
    expect(letters).toMatchObject([{ record: "500", attempts: 2, stderr: expect.stringContaining("stomach") }]);
    expect(run.status().nodes.find(({ name }) => name === "picky")?.counts.restarts).toBeGreaterThanOrEqual(2);
  });

  test("that is killed from outside loses nothing and doubles nothing that it had answered", async () => {
    const { run, seen } = await openPrograms(numbers, { slow: { command: "sed -u s/x/x/", answers: "one", backoffMs: [0] } }, {});
    const pid = await vi.waitFor(() => {
      const found = run.status().nodes.find(({ name }) => name === "slow")?.details?.pid;
      expect(found).toBeTypeOf("number");
      return found as number;
    });
    process.kill(pid, "SIGKILL");
    expect((await run.ended).outcome).toBe("completed");
    expect(seen).toEqual(numbers);
  });

  test("that does not answer in time is ended, and only the record that it hung on is blamed", async () => {
    const { end, seen, letters } = await runPrograms(numbers.slice(0, 20), {
      hanging: {
        command: answering("while (line === '7'); return line"),
        answers: "one",
        attempts: 1,
        timeoutMs: 300,
        backoffMs: [0],
      },
    });
    expect(end.outcome).toBe("completed");
    expect(letters).toMatchObject([{ record: "7", error: { code: "stream.record_timeout" } }]);
    expect(seen).toEqual(numbers.slice(0, 20).filter((text) => text !== "7"));
  }, 15_000);

  test("that answers more than it was asked ends the run with what to do", async () => {
    const { end } = await runPrograms(["a"], { loud: { command: ["sed", "-u", "p"], answers: "one" } });
    expect(end).toMatchObject({
      outcome: "failed",
      error: { code: "stream.program", message: expect.stringContaining("answers") },
    });
  });

  test("that dies at every start ends the run instead of being started for ever", async () => {
    const { end } = await runPrograms(numbers, { dead: { command: "false", answers: "one", backoffMs: [0], onError: "fail" } });
    expect(end).toMatchObject({ outcome: "failed", error: { code: expect.stringMatching(/^stream\.(program|action_failed)$/) } });
  });
});

describe("a program that lives on and writes what it likes", () => {
  test("has its records done once it is quiet", async () => {
    const { run, seen } = await openPrograms(numbers, {
      grep: { command: "grep --line-buffered 7", settle: "quiet", quietMs: 20 },
    });
    expect((await run.ended).outcome).toBe("completed");
    expect(seen).toEqual(numbers.filter((text) => text.includes("7")));
  });
});
