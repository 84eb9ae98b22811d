import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { Engine } from "../src/engine/engine.ts";
import { routedInstances, routeMissions } from "../src/engine/self-route.ts";
import type { ConvertResult, SelfRoute, SelfRouteConverter } from "../src/executor/executor.ts";
import { defineExecutors } from "../src/executor/local.ts";
import type { Meta } from "../src/meta/meta.ts";
import type { Relation } from "../src/relation/relation.ts";
import { MemoryDisk } from "../src/testing/memory-disk.ts";
import { openMemoryStore } from "../src/testing/memory-store.ts";
import { catalogOf, instance, relation } from "./fixtures/things.ts";

const copy = { protocol: "local", url: "copy" };

/** An engine at work whose relation from B:a:1 asks the executor `route`. */
function openEngine(route: () => ConvertResult, declared: { metas?: readonly Meta[]; relations?: readonly Relation[] } = {}) {
  const disk = new MemoryDisk();
  const clock = new VirtualClock();
  const store = openMemoryStore(disk, { clock });
  const catalog = catalogOf(
    [{ meta: "B:a:1" }, { meta: "B:static:1" }, ...(declared.metas ?? [])],
    [relation("B:a:1", "D:routed:1", { executor: { protocol: "local", url: "route" } }), ...(declared.relations ?? [])],
  );
  const local = defineExecutors({
    route,
    copy: ({ from }) => ({ type: "instances", instances: [{ content: `${from.content}!` }] }),
  });
  const reports: string[] = [];
  const engine = new Engine(
    { store, catalog: () => catalog, resolvers: { local }, credential: String, onReport: ({ text }) => reports.push(text) },
    { clock, jitter: 0 },
  );
  engine.start();
  const contents = (meta: string): string[] =>
    [...disk.instances.values()].filter((one) => one.meta === meta).map((one) => one.content);
  return { engine, disk, clock, reports, contents };
}

describe("an instance that is put in with ways of its own (§6.5)", () => {
  const ways: SelfRouteConverter[] = [
    { to: "next", executor: copy },
    { executor: copy, delayMs: 60_000 },
  ];

  test("goes these ways, and not those that its meta has by relations", async () => {
    const { engine, disk, clock, contents } = openEngine(() => ({ type: "none" }), {
      relations: [relation("D:start:1", "B:static:1", { executor: { protocol: "local", url: "copy" } })],
    });
    const given = { meta: "D:start:1", id: "77", content: "x" };
    const { instance: stored, isNew } = await engine.selfRoute(given, ways);
    expect(isNew).toBe(true);
    expect(stored).toMatchObject({ meta: "D:start:1", para: "", version: 0, from: undefined });
    expect(stored.id).not.toBe("77");
    await engine.idle();
    expect(contents("D:next:1")).toEqual(["x!"]);
    expect(contents("B:static:1")).toEqual([]);
    expect(contents("N::1")).toEqual([]);
    await clock.advance(60_000);
    await engine.idle();
    expect(contents("N::1")).toEqual(["x!"]);
    expect(disk.tasks.size).toBe(0);
    await engine.stop();
  });

  test("is stored once however often it is put in, and keeps a para that it has", async () => {
    const { engine, contents } = openEngine(() => ({ type: "none" }));
    const given = { meta: "D:start:1", para: "p/q", content: "x" };
    expect((await engine.selfRoute(given, ways)).isNew).toBe(true);
    expect(await engine.selfRoute(given, ways)).toMatchObject({ isNew: false, instance: { id: "0", para: "p/q" } });
    await engine.idle();
    expect(contents("D:next:1")).toEqual(["x!"]);
    await engine.stop();
  });

  test.each<[string, string, SelfRouteConverter[], string]>([
    ["is of a meta that is not dynamic", "B:a:1", ways, "executor.logic"],
    ["is of a meta with states", "D:stateful:1", ways, "executor.logic"],
    ["has no way", "D:start:1", [], "executor.logic"],
    ["leads back into declared metas", "D:start:1", [{ to: "B:static:1", executor: copy }], "executor.logic"],
    [
      "leads to one meta twice",
      "D:start:1",
      [
        { to: "x", executor: copy },
        { to: "D:x:1", executor: copy },
      ],
      "executor.logic",
    ],
    ["leads to a key that is none", "D:start:1", [{ to: "a|b", executor: copy }], "meta.syntax"],
    ["names an unknown protocol", "D:start:1", [{ executor: { protocol: "auto", url: "x" } }], "relation.invalid"],
    ["has an executor with unknown members", "D:start:1", [{ executor: { ...copy, timeout: 3 } as never }], "config.invalid"],
  ])("is refused when it %s", async (_what, meta, converters, code) => {
    const { engine, disk } = openEngine(() => ({ type: "none" }), { metas: [{ meta: "D:stateful:1", states: "a" }] });
    await expect(engine.selfRoute({ meta }, converters)).rejects.toMatchObject({ code });
    expect(disk.instances.size).toBe(0);
    await engine.stop();
  });
});

describe("instances that an executor routes itself (D-2)", () => {
  const routed: SelfRoute[] = [
    { instance: { content: "one" }, converters: [{ to: "D:next:1", executor: copy }] },
    { instance: { meta: "D:other:1", content: "two" }, converters: [{ to: "next", executor: copy, useUpstreamId: true }] },
  ];

  test("are stored with their ways in place of the target, and the task ends", async () => {
    const { engine, disk, contents } = openEngine(() => ({ type: "self-route", instances: routed }));
    const { instance: upstream } = await engine.input({ meta: "B:a:1", content: "up" });
    await engine.idle();
    expect(contents("D:routed:1")).toEqual(["one"]);
    expect(contents("D:other:1")).toEqual(["two"]);
    expect(contents("D:next:1").sort()).toEqual(["one!", "two!"]);
    const all = [...disk.instances.values()];
    const other = all.find(({ meta }) => meta === "D:other:1");
    expect(other?.from).toEqual({ meta: "B:a:1", id: upstream.id, para: "", version: 0 });
    expect(all.find(({ content }) => content === "two!")?.id).toBe(other?.id);
    expect(disk.tasks.size).toBe(0);
    expect(engine.stats).toMatchObject({ converted: 3, stored: 5, failed: 0 });
    await engine.stop();
  });

  test("may come by a callback", async () => {
    const { engine, disk, contents } = openEngine(() => ({ type: "delay", delayMs: 1_000 }));
    await engine.input({ meta: "B:a:1" });
    await engine.idle();
    const [taskId] = [...disk.tasks.keys()] as [number];
    await engine.callback(taskId, { type: "self-route", instances: routed });
    await engine.idle();
    expect(contents("D:next:1").sort()).toEqual(["one!", "two!"]);
    await expect(engine.callback(taskId, { type: "none" })).rejects.toMatchObject({ code: "task.unknown" });
    await engine.stop();
  });

  test("that are wrong fail their task and nothing else", async () => {
    const wrong: SelfRoute[] = [{ instance: { meta: "B:static:1" }, converters: [{ executor: copy }] }];
    const { engine, disk } = openEngine(() => ({ type: "self-route", instances: wrong }), {
      relations: [relation("B:a:1", "B:static:1", { executor: { protocol: "local", url: "copy" } })],
    });
    await engine.input({ meta: "B:a:1" });
    await engine.idle();
    expect([...disk.failed.values()]).toMatchObject([{ to: "D:routed:1", code: "executor.logic" }]);
    expect([...disk.instances.values()].map(({ meta }) => meta)).toEqual(["B:a:1", "B:static:1"]);
    await engine.stop();
  });

  test("are the same when the work is done again, and apart from each other", () => {
    const ground = {
      catalog: catalogOf([]),
      upstream: instance({ meta: "B:a:1", id: "3" }),
      to: "D:routed:1",
      limits: { maxContentBytes: 100, maxContextBytes: 100 },
      nowMs: 5,
    };
    const ids = (): string[] => routedInstances(ground, [routed[0], routed[0]] as SelfRoute[]).map((one) => one.instance.id);
    expect(ids()).toEqual(ids());
    expect(new Set(ids()).size).toBe(2);
    const states = [{ instance: { states: ["x"] }, converters: [{ executor: copy }] }];
    expect(() => routedInstances(ground, states)).toThrow(expect.objectContaining({ code: "instance.state" }));
  });

  test("carry their context into their missions, so that target.id and published values work there too", () => {
    const sysContext = { "target.id": "4" };
    const [planned] = routeMissions(instance({ meta: "D:d:1", sysContext }), [{ executor: copy, delayMs: 5 }], 100);
    expect(planned).toMatchObject({ dueMs: 105, mission: { to: "N::1", sysContext, before: [], after: [], idBridge: false } });
  });
});

describe("a callback", () => {
  test("with what is no answer is refused, and the task goes on waiting", async () => {
    const { engine, disk } = openEngine(() => ({ type: "delay", delayMs: 1_000 }));
    await engine.input({ meta: "B:a:1" });
    await engine.idle();
    const [taskId] = [...disk.tasks.keys()] as [number];
    for (const result of [{ type: "nonsense" }, {}, { type: "instances" }, { type: "delay", delayMs: 5 }])
      await expect(engine.callback(taskId, result as ConvertResult)).rejects.toMatchObject({ code: "executor.logic" });
    expect(disk.tasks.has(taskId)).toBe(true);
    await engine.stop();
  });
});
