import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startNode, type TestNode, until } from "./helpers.ts";

interface Letter {
  readonly id: string;
  readonly edited: boolean;
  readonly message: { readonly id: string; readonly data?: unknown; readonly subject?: string };
}

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

async function letters(): Promise<Letter[]> {
  return JSON.parse((await node.metanode(["dead-letter", "ls", "-o", "json"])).stdout).items;
}

/** Sends what the processor will not handle, and waits until it was given up on. */
async function giveUpOn(...data: readonly unknown[]): Promise<Letter[]> {
  const stdin = data.map((one) => JSON.stringify(one)).join("\n");
  expect(await node.metanode(["send", "text.picky", "--ndjson"], { stdin })).toMatchObject({ status: 0 });
  await until(async () => (await letters()).length >= data.length);
  return letters();
}

beforeEach(async () => {
  for (const { id } of await letters()) await node.metanode(["dead-letter", "drop", id, "--yes"]);
});

describe("metanode dead-letter ls and get", () => {
  test("show what was given up on, and why", async () => {
    const [letter] = await giveUpOn({ what: "a" });
    const { status, stdout } = await node.metanode(["dead-letter", "ls"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ID +AT +TYPE +SUBJECT/);
    expect(stdout).toMatch(/text\.picky +- +1 +no +processor\.failed: .*not good enough/);
    const shown = await node.metanode(["dead-letter", "get", letter?.id ?? ""]);
    expect(shown.stdout).toContain('"what": "a"');
    const asJson = await node.metanode(["dead-letter", "get", letter?.id ?? "", "-o", "json"]);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      attempts: 1,
      error: { code: "processor.failed" },
      message: { data: { what: "a" } },
    });
  });

  test("say where to go on when there are more", async () => {
    await giveUpOn(1, 2, 3);
    const first = await node.metanode(["dead-letter", "ls", "--limit", "2"]);
    const [, cursor = ""] = /--cursor (\S+)/.exec(first.stderr) ?? [];
    const rest = JSON.parse((await node.metanode(["dead-letter", "ls", "--cursor", cursor, "-o", "json"])).stdout);
    expect(rest.items).toHaveLength(1);
  });

  test("tell none from one that does not exist", async () => {
    expect((await node.metanode(["dead-letter", "ls"])).stdout).toBe("no dead letters\n");
    expect(await node.metanode(["dead-letter", "get", "nobody"])).toMatchObject({ status: 3, stdout: "" });
  });
});

describe("metanode dead-letter edit, replay and drop", () => {
  test("mend a message and have it handled under its own id", async () => {
    const [letter] = await giveUpOn({ what: "mend me" });
    const id = letter?.id ?? "";
    const edited = await node.metanode(["dead-letter", "edit", id, "-", "--subject", "s-1", "-o", "json"], {
      stdin: '{"good":true,"mark":1}',
    });
    expect(JSON.parse(edited.stdout)).toMatchObject({
      edited: true,
      message: { id: letter?.message.id, data: { good: true, mark: 1 }, subject: "s-1" },
    });
    expect(await node.metanode(["dead-letter", "replay", id])).toMatchObject({ status: 0, stdout: "" });
    await until(async () =>
      (await node.metanode(["processor", "logs", "text"])).stdout.includes('handled {"good":true,"mark":1}'),
    );
    expect(await letters()).toEqual([]);
  });

  test("replay all of a filter at once, and no others", async () => {
    const given = await giveUpOn(1, 2);
    for (const { id } of given) await node.metanode(["dead-letter", "edit", id, '{"good":true}']);
    const none = await node.metanode(["dead-letter", "replay", "--all", "--log-stream", "send.other", "--yes", "-o", "json"]);
    expect(JSON.parse(none.stdout)).toEqual({ items: [] });
    const { status, stdout } = await node.metanode([
      "dead-letter",
      "replay",
      "--all",
      "--log-stream",
      "send.text.picky",
      "--yes",
      "-o",
      "json",
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).items).toEqual(given.map(({ id }) => ({ id, status: "ok" })));
    await until(async () => (await letters()).length === 0);
  });

  test("ask first, and change nothing where nobody can be asked", async () => {
    const [letter] = await giveUpOn({ what: "stay" });
    for (const args of [
      ["replay", "--all"],
      ["drop", letter?.id ?? ""],
    ]) {
      const outcome = await node.metanode(["dead-letter", ...args]);
      expect(outcome.status).toBe(2);
      expect(outcome.stderr).toMatch(/^error usage\.invalid: .*say --yes\n$/);
    }
    expect(await letters()).toEqual([letter]);
  });

  test("forget a message for good", async () => {
    const [letter] = await giveUpOn({ what: "drop me" });
    expect(await node.metanode(["dead-letter", "drop", letter?.id ?? "", "--yes"])).toMatchObject({ status: 0 });
    expect(await letters()).toEqual([]);
    expect(await node.metanode(["dead-letter", "drop", letter?.id ?? "", "--yes"])).toMatchObject({ status: 3 });
  });

  test.each([
    ["an edit that changes nothing", ["edit", "1"]],
    ["a replay of neither one nor all", ["replay"]],
    ["a replay of both one and all", ["replay", "1", "--all"]],
  ])("refuse %s with status 2", async (_what, args) => {
    expect(await node.metanode(["dead-letter", ...args])).toMatchObject({ status: 2, stdout: "" });
  });
});
