import { describe, expect, test } from "vitest";
import { createTestNature, type TestNatureOptions } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";
import { turn, until } from "../fixtures/until.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const metas = [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:s:1", states: "x" }];

function open(given: TestNatureOptions = {}) {
  const seen: string[] = [];
  const nature = createTestNature({
    metas,
    relations: [
      relation("B:a:1", "B:b:1", { executor: local("work") }),
      relation("B:a:1", "B:s:1", { executor: local("state"), useUpstreamId: true }),
    ],
    executors: {
      work: async ({ from }) => {
        seen.push(from.content);
        await turn();
        return { type: "instances", instances: [{ content: from.content }] };
      },
      state: async ({ last }) => ({ type: "instances", instances: [{ states: ["x"], content: String(last?.version ?? 0) }] }),
    },
    engine: { maxAttempts: 2, pollMs: 1_000 },
    ...given,
  });
  return Object.assign(nature, { seen });
}

describe("while the database is away", () => {
  test("work under way is kept, and stored when it is back, without a second run of its executor (E5, B3)", async () => {
    await using nature = open();
    for (let n = 0; n < 20; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => nature.seen.length > 5);
    nature.disk.isAway = true;
    await nature.clock.advance(60_000);
    expect(nature.engine.awaySinceMs).toBeDefined();
    expect(nature.engine.load.storing).toBeGreaterThan(0);
    nature.disk.isAway = false;
    await nature.clock.advance(3_000);
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(20);
    expect(nature.instances("B:s:1")).toHaveLength(20);
    expect(nature.seen).toHaveLength(20);
    expect(nature.failed()).toEqual([]);
    expect(nature.disk.tasks.size).toBe(0);
    expect(nature.engine.awaySinceMs).toBeUndefined();
    const stores = nature.reports.filter(({ kind }) => kind === "store").map(({ text }) => text);
    expect(stores.filter((text) => text.startsWith("the database is away"))).toHaveLength(1);
    expect(stores.at(-1)).toMatch(/^the database is back after \d+ ms$/);
  });

  test("inputs are refused, and can be sent again", async () => {
    await using nature = open();
    nature.disk.isAway = true;
    const input = nature.input({ meta: "B:a:1", content: "1" });
    const refused = expect(input).rejects.toMatchObject({ code: "store.unavailable", retryable: true });
    await nature.clock.advance(5_000);
    await refused;
    nature.disk.isAway = false;
    expect((await nature.input({ meta: "B:a:1", content: "1" })).isNew).toBe(true);
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(1);
  });

  test("tries that fail, and waits for callbacks, are written down later (S7)", async () => {
    let tries = 0;
    await using nature = open({
      relations: [relation("B:a:1", "B:b:1", { executor: local("work") })],
      executors: {
        work: async () => {
          if (++tries === 1) throw new Error("once");
          return { type: "instances", instances: [{ content: "ok" }] };
        },
      },
      engine: { backoffMs: 100, maxAttempts: 3 },
    });
    await nature.input({ meta: "B:a:1" });
    nature.disk.isAway = true;
    await until(() => nature.engine.stats.retried === 1);
    await nature.clock.advance(1_000);
    nature.disk.isAway = false;
    await nature.clock.advance(90_000_000);
    await nature.settle();
    expect(tries).toBe(2);
    expect(nature.instances("B:b:1")).toHaveLength(1);
  });

  test("an engine that stops ends all the same, and the next one does the work", async () => {
    const nature = open();
    for (let n = 0; n < 5; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => nature.seen.length === 5);
    nature.disk.isAway = true;
    const stopped = nature.engine.stop(1_000);
    await nature.clock.advance(5_000);
    await stopped;
    nature.disk.isAway = false;
    await nature.store.close();
    await using next = open({ disk: nature.disk, clock: nature.clock });
    await next.settle();
    expect(next.instances("B:b:1")).toHaveLength(5);
    expect(next.disk.tasks.size).toBe(0);
  });

  test("an answer of the database that is lost is found out: what was stored is gone on with, and nothing is stored twice", async () => {
    let lost = 0;
    await using nature = open({
      storeFault: (operation, phase) => {
        if (operation !== "commit" || phase !== "after" || lost >= 8) return;
        lost++;
        throw Object.assign(new Error("the connection broke"), { code: "store.unavailable" });
      },
    });
    for (let n = 0; n < 10; n++) {
      // Repeated by whoever sent it, as its error says that it can be.
      for (let state = "refused"; state !== "in"; ) {
        state = "waiting";
        void nature.input({ meta: "B:a:1", content: String(n) }).then(
          () => (state = "in"),
          () => (state = "refused"),
        );
        while (state === "waiting") await nature.clock.advance(100);
      }
    }
    await nature.clock.advance(60_000);
    await nature.settle();
    expect(lost).toBe(8);
    expect(nature.instances("B:b:1")).toHaveLength(10);
    expect(nature.instances("B:s:1").map(({ version }) => version)).toEqual(new Array(10).fill(1));
    expect(nature.disk.tasks.size).toBe(0);
  });
});

describe("when the disk is full", () => {
  test("nothing is accepted, reads go on, and when there is room everything goes on", async () => {
    await using nature = open();
    for (let n = 0; n < 10; n++) await nature.input({ meta: "B:a:1", content: String(n) });
    await until(() => nature.seen.length > 2);
    nature.disk.isFull = true;
    const refused = expect(nature.input({ meta: "B:a:1", content: "x" })).rejects.toMatchObject({ code: "store.unavailable" });
    await nature.clock.advance(30_000);
    await refused;
    expect(await nature.store.reads.counts("B:a:1")).toMatchObject([{ instances: 10 }]);
    nature.disk.isFull = false;
    await nature.clock.advance(3_000);
    await nature.settle();
    expect(nature.instances("B:b:1")).toHaveLength(10);
    expect(nature.failed()).toEqual([]);
    expect(nature.disk.tasks.size).toBe(0);
  });
});

test("a unit that cannot be stored fails by itself, and takes none of its batch with it (B4, E4)", async () => {
  await using nature = open();
  const { store } = nature;
  const commit = store.commit.bind(store);
  store.commit = async (units) => {
    if (units.some(({ instances }) => instances.some(({ instance }) => instance.content === "poison")))
      throw new Error("no such luck");
    return commit(units);
  };
  const inputs = await Promise.allSettled(["1", "poison", "2"].map((content) => nature.input({ meta: "B:a:1", content })));
  expect(inputs.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await nature.settle();
  expect(nature.instances("B:b:1")).toHaveLength(2);
});
