import { describe, expect, test } from "vitest";
import type { ConvertResult } from "../../src/executor/executor.ts";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { until } from "../fixtures/until.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const metas = [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:s:1", states: "x|y" }];
const answer = (content: string): ConvertResult => ({ type: "instances", instances: [{ content }] });

/** A relation whose executor answers by a callback within 100 ms. */
function open(given: TestNatureOptions = {}) {
  const asked: number[] = [];
  const nature = createTestNature({
    metas,
    relations: [relation("B:a:1", "B:b:1", { executor: local("work"), after: [local("after")] })],
    executors: {
      work: ({ taskId }) => {
        asked.push(taskId);
        return { type: "delay", delayMs: 100 };
      },
      after: { after: (outputs) => outputs.map((output) => ({ ...output, content: `${output.content}!` })) },
      ...given.executors,
    },
    engine: { maxAttempts: 3, backoffMs: 10 },
    ...given,
  });
  const contents = (meta = "B:b:1"): string[] => nature.instances(meta).map(({ content }) => content);
  return Object.assign(nature, { asked, contents });
}

describe("an executor that answers later", () => {
  test("ends its task with its callback, and the filters behind it are applied (D-1, D-32)", async () => {
    await using nature = open();
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    expect(nature.disk.tasks.size).toBe(1);
    await nature.callback(nature.asked[0] as number, answer("late"));
    expect(nature.contents()).toEqual(["late!"]);
    expect(nature.disk.tasks.size).toBe(0);
    await expect(nature.callback(nature.asked[0] as number, answer("again"))).rejects.toMatchObject({ code: "task.unknown" });
  });

  test("is asked again when no callback comes, and given up after its last wait", async () => {
    await using nature = open();
    await nature.input({ meta: "B:a:1" });
    await nature.advance(99);
    expect(nature.asked).toHaveLength(1);
    await nature.advance(1);
    expect(nature.asked).toHaveLength(2);
    await nature.finish();
    expect(nature.asked).toHaveLength(3);
    expect(nature.failed()).toMatchObject([
      { attempts: 3, code: "task.attempts", error: "tried 3 times, last: no answer came to any of them" },
    ]);
  });

  test("may call back before it has said that it would", async () => {
    let isAsked = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    await using nature = open({
      executors: {
        work: async ({ taskId }) => {
          isAsked = true;
          void nature.callback(taskId, answer("early")).then(resolve);
          await promise;
          return { type: "delay", delayMs: 100 };
        },
        after: { after: (outputs) => outputs },
      },
    });
    await nature.input({ meta: "B:a:1" });
    await until(() => isAsked);
    await nature.finish();
    expect(nature.contents()).toEqual(["early"]);
    expect(nature.failed()).toEqual([]);
  });

  test("and that calls back at the very moment at which its wait is written down, is heard", async () => {
    for (let turns = 0; turns < 12; turns++) {
      await using nature = open();
      await nature.input({ meta: "B:a:1" });
      await until(() => nature.asked.length === 1);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await nature.callback(nature.asked[0] as number, answer("now"));
      await nature.finish();
      expect(nature.contents()).toEqual(["now!"]);
      expect(nature.asked).toHaveLength(1);
    }
  });

  test("and that calls back twice at the same moment is heard once", async () => {
    await using nature = open();
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    const [taskId] = nature.asked as [number];
    const calls = await Promise.allSettled([nature.callback(taskId, answer("1")), nature.callback(taskId, answer("2"))]);
    expect(calls.map(({ status }) => status)).toContain("fulfilled");
    await nature.settle();
    expect(nature.contents()).toHaveLength(1);
    expect(nature.disk.tasks.size).toBe(0);
  });

  test("may call another engine than the one that asked it", async () => {
    await using first = open();
    await using second = open({ disk: first.disk, clock: first.clock });
    await first.input({ meta: "B:a:1" });
    await first.settle();
    await second.callback(first.asked[0] as number, answer("there"));
    expect(first.contents()).toEqual(["there!"]);
    await first.finish();
    expect(first.asked).toHaveLength(1);
  });

  test.each<[string, ConvertResult, string[]]>([
    ["has nothing to give ends its task with nothing", { type: "none" }, []],
    ["refuses its input ends its task for good", { type: "logic", message: "no" }, ["executor.logic after 1"]],
    ["could not do it is asked again", { type: "environment", message: "busy" }, ["task.attempts after 3"]],
  ])("and that %s", async (_what, result, failed) => {
    await using nature = open();
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    await nature.callback(nature.asked[0] as number, result);
    await nature.finish();
    expect(nature.instances()).toHaveLength(1);
    expect(nature.failed().map(({ code, attempts }) => `${code} after ${attempts}`)).toEqual(failed);
    expect(nature.asked.length).toBe(result.type === "environment" ? 3 : 1);
  });

  test("and that gives what does not fit is told so, and its task is given up", async () => {
    await using nature = open({ relations: [relation("B:a:1", "B:s:1", { executor: local("work") })] });
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    const [taskId] = nature.asked as [number];
    for (const garbage of [undefined, {}, { type: "instances" }, { type: "delay", delayMs: 5 }]) {
      await expect(nature.callback(taskId, garbage as never)).rejects.toMatchObject({ code: "executor.logic" });
    }
    expect(nature.disk.tasks.size).toBe(1);
    const wrong = nature.callback(taskId, { type: "instances", instances: [{ states: ["q"] }] });
    await expect(wrong).rejects.toMatchObject({ code: "instance.state" });
    expect(nature.failed()).toMatchObject([{ code: "instance.state" }]);
  });

  test("becomes the next version also when another writer was faster meanwhile", async () => {
    await using nature = open({
      relations: [relation("B:a:1", "B:s:1", { executor: local("work"), useUpstreamId: true, target: { addStates: ["x"] } })],
    });
    await nature.input({ meta: "B:a:1", id: "1" });
    await nature.settle();
    await using other = open({ disk: nature.disk, clock: nature.clock });
    await nature.input({ meta: "B:s:1", id: "1", states: ["y"] });
    await other.input({ meta: "B:s:1", id: "1", states: ["x"] });
    await other.input({ meta: "B:s:1", id: "1", states: ["y"] });
    await nature.callback(nature.asked[0] as number, answer("late"));
    expect(nature.instances("B:s:1").map(({ version, content }) => `${version}${content}`)).toEqual(["1", "2", "3", "4late"]);
  });

  test("can route what it gives by itself", async () => {
    await using nature = open();
    await nature.input({ meta: "B:a:1" });
    await nature.settle();
    const route = { instance: { meta: "D:r:1", content: "routed" }, converters: [{ to: "next", executor: local("work") }] };
    await nature.callback(nature.asked[0] as number, { type: "self-route", instances: [route] });
    await nature.settle();
    expect(nature.contents("D:r:1")).toEqual(["routed"]);
    expect(nature.asked).toHaveLength(2);
  });
});
