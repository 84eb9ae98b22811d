import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { FAULT_POINTS } from "../../src/engine/fault.ts";
import { type Nature, openNature } from "../../src/index.ts";
import { createTestNature } from "../../src/testing/index.ts";
import { emall, emallExecutors, ORDER, payment } from "../fixtures/emall.ts";
import { eventually, testFolder } from "../fixtures/folder.ts";
import { journey, journeyAnswer, journeyExecutors, journeyInputs, outcomeOf } from "../fixtures/journey.ts";
import { sharedPostgres, testDatabase } from "../postgres/database.ts";

const ACCOUNT = "B:finance/orderAccount:1";
const postgres = await sharedPostgres();

/** A place for workflows, gone with the block. */
interface Place extends AsyncDisposable {
  readonly where: { readonly folder: string } | { readonly databaseUrl: string };
}

async function folderPlace(): Promise<Place> {
  const folder = await testFolder();
  return { where: { folder: folder.path }, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function databasePlace(): Promise<Place> {
  const database = await testDatabase("url" in postgres ? postgres.url : "");
  return { where: { databaseUrl: database.url }, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

/** What the journey comes to when nothing goes wrong. */
async function smoothOutcome(): Promise<string[]> {
  const asked: number[] = [];
  const executors = journeyExecutors(
    (taskId) => asked.push(taskId),
    () => undefined,
  );
  await using nature = createTestNature({ ...journey, executors });
  for (const given of journeyInputs) {
    await (Array.isArray(given) ? nature.engine.inputMany(given) : nature.input(given as never));
    await nature.settle();
  }
  for (const taskId of asked) await nature.callback(taskId, journeyAnswer);
  await nature.finish();
  return outcomeOf(nature.instances());
}

/** Runs the journey in a process of its own; undefined = it was killed. */
async function travel(
  place: string,
  notes: string,
  ...fault: string[]
): Promise<{ outcome: string[]; failed: number } | undefined> {
  const file = fileURLToPath(new URL("../fixtures/journey-main.ts", import.meta.url));
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  execFile(process.execPath, [file, place, notes, ...fault], (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else if (error.signal === "SIGKILL") resolve(undefined);
    else reject(new Error(`the journey failed: ${stderr}`));
  });
  const said = await promise;
  return said === undefined ? undefined : JSON.parse(said);
}

describe("a process that is killed at a step of its pipeline", async () => {
  const expected = await smoothOutcome();
  // The journey gives nothing up.
  const points = FAULT_POINTS.filter((point) => point !== "task.fail");

  test.each(points)("at %s, and started again, comes to the same on SQLite (§4.3, §8.5)", { timeout: 60_000 }, async (point) => {
    await using folder = await testFolder();
    const notes = join(folder.path, "notes");
    expect(await travel(folder.path, notes, point, "1")).toBeUndefined();
    const again = await travel(folder.path, notes);
    expect(again).toEqual({ failed: 0, outcome: expected });
  });

  test.each(["input.stored", "task.stored", "task.executor", "callback.taken"])(
    "at %s comes to the same on PostgreSQL, when another engine takes over",
    { timeout: 60_000 },
    async (point) => {
      if ("reason" in postgres) return;
      await using database = await testDatabase(postgres.url);
      await using folder = await testFolder();
      const notes = join(folder.path, "notes");
      expect(await travel(database.url, notes, point, "2")).toBeUndefined();
      expect(await travel(database.url, notes)).toEqual({ failed: 0, outcome: expected });
    },
  );
});

describe.each([
  ["SQLite", folderPlace, 1, undefined],
  ["PostgreSQL", databasePlace, 2, "reason" in postgres ? postgres.reason : undefined],
] as const)("payments of the same moment on %s", (_name, openPlace, engines, skip) => {
  test("become versions 2, 3 and 4, once each, 1000 in all, in 100 runs of 100 (§11.1)", {
    timeout: 120_000,
  }, async (context) => {
    if (skip !== undefined) return context.skip(skip);
    await using place = await openPlace();
    const open = (): Promise<Nature> =>
      openNature({
        ...place.where,
        flows: [{ ...emall, executors: emallExecutors(Date.now, () => undefined) }],
        engine: { backoffMs: 50, pollMs: 50, maxAttempts: 100 },
      });
    const natures = await Promise.all(Array.from({ length: engines }, open));
    const [first] = natures as [Nature];
    // Each run is an order of its own; ten of them are under way at a time.
    for (let run = 0; run < 100; run += 10) {
      await Promise.all(
        Array.from({ length: 10 }, async (_, n) => {
          const content = ORDER.replace('"user_id":123', `"user_id":${run + n}`);
          const { input } = await first.inputAndWait({ meta: "B:sale/order:1", content }, { meta: ACCOUNT, timeoutMs: 30_000 });
          const line = { meta: ACCOUNT, id: input.instance.id, para: "" };
          const payments = [payment(line.id, "a", 100), payment(line.id, "b", 200), payment(line.id, "c", 700)];
          await Promise.all(payments.map((one, at) => natures[at % engines]?.input(one)));
          await eventually("all payments to be counted", async () => (await first.latest(line))?.version === 4);
          const { items } = await first.reads.versions(line);
          expect(items.map(({ version }) => version)).toEqual([4, 3, 2, 1]);
          expect(items[0]?.states).toEqual(["paid"]);
          expect(JSON.parse(items[0]?.content ?? "")).toMatchObject({ total_paid: 1_000, diff: 0 });
          expect(new Set(items.map(({ from }) => `${from?.meta} ${from?.id}`)).size).toBe(4);
        }),
      );
    }
    expect((await first.reads.failedTasks()).items).toEqual([]);
    await Promise.all(natures.map((one) => one.stop()));
  });
});

describe("two engines on one PostgreSQL of which one is killed again and again under load", () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterAll(() => Promise.all(stops.map((stop) => stop())));

  test("complete the flow of every input once (S5, E2)", { timeout: 120_000 }, async (context) => {
    if ("reason" in postgres) return context.skip(postgres.reason);
    await using database = await testDatabase(postgres.url);
    const names = ["a", "b", "c", "d"].map((name) => `B:flow/${name}:1`);
    const flow = {
      metas: names.map((meta) => ({ meta })),
      relations: names.slice(1).map((to, at) => ({
        from: names[at] as string,
        to,
        enabled: true,
        settings: { executor: { protocol: "local", url: "step" } as const },
      })),
      executors: {
        step: async ({ from }: { from: { content: string } }) =>
          ({ type: "instances", instances: [{ content: from.content }] }) as const,
      },
    };
    await using survivor = await openNature({
      databaseUrl: database.url,
      flows: [flow],
      engine: { pollMs: 100, leaseMs: 2_000 },
    });
    const file = fileURLToPath(new URL("../fixtures/flow-until-killed.ts", import.meta.url));
    for (let kill = 0; kill < 5; kill++) {
      const child = execFile(process.execPath, [file, database.url, String(kill)]);
      stops.push(async () => child.kill("SIGKILL"));
      await eventually("the child to take inputs", async () => (await counted(survivor)) >= (kill + 1) * 40);
      child.kill("SIGKILL");
    }
    await eventually("all flows to be complete", async () => {
      const { owned, due, delayed } = await survivor.backlog();
      return owned + due + delayed === 0;
    });
    const counts = await survivor.reads.counts();
    const [inputs, ...steps] = names.map((name) => counts.find(({ meta }) => meta === name)?.instances);
    expect(inputs).toBeGreaterThanOrEqual(200);
    expect(steps).toEqual([inputs, inputs, inputs]);
    expect((await survivor.reads.failedTasks()).items).toEqual([]);
  });
});

/** Inputs that are stored. */
async function counted(nature: Nature): Promise<number> {
  return (await nature.reads.counts("B:flow/a:1"))[0]?.instances ?? 0;
}
