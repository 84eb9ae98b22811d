import { describe, expect, test } from "vitest";
import type { LocalExecutor } from "../../src/executor/local.ts";
import { keyOf } from "../../src/instance/instance.ts";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { until } from "../fixtures/until.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const metas = (onlyOne: boolean) => [
  { meta: "B:u:1" },
  { meta: "B:r:1" },
  { meta: "L:l:1", settings: { multiMeta: ["B:r:1"], onlyOne } },
];

/** Reads `size` of the numbers 1 to `count` per pass, and says when it is at the end. */
function reader(count: number, size: number): LocalExecutor {
  return {
    before: (instance) => {
      const pass = Number(instance.sysContext["loop.id"] ?? 0);
      const from = pass * size;
      const page = Array.from({ length: Math.max(0, Math.min(size, count - from)) }, (_, n) => from + n + 1);
      const isLast = page.length < size;
      const sysContext = {
        ...instance.sysContext,
        ...(isLast ? { "loop.finished": "" } : { "loop.next": `n${from + page.length}` }),
      };
      return { ...instance, content: JSON.stringify(page), sysContext };
    },
  };
}

const sum: LocalExecutor = ({ from, last }) => {
  const before = last === undefined ? 0 : Number(last.content);
  const content = String((JSON.parse(from.content) as number[]).reduce((a, b) => a + b, before));
  return { type: "instances", instances: [{ content, para: from.para }] };
};

const open = (read: LocalExecutor, given: TestNatureOptions & { onlyOne?: boolean } = {}) =>
  createTestNature({
    metas: metas(given.onlyOne ?? true),
    relations: [relation("B:u:1", "L:l:1", { before: [local("read")], executor: local("sum") })],
    executors: { read, sum, ...given.executors },
    ...given,
  });

describe("a loop with one running result (§6.3)", () => {
  test("hands it from pass to pass, and ends as the member", async () => {
    await using nature = open(reader(5, 2));
    await nature.input({ meta: "B:u:1", para: "d1/d2" });
    await nature.settle();
    expect(nature.instances("L:l:1").map((one) => [keyOf(one), one.content, one.sysContext["loop.next"]])).toEqual([
      ["L:l:1|0|d1/d2/1|0", "3", "n2"],
      ["L:l:1|0|d1/d2/2|0", "10", "n4"],
    ]);
    expect(nature.instances("B:r:1").map((one) => [keyOf(one), one.content, one.sysContext])).toEqual([
      ["B:r:1|0|d1/d2|0", "15", {}],
    ]);
    expect(nature.disk.tasks.size).toBe(0);
  });

  test("of which the first pass is the last never stores one of its own", async () => {
    await using nature = open(reader(1, 2));
    await nature.input({ meta: "B:u:1", id: "9" });
    await nature.settle();
    expect(nature.instances("L:l:1")).toEqual([]);
    expect(nature.instances("B:r:1")).toMatchObject([{ content: "1" }]);
  });

  test("goes on after a restart from the pass that it had come to", async () => {
    await using nature = open(reader(40, 2));
    await nature.input({ meta: "B:u:1", para: "p" });
    await until(() => nature.instances("L:l:1").length >= 3);
    nature.restart();
    await nature.settle();
    expect(nature.instances("L:l:1")).toHaveLength(20);
    expect(nature.instances("B:r:1")).toMatchObject([{ para: "p", content: "820" }]);
  });

  test("waits before every pass as long as its relation says", async () => {
    await using nature = open(reader(5, 2), {
      relations: [relation("B:u:1", "L:l:1", { before: [local("read")], executor: local("sum"), delayMs: 100 })],
    });
    await nature.input({ meta: "B:u:1", para: "p" });
    await nature.advance(299);
    expect(nature.instances("B:r:1")).toEqual([]);
    await nature.advance(1);
    expect(nature.instances("B:r:1")).toMatchObject([{ content: "15" }]);
  });

  test("is done by an executor that answers later, pass by pass", async () => {
    const asked: number[] = [];
    await using nature = open(reader(3, 2), {
      executors: {
        read: reader(3, 2),
        sum: ({ taskId }) => {
          asked.push(taskId);
          return { type: "delay", delayMs: 1_000 };
        },
      },
    });
    await nature.input({ meta: "B:u:1", para: "p" });
    for (const content of ["first", "second"]) {
      await nature.settle();
      await nature.callback(asked.at(-1) as number, {
        type: "instances",
        instances: [{ content, para: content === "first" ? "p" : "p/1" }],
      });
    }
    await nature.settle();
    expect(nature.instances("L:l:1")).toMatchObject([{ para: "p/1", content: "first" }]);
    expect(nature.instances("B:r:1")).toMatchObject([{ para: "p", content: "second" }]);
  });
});

describe("a loop with results in each pass (§6.3)", () => {
  test("stores them beside what carries it on, each with its origin and time (D-31)", async () => {
    await using nature = open(reader(5, 2), {
      onlyOne: false,
      executors: { read: reader(5, 2), sum: ({ from }) => ({ type: "instances", instances: [{ content: from.content }] }) },
    });
    await nature.input({ meta: "B:u:1", id: "3", para: "p" });
    await nature.settle();
    const carriers = nature.instances("L:l:1");
    expect(carriers.map(keyOf)).toEqual(["L:l:1|3|p/1|0", "L:l:1|3|p/2|0"]);
    expect(carriers.every(({ from, createdMs }) => from !== undefined && createdMs === nature.clock.now())).toBe(true);
    expect(
      nature
        .instances("B:r:1")
        .map(({ content }) => content)
        .sort(),
    ).toEqual(["[1,2]", "[3,4]", "[5]"]);
  });
});

describe("a loop that never ends", () => {
  const forever: LocalExecutor = { before: (instance) => ({ ...instance, content: "[1]" }) };

  test("is told of, each time it has become ten times as long", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let passes = 0;
    await using nature = open(forever, {
      onStored: ({ meta }) => {
        if (meta === "L:l:1" && ++passes === 1_500) resolve();
      },
    });
    await nature.input({ meta: "B:u:1", para: "p" });
    await promise;
    expect(nature.reports.filter(({ kind }) => kind === "loop").map(({ text }) => text)).toEqual([
      "the loop L:l:1|0|p/1000|0 has come to pass 1000, and is not finished",
    ]);
  });

  test("fails after as many passes as it may have", async () => {
    await using nature = open(forever, { engine: { maxPasses: 25 } });
    await nature.input({ meta: "B:u:1", para: "p" });
    await nature.settle();
    expect(nature.instances("L:l:1")).toHaveLength(25);
    expect(nature.failed()).toMatchObject([{ code: "executor.logic", upstream: { para: "p/25" } }]);
  });
});
