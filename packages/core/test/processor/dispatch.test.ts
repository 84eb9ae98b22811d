import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type { Answer } from "../fixtures/answering.ts";
import { fixture, openTestHost, pidsOf, temporaryFolder } from "../fixtures/host.ts";
import { errorOf, until } from "../fixtures/until.ts";

const answering = fixture("answering");

describe("M-10 the server dispatches each message by type to its processor", () => {
  test("of 10,000 interleaved messages of two types none goes astray", async () => {
    await using node = await openTestHost();
    await Promise.all([
      node.host.add({ name: "x", file: answering, env: { FIXTURE_TYPES: "a.x", FIXTURE_BY: "x" } }),
      node.host.add({ name: "y", file: answering, env: { FIXTURE_TYPES: "b.y", FIXTURE_BY: "y" } }),
    ]);
    const answers = await Promise.all(
      Array.from(
        { length: 10_000 },
        (_, n) => node.router.call({ type: n % 2 === 0 ? "a.x" : "b.y", data: n }) as Promise<Answer>,
      ),
    );
    const astray = answers.filter(({ by, type, data }, n) => {
      const expected = n % 2 === 0 ? ["x", "a.x"] : ["y", "b.y"];
      return by !== expected[0] || type !== expected[1] || data !== n;
    });
    expect(astray).toEqual([]);
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(2);
  });
});

describe("M-11 one dispatcher serves local, remote and management traffic", () => {
  test("a message that a processor sends to its node passes the same dispatcher, with the same trace, deadline and metrics", async () => {
    const begun: { type: string; traceparent: string | undefined }[] = [];
    const ended: unknown[] = [];
    await using node = await openTestHost({
      router: {
        observer: {
          begin: (message) => {
            begun.push({ type: message.type, traceparent: message.traceparent });
            return { message, end: (error) => ended.push(error) };
          },
        },
      },
    });
    const { defineProcessor } = await import("../../src/processor/author.ts");
    const manager = defineProcessor({
      name: "manager",
      types: {
        "manage.describe": { handle: (_: unknown, context) => context.call("a.x", { leftMs: context.timeLeftMs }) },
        "manage.wait": { handle: (_: unknown, context) => context.call("manage.never") },
        "manage.never": { handle: () => new Promise<never>(() => undefined) },
      },
    });
    await node.host.add({ name: "x", file: answering, env: { FIXTURE_TYPES: "a.x", FIXTURE_BY: "x" } });
    await node.host.add({ name: "manager", definition: manager });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const answer = (await node.router.call({ type: "manage.describe", traceparent }, { timeoutMs: 5_000 })) as Answer;
    const { leftMs } = answer.data as { leftMs: number };
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(5_000);
    expect(begun).toEqual([
      { type: "manage.describe", traceparent },
      { type: "a.x", traceparent },
    ]);
    expect(ended).toEqual([undefined, undefined]);
    expect(await errorOf(node.router.call({ type: "manage.wait" }, { timeoutMs: 50 }))).toMatchObject({ code: "call.deadline" });
  });
});

describe("M-12 users define their own types", () => {
  test("a type that is added while the node runs is handled without a restart of node or of other processors", async () => {
    await using node = await openTestHost();
    await using folder = await temporaryFolder();
    await node.host.add({ name: "x", file: answering, env: { FIXTURE_TYPES: "a.x", FIXTURE_BY: "x" } });
    const before = pidsOf(node.host, "x");
    expect(await errorOf(node.router.call({ type: "user.double", data: { n: 4 } }))).toMatchObject({
      code: "message.unknown_type",
    });

    const file = join(folder.path, "double.ts");
    const library = pathToFileURL(fixture("../../src/processor/index")).href;
    await writeFile(file, userFile(library));
    await node.host.add({ name: "double", file });

    expect(await node.router.call({ type: "user.double", data: { n: 4 } })).toBe(8);
    expect(pidsOf(node.host, "x")).toEqual(before);
  });

  test("a payload that does not fit its schema is refused with the path, before a processor sees it", async () => {
    await using node = await openTestHost();
    await using folder = await temporaryFolder();
    const file = join(folder.path, "double.ts");
    await writeFile(file, userFile(pathToFileURL(fixture("../../src/processor/index")).href));
    await node.host.add({ name: "double", file });
    const error = await errorOf(node.router.call({ type: "user.double", data: { n: 4, deep: { list: [1, "two"] } } }));
    expect(error).toMatchObject({ code: "message.schema", details: { path: "/deep/list/1" } });
    const missing = await errorOf(node.router.call({ type: "user.double", data: {} }));
    expect(missing).toMatchObject({ code: "message.schema", details: { path: "/n" } });
    expect(await node.router.call({ type: "user.double", data: { n: 1 } })).toBe(2);
  });
});

/** What a user would write in a package of their own. */
function userFile(library: string): string {
  return `
    import { defineProcessor, serve } from ${JSON.stringify(library)};
    const schema = {
      type: "object",
      required: ["n"],
      properties: { n: { type: "number" }, deep: { type: "object", properties: { list: { type: "array", items: { type: "number" } } } } },
    };
    export const double = defineProcessor({
      name: "double",
      types: { "user.double": { input: schema, handle: ({ n }: { n: number }) => n * 2 } },
    });
    if (import.meta.main) await serve(double);
  `;
}

describe("M-14 unknown type, unavailable processor and overload are distinct typed errors", () => {
  test("an unknown type is message.unknown_type, and the node goes on", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "x", file: answering, env: { FIXTURE_TYPES: "a.x", FIXTURE_BY: "x" } });
    for (let n = 0; n < 100; n++) {
      expect(await errorOf(node.router.call({ type: `nobody.knows.${n}` }))).toMatchObject({
        code: "message.unknown_type",
        retryable: false,
      });
    }
    expect(await node.router.call({ type: "a.x", data: 1 })).toMatchObject({ by: "x", data: 1 });
  });

  test("a type whose processes cannot come up is processor.down, with the last reason", async () => {
    await using node = await openTestHost();
    await node.host.add({
      name: "faulty",
      file: fixture("faulty"),
      restart: { quarantineAfter: 1, quarantineMs: 600_000 },
    });
    await errorOf(node.router.call({ type: "faulty.exit", data: { code: 7 } }));
    await until("the process is quarantined", () => node.host.info("faulty").processes[0]?.state === "quarantined");
    const error = await errorOf(node.router.call({ type: "faulty.ok" }));
    expect(error).toMatchObject({ code: "processor.down", retryable: true });
    expect(error.message).toContain("exit code 7");
  });

  test("one message more than may wait is call.resource_exhausted, and those that wait are answered", async () => {
    await using node = await openTestHost();
    await node.host.add({
      name: "working",
      file: fixture("working"),
      env: { FIXTURE_CONCURRENCY: "1" },
      maxQueued: 2,
    });
    const accepted = [1, 2, 3].map(() => node.router.call({ type: "work.slow", data: { ms: 50 } }));
    const error = await errorOf(node.router.call({ type: "work.slow", data: { ms: 50 } }));
    expect(error).toMatchObject({ code: "call.resource_exhausted", retryable: true, retryAfterMs: 1_000 });
    expect(await Promise.all(accepted)).toHaveLength(3);
  });
});

describe("M-15 versions of a type live side by side", () => {
  test("an old client gets version 1 and a new one version 2, at the same time", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "old", file: answering, env: { FIXTURE_TYPES: "a.x", FIXTURE_BY: "old" } });
    await node.host.add({ name: "new", file: answering, env: { FIXTURE_TYPES: "a.x@2", FIXTURE_BY: "new" } });
    const calls = Array.from({ length: 200 }, async (_, n) => {
      const version = [undefined, "1", "2"][n % 3];
      const answer = (await node.router.call({ type: "a.x", data: n, ...(version ? { typeversion: version } : {}) })) as Answer;
      return `${version} ${answer.by} ${answer.version} ${answer.data === n}`;
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["undefined old 1 true", "1 old 1 true", "2 new 2 true"]));
    const error = await errorOf(node.router.call({ type: "a.x", typeversion: "3" }));
    expect(error).toMatchObject({ code: "message.unknown_type", details: { versions: ["1", "2"] } });
  });
});
