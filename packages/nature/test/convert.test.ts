import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { type Converted, type ConvertWorld, convert } from "../src/engine/convert.ts";
import type { ExecutorRun } from "../src/engine/engine-report.ts";
import { Prompt } from "../src/engine/prompt.ts";
import { resolveTarget } from "../src/engine/target.ts";
import type { ConvertRequest, ConvertResult, Executor, FilterRequest } from "../src/executor/executor.ts";
import { defineExecutors } from "../src/executor/local.ts";
import type { Instance } from "../src/instance/instance.ts";
import type { Mission } from "../src/relation/mission.ts";
import { catalogOf, instance, mission } from "./fixtures/things.ts";

const catalog = catalogOf([
  { meta: "B:m:1" },
  { meta: "B:a:1", settings: { master: "B:m:1" } },
  { meta: "B:b:1", states: "x|y" },
  { meta: "B:c:1" },
]);
const upstream = instance({ meta: "B:a:1", id: "5", content: "a" });
const one = (content: string): ConvertResult => ({ type: "instances", instances: [{ content }] });

/** Converts with these executors of protocol `local`. */
function openWorld(executors: Record<string, Executor>) {
  const clock = new VirtualClock();
  const asked = { credentials: 0, masters: [] as string[] };
  const ran: ExecutorRun[] = [];
  const world: ConvertWorld = {
    clock,
    catalog,
    resolvers: { local: defineExecutors(executors) },
    timeoutMs: 1_000,
    credential: (taskId) => {
      asked.credentials++;
      return `credential ${taskId}`;
    },
    master: async ({ id }, meta) => {
      asked.masters.push(`${meta} ${id}`);
      return undefined;
    },
    stopping: new Set(),
    fault: undefined,
    prompt: new Prompt(),
    ran: (one) => ran.push(one),
  };
  const run = async (given: Partial<Mission> = {}, last?: Instance): Promise<Converted> => {
    const work = mission({ to: "B:c:1", ...given });
    return convert(world, {
      taskId: 9,
      upstream,
      mission: work,
      target: resolveTarget({ catalog, mission: work, upstream }),
      last,
    });
  };
  return { clock, asked, ran, world, run };
}

const local = (url: string, settings?: string) =>
  ({ protocol: "local", url, ...(settings === undefined ? {} : { settings }) }) as const;

describe("a conversion", () => {
  test("runs the filters before, the executor, and the filters behind, each on what the one before it left", async () => {
    const seen: FilterRequest[] = [];
    const { run, clock } = openWorld({
      before: {
        before: (given, request) => {
          seen.push(request);
          return { ...given, content: `${given.content}${request.settings}` };
        },
      },
      work: { convert: ({ from, settings }) => one(`${from.content}-${settings}`) },
      after: {
        after: async (outputs, { settings }) => outputs.map((output) => ({ ...output, content: `${output.content}${settings}` })),
      },
    });
    const converted = await run({
      before: [local("before", "1"), local("before", "2")],
      executor: local("work", "w"),
      after: [local("after", "3"), local("after", "4")],
    });
    expect(converted).toMatchObject({ outputs: [{ content: "a12-w34" }], working: { content: "a12" } });
    expect(seen[0]).toMatchObject({ to: "B:c:1", deadlineMs: clock.now() + 1_000 });
    expect(upstream.content).toBe("a");
  });

  test("tells filters the trace of its upstream, also where one takes it out", async () => {
    const traces: (string | undefined)[] = [];
    const { world } = openWorld({
      work: { convert: () => one("") },
      filter: {
        before: (given, { traceparent }) => {
          traces.push(traceparent);
          return { ...given, context: {} };
        },
        after: (outputs, { traceparent }) => {
          traces.push(traceparent);
          return outputs;
        },
      },
    });
    const work = mission({ to: "B:c:1", before: [local("filter"), local("filter")], after: [local("filter")] });
    const traced = { ...upstream, context: { traceparent: "t" } };
    const target = resolveTarget({ catalog, mission: work, upstream: traced });
    await convert(world, { taskId: 9, upstream: traced, mission: work, target, last: undefined });
    expect(traces).toEqual(["t", "t", "t"]);
  });

  test("tells of executors that did not answer at once, how long they took and what they failed with", async () => {
    const { run, ran, clock } = openWorld({
      prompt: { convert: () => one("") },
      slow: {
        convert: async () => {
          await clock.advance(20);
          return one("");
        },
      },
      busy: { convert: async () => ({ type: "environment", message: "busy" }) },
      broken: { convert: () => Promise.reject(new Error("broken")) },
      wrong: { convert: async () => 7 as never },
    });
    for (const url of ["prompt", "slow", "busy"]) await run({ executor: local(url) });
    for (const url of ["broken", "wrong"]) await expect(run({ executor: local(url) })).rejects.toThrow();
    expect(ran.map(({ mission: { executor }, ms, code }) => [executor.url, ms, code])).toEqual([
      ["slow", 20, undefined],
      ["busy", 0, "executor.environment"],
      ["broken", 0, "processor.failed"],
      ["wrong", 0, "executor.logic"],
    ]);
    expect(ran[0]).toMatchObject({ upstream, mission: { to: "B:c:1" } });
  });

  test("without an executor makes one empty instance, filters and downSelector included (D-32)", async () => {
    const { run } = openWorld({ after: { after: (outputs) => [...outputs, { content: "more" }] } });
    const auto = { protocol: "auto", url: "" } as const;
    expect(await run({ executor: auto, after: [local("after")] })).toMatchObject({ outputs: [{}, { content: "more" }] });
    expect(await run({ to: "B:b:1", executor: auto, downSelector: { all: ["x"] } })).toMatchObject({
      instead: { type: "environment" },
    });
  });

  test("waits for the last version to meet the downSelector, also where there is none", async () => {
    const { run } = openWorld({ work: { convert: () => one("") } });
    const last = (state: string): Instance => instance({ meta: "B:b:1", version: 1, states: [state] });
    const given = { to: "B:b:1", downSelector: { any: ["x"] } };
    expect(await run(given, last("x"))).toHaveProperty("outputs");
    expect(await run(given, last("y"))).toMatchObject({ instead: { type: "environment" } });
    expect(await run(given)).toMatchObject({ instead: { type: "environment" } });
    expect(await run({ to: "B:b:1", downSelector: { none: ["x"] } })).toHaveProperty("outputs");
  });

  test("stores nothing for none, and one empty instance of N (D-6)", async () => {
    const { run } = openWorld({ work: { convert: () => ({ type: "none" }) } });
    expect(await run()).toMatchObject({ outputs: [] });
    expect(await run({ to: "N::1" })).toMatchObject({ outputs: [{}] });
  });

  test("fetches the master of the upstream's meta, and makes a credential only for who looks at it", async () => {
    const given: ConvertRequest[] = [];
    const { run, asked } = openWorld({
      work: {
        convert: (request) => {
          given.push(request);
          return one("");
        },
      },
    });
    await run();
    expect(asked).toEqual({ credentials: 0, masters: ["B:m:1 5"] });
    expect(given[0]?.credential).toBe("credential 9");
  });

  test("takes promises of any library for promises", async () => {
    // biome-ignore lint/suspicious/noThenProperty: what is tested is that such things exist
    const later = { then: (resolve: (value: ConvertResult) => void) => resolve(one("later")) } as Promise<ConvertResult>;
    expect(await openWorld({ work: { convert: () => later } }).run()).toMatchObject({ outputs: [{ content: "later" }] });
  });

  test("ends when its time is up, and tells the executor so", async () => {
    const signals: AbortSignal[] = [];
    const never = Promise.withResolvers<never>().promise;
    const { run, clock } = openWorld({
      work: {
        convert: ({ signal }) => {
          signals.push(signal);
          return never;
        },
      },
    });
    const running = expect(run()).rejects.toMatchObject({ code: "executor.timeout", retryable: true });
    await clock.advance(999);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    await running;
    expect(signals[0]?.aborted).toBe(true);
    const short = expect(run({ executor: { ...local("work"), timeoutMs: 5 } })).rejects.toMatchObject({
      code: "executor.timeout",
    });
    await clock.advance(5);
    await short;
    expect(clock.pendingTimers).toBe(0);
  });

  test.each<[string, Executor]>([
    ["that gives nothing", { convert: () => undefined as unknown as ConvertResult }],
    ["that gives null among its instances", { convert: () => ({ type: "instances", instances: [null as never] }) }],
    ["that gives a number as content", { convert: () => ({ type: "instances", instances: [{ content: 7 as never }] }) }],
    ["that can only filter", { before: (given) => given }],
  ])("refuses an executor %s for good", async (_what, executor) => {
    await expect(openWorld({ work: executor }).run()).rejects.toMatchObject({
      code: "executor.logic",
      details: { protocol: "local", url: "work" },
    });
  });

  test("refuses filters that give no instances", async () => {
    const { run } = openWorld({
      work: { convert: () => one("") },
      before: { before: () => ({ content: "x" }) as Instance },
      after: { after: () => [7 as never] },
    });
    await expect(run({ before: [local("before")] })).rejects.toMatchObject({ code: "executor.logic" });
    await expect(run({ after: [local("after")] })).rejects.toMatchObject({ code: "executor.logic" });
  });

  test("names what runs executors here when nothing runs those of a protocol", async () => {
    await expect(openWorld({}).run({ executor: { protocol: "actor", url: "x" } })).rejects.toMatchObject({
      code: "executor.unknown",
      message: expect.stringContaining("use local"),
    });
  });
});
