import { describe, expect, test } from "vitest";
import { parseBenchArgs } from "../src/args.ts";
import { type Bench, type Contender, type Measure, type Sampler, Unavailable } from "../src/contender.ts";
import { median, throughput } from "../src/load.ts";
import { assertEcho, nextPayload, PAYLOAD_BYTES } from "../src/payload.ts";
import { createReport, formatReport } from "../src/report.ts";
import { type MeasureResult, runBench } from "../src/run.ts";

const RATE: Measure = { name: "rate", unit: "msg/s", better: "higher", note: "about the rate" };
const TIME: Measure = { name: "time", unit: "us", better: "lower", note: "about the time" };

/** A contender that gives `values` one after the other, the first of them for warming up, and notes its turns. */
function contender(name: string, values: readonly number[], turns: string[] = []): Contender {
  const left = [...values];
  const sampler: Sampler = async () => {
    turns.push(name);
    return left.shift() ?? Number.NaN;
  };
  return {
    name,
    open: async () => ({ samplers: { rate: sampler, time: sampler }, close: async () => void turns.push(`${name} closed`) }),
  };
}

function absentee(name: string, reason: string): Contender {
  return {
    name,
    open: async () => {
      throw new Unavailable(reason);
    },
  };
}

function benchOf(ours: Contender, peers: Contender[], measure = RATE): Bench {
  return { name: "demo", question: "How fast?", measures: [measure], ours, peers };
}

async function run(bench: Bench, samples = 3): Promise<MeasureResult> {
  const [result] = await runBench(bench, { samples, sampleMs: 10, onProgress: () => undefined });
  if (result === undefined) throw new Error("the bench has no measure");
  return result;
}

const HERE = { node: "26.0.0", cpus: 2, machine: "a processor", commit: "abc" };

describe("a run", () => {
  test("lets contenders take turns, another one beginning each time, and closes all of them", async () => {
    const turns: string[] = [];
    await run(benchOf(contender("ours", [], turns), [contender("a", [], turns), contender("b", [], turns)]), 2);
    expect(turns).toEqual(["ours", "a", "b", "ours", "a", "b", "a", "b", "ours", "ours closed", "a closed", "b closed"]);
  });

  test("gives the median with the least and the most, the warming up not counted", async () => {
    const { figures } = await run(benchOf(contender("ours", [1_000, 30, 10, 20]), []));
    expect(figures.get("ours")).toEqual({ median: 20, min: 10, max: 30 });
  });

  test("goes on without a peer that cannot take part, and says why", async () => {
    const { figures, absent } = await run(benchOf(contender("ours", [1, 1, 1, 1]), [absentee("a", "a is not installed")]));
    expect([...figures.keys()]).toEqual(["ours"]);
    expect([...absent]).toEqual([["a", "a is not installed"]]);
  });

  test("opens only those who are asked for", async () => {
    const turns: string[] = [];
    const bench = benchOf(contender("ours", [1, 1]), [contender("a", [], turns)]);
    const [result] = await runBench(bench, { samples: 1, sampleMs: 10, only: ["ours"], onProgress: () => undefined });
    expect([...(result?.absent ?? [])]).toEqual([["a", "not asked for"]]);
    expect(turns).toEqual([]);
  });

  test("takes no more samples than a measure is worth, and warms nothing up that is fresh each time", async () => {
    const turns: string[] = [];
    const bench = benchOf(contender("ours", [3, 1], turns), [], { ...RATE, maxSamples: 2, isFresh: true });
    const result = await run(bench, 5);
    expect(result.figures.get("ours")).toEqual({ median: 2, min: 1, max: 3 });
    expect(createReport(bench, [result], HERE).measures[0]?.samples).toBe(2);
    expect(turns).toEqual(["ours", "ours", "ours closed"]);
  });

  test("fails when a contender fails at work, and closes the others", async () => {
    const turns: string[] = [];
    const broken: Contender = {
      name: "broken",
      open: async () => ({ samplers: { rate: () => Promise.reject(new Error("lost a message")) }, close: async () => undefined }),
    };
    await expect(run(benchOf(contender("ours", [1], turns), [broken]))).rejects.toThrow("lost a message");
    expect(turns).toEqual(["ours", "ours closed"]);
  });
});

describe("a report", () => {
  test("has our figure, each peer's and the ratio, and names who is left out", async () => {
    const bench = benchOf(contender("ours", [0, 300, 300, 300]), [contender("a", [0, 90, 100, 110]), absentee("b", "no b")]);
    expect(createReport(bench, [await run(bench)], HERE)).toEqual({
      bench: "demo",
      node: "26.0.0",
      cpus: 2,
      machine: "a processor",
      commit: "abc",
      question: "How fast?",
      measures: [
        {
          name: "rate",
          unit: "msg/s",
          better: "higher",
          ours: 300,
          peers: { a: 100 },
          ratios: { a: 3 },
          samples: 3,
          spread: { ours: [300, 300], a: [90, 110] },
          note: "about the rate; left out: b (no b)",
        },
      ],
    });
  });

  test("has a ratio above one where ours is better, also where less is better", async () => {
    const bench = benchOf(contender("ours", [0, 50, 50, 50]), [contender("a", [0, 100, 100, 100])], TIME);
    const report = createReport(bench, [await run(bench)], HERE);
    expect(report.measures[0]?.ratios).toEqual({ a: 2 });
    expect(formatReport(report)).toMatch(/^a\s+100\s+100\s+100\s+2 x as fast$/m);
  });

  test("calls what needs fewer bytes smaller", async () => {
    const bench = benchOf(contender("ours", [0, 50, 50, 50]), [contender("a", [0, 100, 100, 100])], { ...TIME, unit: "B" });
    expect(formatReport(createReport(bench, [await run(bench)], HERE))).toMatch(/^a\s+100\s+100\s+100\s+2 x as small$/m);
  });

  test("makes nothing up where ours did not take part", async () => {
    const bench = benchOf(absentee("ours", "not there"), [contender("a", [0, 1, 1, 1])]);
    const report = createReport(bench, [await run(bench)], HERE);
    expect(report.measures[0]).toMatchObject({ ours: null, peers: { a: 1 }, ratios: {} });
    expect(formatReport(report)).toMatch(/^ours\s+-\s+-\s+-$/m);
  });
});

describe("the load", () => {
  test("keeps as many pieces of work under way as asked for, and waits for all of them", async () => {
    let underWay = 0;
    let most = 0;
    await throughput(4, 5, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    });
    expect({ most, underWay }).toEqual({ most: 4, underWay: 0 });
  });

  test("takes the middle of an odd number and the mean of the two in the middle of an even one", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("a payload", () => {
  test("is as long as it is said to be, and never the same twice", () => {
    const [first, second] = [nextPayload(), nextPayload()];
    expect(Buffer.byteLength(JSON.stringify(first))).toBe(PAYLOAD_BYTES);
    expect(second.number).not.toBe(first.number);
  });

  test("is known when it comes back, and a wrong answer too", () => {
    const [first, second] = [nextPayload(), nextPayload()];
    assertEcho(first, structuredClone(first));
    for (const wrong of [second, { ...first, filler: "" }, undefined, null, "text"]) {
      expect(() => assertEcho(first, wrong)).toThrow(/came back as/);
    }
  });
});

describe("the command line", () => {
  test("has defaults for everything but the name", () => {
    expect(parseBenchArgs([])).toEqual({ name: undefined, list: false, json: false, samples: 5, sampleMs: 1_000, install: true });
    expect(parseBenchArgs(["log", "--json", "--no-install"])).toMatchObject({ name: "log", json: true, install: false });
    expect(parseBenchArgs(["log", "--only", "ours,jetstream"]).only).toEqual(["ours", "jetstream"]);
  });

  test.each([
    [["a", "b"], "expected one bench, found a b"],
    [["log", "--samples", "0"], "--samples is 0, expected a whole number of at least 1"],
    [["log", "--sample-ms", "1.5"], "--sample-ms is 1.5"],
    [["log", "--fast"], "--fast"],
  ])("refuses %j", (args, message) => {
    expect(() => parseBenchArgs(args)).toThrow(message);
  });
});
