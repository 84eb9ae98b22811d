import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { defineFlow, meta, openNature } from "../../src/index.ts";
import { MemoryDisk, openMemoryStore } from "../../src/testing/index.ts";
import { testFolder } from "../fixtures/folder.ts";
import { until } from "../fixtures/until.ts";

const asked: { taskId: number; credential: string }[] = [];
const flow = defineFlow({
  metas: {
    order: meta("B:order:1"),
    line: meta("B:line:1"),
    state: meta("B:state:1", { states: "new|paid", master: "order" }),
    late: meta("B:late:1"),
  },
  executors: {
    split: ({ from }) => ({ type: "instances", instances: [{ content: `${from.content}!` }] }),
    later: ({ taskId, credential }) => {
      asked.push({ taskId, credential });
      return { type: "delay", delayMs: 60_000 };
    },
  },
  relations: (relate) => [
    relate("order", "line", { executor: "split" }),
    relate("order", "state", { target: { addStates: ["new"] } }),
    relate("order", "late", { executor: "later" }),
  ],
});

describe("workflows on their own", () => {
  test("are opened in a folder, used, and go on where they were when they are opened again", async () => {
    await using folder = await testFolder();
    const input = { meta: flow.names.order, content: "tea" };
    {
      await using nature = await openNature({ folder: folder.path, flows: [flow] });
      const { flow: result } = await nature.inputAndWait(input, { meta: flow.names.line, timeoutMs: 20_000 });
      expect(result.instance?.content).toBe("tea!");
      expect((await nature.reads.recent("B:line:1")).items).toMatchObject([{ content: "tea!" }]);
    }
    await using nature = await openNature({ folder: folder.path });
    expect(nature.registry.catalog.relations()).toHaveLength(3);
    expect((await nature.input(input)).isNew).toBe(false);
    const { instance } = await nature.input(input);
    expect(await nature.latest({ meta: "B:state:1", id: instance.id, para: "" })).toMatchObject({ version: 1, states: ["new"] });
    expect(await nature.instance(instance)).toEqual(instance);
    expect((await nature.backlog()).delayed).toBe(1);
  });

  test("take a callback that shows its credential, or its sealed number, and no other", async () => {
    const clock = new VirtualClock();
    const disk = new MemoryDisk();
    asked.length = 0;
    await using nature = await openNature({ store: openMemoryStore(disk, { clock }), flows: [flow], clock });
    await nature.input({ meta: flow.names.order, content: "a" });
    await nature.input({ meta: flow.names.order, content: "b" });
    await until(() => asked.length === 2 && nature.engine.load.running === 0);
    const [first, second] = asked as [(typeof asked)[0], (typeof asked)[0]];
    const answer = { type: "instances", instances: [{ content: "answer" }] } as const;
    await expect(nature.callback(first.taskId, second.credential, answer)).rejects.toMatchObject({ code: "task.credential" });
    await expect(nature.callback(first.taskId, "", answer)).rejects.toMatchObject({ code: "task.credential" });
    await expect(nature.sealedCallback(second.taskId, answer)).rejects.toMatchObject({ code: "task.unknown" });
    await nature.callback(first.taskId, first.credential, answer);
    expect([...disk.instances.values()].filter((one) => one.meta === "B:late:1")).toHaveLength(1);
  });

  test("share the secret of their callbacks with all engines of a store", async () => {
    const disk = new MemoryDisk();
    asked.length = 0;
    await using first = await openNature({ store: openMemoryStore(disk), flows: [flow] });
    await using second = await openNature({ store: openMemoryStore(disk), flows: [flow] });
    await first.input({ meta: flow.names.order, content: "a" });
    await until(() => asked.length === 1 && first.engine.load.running === 0);
    const [{ taskId, credential }] = asked as [(typeof asked)[0]];
    await second.callback(taskId, credential, { type: "none" });
    await expect(first.callback(taskId, credential, { type: "none" })).rejects.toMatchObject({ code: "task.unknown" });
  });

  test("put what is declared as code in force, also when several start at once, and leave the rest as it is", async () => {
    const disk = new MemoryDisk();
    const other = defineFlow({ metas: { x: meta("B:x:1"), y: meta("B:y:1") }, relations: (relate) => [relate("x", "y")] });
    const natures = await Promise.all(
      [flow, other, flow, other].map((one) => openNature({ store: openMemoryStore(disk), flows: [one] })),
    );
    expect([...disk.metas.keys()].sort()).toEqual(["B:late:1", "B:line:1", "B:order:1", "B:state:1", "B:x:1", "B:y:1"]);
    expect(disk.relations.size).toBe(4);
    for (const nature of natures) await nature.stop();
  });

  test("follow edits of what is declared without a restart, and finish what was accepted before as it was then (R-9)", async () => {
    const clock = new VirtualClock();
    const disk = new MemoryDisk();
    await using nature = await openNature({ store: openMemoryStore(disk, { clock }), flows: [flow], clock });
    const relation = { from: "B:order:1", to: "B:line:1", enabled: true };
    const slow = { executor: { protocol: "local", url: "split" }, delayMs: 1_000 } as const;
    await nature.registry.changeRelation({ ...relation, settings: slow });
    await nature.input({ meta: "B:order:1", content: "1" });
    await nature.registry.setRelationEnabled({ ...relation, enabled: false });
    await nature.input({ meta: "B:order:1", content: "2" });
    await clock.advance(2_000);
    await nature.engine.idle();
    expect([...disk.instances.values()].filter((one) => one.meta === "B:line:1").map(({ content }) => content)).toEqual(["1!"]);
  });

  test("remove what is older than its meta allows", async () => {
    const clock = new VirtualClock();
    const disk = new MemoryDisk();
    const kept = defineFlow({ metas: { short: meta("B:short:1", { retentionMs: 10_000 }), long: meta("B:long:1") } });
    await using nature = await openNature({
      store: openMemoryStore(disk, { clock }),
      flows: [kept],
      clock,
      retentionPollMs: 1_000,
    });
    await nature.input({ meta: "B:short:1", content: "1" });
    await nature.input({ meta: "B:long:1", content: "1" });
    await clock.advance(9_000);
    await nature.input({ meta: "B:short:1", content: "2" });
    expect(disk.instances.size).toBe(3);
    await clock.advance(2_500);
    await until(() => disk.instances.size === 2);
    expect([...disk.instances.values()].map(({ meta, content }) => `${meta} ${content}`).sort()).toEqual([
      "B:long:1 1",
      "B:short:1 2",
    ]);
    expect(await nature.removeOld()).toBe(0);
  });

  test.each([
    [{}, "none of them"],
    [{ folder: "a", databaseUrl: "b" }, "folder and databaseUrl"],
    [{ folder: "" }, "nature.folder"],
    [{ folder: "a", engine: { concurrency: 0 } }, "engine.concurrency"],
    [{ folder: "a", flow: [] }, "did you mean flows"],
    [{ folder: "a", retentionPollMs: 0.5 }, "retentionPollMs"],
  ])("are not opened with %j, and it is said why", async (options, text) => {
    await expect(openNature(options as never)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining(text),
    });
  });

  test("give the folder back when they cannot be opened", async () => {
    await using folder = await testFolder();
    const secret = { folder: folder.path, callbackSecret: "short" };
    await expect(openNature(secret)).rejects.toMatchObject({ code: "config.invalid" });
    await using nature = await openNature({ folder: folder.path });
    expect(nature.engine.load.running).toBe(0);
  });
});
