import { describe, expect, test } from "vitest";
import type { Converter, ConvertRequest } from "../../src/executor/executor.ts";
import type { LocalExecutor } from "../../src/executor/local.ts";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const names = ["a", "b", "c", "d", "e"];
const metas = names.map((name) => ({ meta: `B:${name}:1` }));
const chain = names.slice(1).map((name, at) => relation(`B:${names[at]}:1`, `B:${name}:1`, { executor: local(name) }));
const step: Converter = ({ from }) => ({ type: "instances", instances: [{ content: `${from.content}.` }] });

/** A chain of five, of which each step is a function; counts commits and runs. */
function open(given: TestNatureOptions = {}) {
  const counts = { commits: 0, runs: {} as Record<string, number> };
  const executors = { b: step, c: step, d: step, e: step, ...given.executors };
  const counted = Object.fromEntries(
    Object.entries(executors).map(([name, work]) => [
      name,
      (request: ConvertRequest) => {
        counts.runs[name] = (counts.runs[name] ?? 0) + 1;
        return (work as Converter)(request);
      },
    ]),
  );
  const nature = createTestNature({
    metas,
    relations: chain,
    storeFault: (operation, phase) => {
      if (operation === "commit" && phase === "after") counts.commits++;
    },
    ...given,
    executors: counted,
  });
  return Object.assign(nature, { counts });
}

/** The second time it is known that the functions answer at once. */
async function twice(nature: ReturnType<typeof open>): Promise<void> {
  await nature.input({ meta: "B:a:1", content: "1" });
  await nature.settle();
  nature.counts.commits = 0;
  nature.counts.runs = {};
  await nature.input({ meta: "B:a:1", content: "2" });
  await nature.settle();
}

describe("steps that answer at once", () => {
  test("are stored together with what they were made from", async () => {
    await using nature = open();
    await twice(nature);
    expect(nature.counts).toEqual({ commits: 2, runs: { b: 1, c: 1, d: 1, e: 1 } });
    expect(
      nature
        .instances()
        .map(({ meta, content }) => `${meta} ${content}`)
        .sort(),
    ).toEqual(
      ["a 1", "a 2", "b 1.", "b 2.", "c 1..", "c 2..", "d 1...", "d 2...", "e 1....", "e 2...."].map(
        (text) => `B:${text.replace(" ", ":1 ")}`,
      ),
    );
    expect(nature.engine.stats).toMatchObject({ stored: 10, converted: 8, inputs: 2 });
    expect(nature.disk.tasks.size).toBe(0);
  });

  test("make the same, one at a time or together", async () => {
    await using together = open();
    await using apart = open({ engine: { maxAhead: 0 } });
    await twice(together);
    await twice(apart);
    expect(apart.counts.commits).toBe(5);
    expect(together.instances()).toEqual(apart.instances());
  });

  test("are no more than they may be", async () => {
    await using nature = open({ engine: { maxAhead: 1 } });
    await twice(nature);
    expect(nature.counts.commits).toBe(3);
  });

  test.each<[string, LocalExecutor]>([
    [
      "throws",
      () => {
        throw new Error("not now");
      },
    ],
    ["asks for another try", () => ({ type: "environment", message: "not now" })],
    ["answers later", () => ({ type: "delay", delayMs: 10 })],
  ])("do not lose those before them when one %s, and it is asked once per try (A3)", async (_what, work) => {
    let isBad = false;
    await using nature = open({
      executors: {
        d: (request) => (isBad ? (work as Converter)(request) : step(request)),
      },
      engine: { backoffMs: 10 },
    });
    await nature.input({ meta: "B:a:1", content: "1" });
    await nature.settle();
    isBad = true;
    nature.counts.runs = {};
    await nature.input({ meta: "B:a:1", content: "2" });
    await nature.settle();
    expect(nature.instances("B:c:1")).toHaveLength(2);
    expect(nature.counts.runs).toEqual({ b: 1, c: 1, d: 1 });
    expect([...nature.disk.tasks.values()]).toMatchObject([{ to: "B:d:1", attempts: 1 }]);
    isBad = false;
    await nature.finish();
    expect(nature.instances("B:e:1")).toHaveLength(2);
    expect(nature.counts.runs).toEqual({ b: 1, c: 1, d: 2, e: 1 });
  });

  test("and of which one begins to take its time go on when it answers", async () => {
    let isSlow = false;
    await using nature = open({
      executors: {
        c: (request) => (isSlow ? Promise.resolve(step(request)) : step(request)),
      },
    });
    await nature.input({ meta: "B:a:1", content: "1" });
    await nature.settle();
    isSlow = true;
    nature.counts.runs = {};
    for (const content of ["2", "3"]) {
      await nature.input({ meta: "B:a:1", content });
      await nature.settle();
    }
    expect(nature.instances("B:e:1")).toHaveLength(3);
    expect(nature.counts.runs).toEqual({ b: 2, c: 2, d: 2, e: 2 });
  });

  test("that lead to data with states, loops or remembered targets wait for the disk (A4)", async () => {
    const seen: (number | undefined)[] = [];
    await using nature = createTestNature({
      metas: [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:s:1", states: "x" }],
      relations: [
        relation("B:a:1", "B:b:1", { executor: local("step") }),
        relation("B:b:1", "B:s:1", { executor: local("state"), target: { addStates: ["x"] } }),
      ],
      executors: {
        step: () => ({ type: "instances", instances: [{ sysContext: { "target.id": "1" } }] }),
        state: ({ last }) => {
          seen.push(last?.version);
          return { type: "instances", instances: [{}] };
        },
      },
    });
    for (const content of ["1", "2", "3"]) {
      await nature.input({ meta: "B:a:1", content });
      await nature.settle();
    }
    expect(seen).toEqual([undefined, 1, 2]);
    expect(nature.instances("B:s:1").map(({ version }) => version)).toEqual([1, 2, 3]);
  });
});
