import { settle } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import type { InputResult } from "../../src/engine/inputs.ts";
import {
  createTestNature,
  FAULT_POINTS,
  type FaultPoint,
  type TestNature,
  type TestNatureOptions,
} from "../../src/testing/index.ts";
import { journey, journeyAnswer, journeyExecutors, journeyInputs, outcomeOf } from "../fixtures/journey.ts";
import { relation } from "../fixtures/things.ts";

/** What happens at one occurrence of something, and to whom. */
type Fault = (nature: TestNature) => void;

/** A client that sends what was not answered again, an outside that calls back, and an engine that is started again when it died. */
async function travel(options: TestNatureOptions): Promise<{ nature: TestNature; died: number; ran: Set<string> }> {
  const waiting = new Set<number>();
  const ran = new Set<string>();
  const executors = journeyExecutors(
    (taskId) => waiting.add(taskId),
    (name) => ran.add(name),
  );
  const nature = createTestNature({
    ...journey,
    executors,
    ...options,
    engine: { maxAttempts: 20, backoffMs: 100, ...options.engine },
  });
  let died = 0;
  const isDead = (): boolean => dead.has(nature.store);
  const revive = (): void => {
    if (!isDead()) return;
    died++;
    nature.restart();
  };
  for (const given of journeyInputs) {
    for (let isIn = false; !isIn; ) {
      const answer: Promise<InputResult | InputResult[]> = Array.isArray(given)
        ? nature.engine.inputMany(given)
        : nature.input(given as never);
      isIn = await answered(nature, answer, isDead);
      revive();
    }
  }
  for (let idle = 0; idle < 60; idle++) {
    for (let round = 0; round < 20; round++) {
      await settle();
      revive();
    }
    for (const taskId of [...waiting]) {
      const answer = nature.callback(taskId, journeyAnswer).catch((error: { code?: string }) => {
        if (error.code !== "task.unknown") throw error;
      });
      if (await answered(nature, answer, isDead)) waiting.delete(taskId);
      revive();
    }
    await nature.clock.advance(250);
  }
  return { nature, died, ran };
}

const dead = new WeakSet<object>();

/** Whether something is answered well before the engine dies. */
async function answered(nature: TestNature, answer: Promise<unknown>, isDead: () => boolean): Promise<boolean> {
  let state: "waiting" | "well" | "badly" = "waiting";
  answer.then(
    () => (state = "well"),
    () => (state = "badly"),
  );
  while (state === "waiting" && !isDead()) {
    await settle();
    await nature.clock.advance(1);
  }
  return (state as string) === "well";
}

const kill: Fault = (nature) => {
  dead.add(nature.store);
  nature.kill();
  throw new Error("killed");
};
const fail: Fault = () => {
  throw new Error("injected");
};

/** Makes something happen at the n-th passing of a point. */
function at(point: FaultPoint, n: number, what: Fault): TestNatureOptions & { happened: () => boolean } {
  let passed = 0;
  return {
    fault: (name, nature) => {
      if (name === point && ++passed === n) what(nature);
    },
    happened: () => passed >= n,
  };
}

/** Points that the journey does not come to. */
const RARE: readonly FaultPoint[] = ["task.fail"];

describe.each([
  ["steps ahead of the disk", 16],
  ["every step on the disk", 0],
])("with %s", async (_title, maxAhead) => {
  const smooth = await travel({ engine: { maxAhead } });
  const expected = outcomeOf(smooth.nature.instances());

  test("the journey without faults comes to its end", () => {
    expect(expected).toHaveLength(59);
    expect(smooth.nature.failed()).toEqual([]);
    expect(smooth.nature.disk.tasks.size).toBe(0);
    expect([...smooth.ran].sort()).toEqual(["count", "echo", "later", "slow", "split", "sum", "tag"]);
  });

  describe.each(FAULT_POINTS.filter((point) => !RARE.includes(point)))("at %s", (point) => {
    test.each([1, 2, 3, 5, 8])("a kill -9, the %dth time, changes nothing in the end (§4.3, §8.5)", async (n) => {
      const { happened, ...fault } = at(point, n, kill);
      const { nature, died, ran } = await travel({ ...fault, engine: { maxAhead } });
      expect(died).toBe(happened() ? 1 : 0);
      if (n === 1) expect(died).toBe(1);
      expect(outcomeOf(nature.instances())).toEqual(expected);
      expect(nature.failed()).toEqual([]);
      expect(nature.disk.tasks.size).toBe(0);
      expect(ran).toEqual(smooth.ran);
    });

    test.each([1, 2, 3, 5, 8])("a failure, the %dth time, changes nothing in the end (§4.3)", async (n) => {
      const { happened, ...fault } = at(point, n, fail);
      const { nature } = await travel({ ...fault, engine: { maxAhead } });
      if (n === 1) expect(happened()).toBe(true);
      expect(outcomeOf(nature.instances())).toEqual(expected);
      expect(nature.failed()).toEqual([]);
      expect(nature.disk.tasks.size).toBe(0);
    });
  });

  test.each(["before", "after"] as const)("a kill -9 %s each single commit changes nothing in the end (§8.5)", async (when) => {
    let n = 1;
    for (let isOver = false; !isOver; n++) {
      let passed = 0;
      const travelled = travel({
        engine: { maxAhead },
        storeFault: (operation, phase) => {
          if (operation === "commit" && phase === when && ++passed === n) kill(current.nature as TestNature);
        },
        onStored: () => undefined,
        fault: (_point, nature) => {
          current.nature = nature;
        },
      });
      const current: { nature: TestNature | undefined } = { nature: undefined };
      const { nature, died } = await travelled;
      isOver = died === 0;
      expect(outcomeOf(nature.instances())).toEqual(expected);
      expect(nature.disk.tasks.size).toBe(0);
    }
    expect(n).toBeGreaterThan(10);
  });
});

test("a kill -9 before a task is given up leaves it to be given up, once (§8.5)", async () => {
  const { happened, ...fault } = at("task.fail", 1, kill);
  await using nature = createTestNature({
    metas: [{ meta: "B:a:1" }, { meta: "B:b:1" }],
    relations: [relation("B:a:1", "B:b:1", { executor: { protocol: "local", url: "no" } })],
    executors: { no: () => ({ type: "logic", message: "no" }) },
    ...fault,
  });
  await nature.input({ meta: "B:a:1" });
  while (!happened()) await settle();
  expect(nature.failed()).toEqual([]);
  nature.restart();
  await nature.settle();
  expect(nature.failed()).toMatchObject([{ code: "executor.logic" }]);
});
