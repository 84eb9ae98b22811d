import { appendFile, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LogItem } from "../../src/host/index.ts";
import { type HostNode, openHostNode, script } from "../fixtures/host-control.ts";
import { errorOf, until } from "../fixtures/until.ts";

/** A reader that follows, and what it has got so far. */
interface Follower {
  readonly lines: string[];
  readonly ended: Promise<unknown>;
  leave(): void;
}

function follow(host: HostNode, data: object): Follower {
  const lines: string[] = [];
  const caller = new AbortController();
  const read = async (): Promise<void> => {
    const items = host.stream("log", { follow: true, ...data }, { signal: caller.signal, timeoutMs: 60_000 });
    for await (const item of items as AsyncIterable<LogItem>) lines.push(...item.lines);
  };
  const ended = errorOf(read());
  return { lines, ended, leave: () => caller.abort() };
}

async function has(follower: Follower, lines: readonly string[]): Promise<void> {
  await until(`the lines ${lines.slice(-3)} have come`, () => follower.lines.length >= lines.length);
  expect(follower.lines).toEqual(lines);
}

async function lastLines(host: HostNode, data: object): Promise<string[]> {
  return ((await host.call("log", data)) as LogItem[]).flatMap(({ lines }) => lines);
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

describe("M-64: the log of a file", () => {
  test("M-64: gives the last lines, however many there are", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(numbered(1, 20_000)));
    expect(await lastLines(host, { path })).toEqual(numbered(19_901, 20_000));
    expect(await lastLines(host, { path, lines: 10_000 })).toEqual(numbered(10_001, 20_000));
    expect(await lastLines(host, { path, lines: 0 })).toEqual([]);
    await writeFile(path, "a\r\n\nünfinished");
    expect(await lastLines(host, { path })).toEqual(["a", "", "ünfinished"]);
    expect(await lastLines(host, { path, lines: 2 })).toEqual(["", "ünfinished"]);
    await writeFile(path, "");
    expect(await lastLines(host, { path })).toEqual([]);
    await writeFile(path, "x".repeat(40_000));
    expect((await lastLines(host, { path })).join("")).toBe("x".repeat(40_000));
  });

  test("M-64: is followed, a line when it is whole, each once", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(numbered(1, 5)));
    const follower = follow(host, { path, lines: 2 });
    await has(follower, numbered(4, 5));
    await appendFile(path, "line 6\nli");
    await has(follower, numbered(4, 6));
    await appendFile(path, "ne 7\n");
    await has(follower, numbered(4, 7));
    follower.leave();
    expect(await follower.ended).toMatchObject({ code: "call.cancelled" });
  });

  test("M-64: is followed over a rotation, also where the writer goes on in the old file for a while", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(numbered(1, 2)));
    const follower = follow(host, { path });
    await has(follower, numbered(1, 2));
    for (let round = 0; round < 3; round++) {
      const at = 3 + round * 4;
      await appendFile(path, text([`line ${at}`]));
      await rename(path, `${path}.${round}`);
      await writeFile(path, "");
      // The reader has seen that there is a successor when it has read this.
      await appendFile(`${path}.${round}`, text([`line ${at + 1}`]));
      await has(follower, numbered(1, at + 1));
      await appendFile(`${path}.${round}`, text([`line ${at + 2}`]));
      await appendFile(path, text([`line ${at + 3}`]));
      await has(follower, numbered(1, at + 3));
    }
    follower.leave();
    await follower.ended;
  });

  test("M-64: is followed over an emptying in place", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(numbered(1, 3)));
    const follower = follow(host, { path });
    await has(follower, numbered(1, 3));
    await truncate(path, 0);
    await appendFile(path, "line 4\n");
    await has(follower, numbered(1, 4));
    follower.leave();
    await follower.ended;
  });

  test("M-64: a successor that is a link is not followed", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(["line 1"]));
    await writeFile(join(host.folder, "secret"), text(["s3"]));
    const follower = follow(host, { path });
    await has(follower, ["line 1"]);
    await rename(path, `${path}.1`);
    await symlink(join(host.folder, "secret"), path);
    await appendFile(`${path}.1`, text(["line 2"]));
    await has(follower, ["line 1", "line 2"]);
    follower.leave();
    await follower.ended;
  });

  test("M-64: a follower is told when the node stops", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "log");
    await writeFile(path, text(["line 1"]));
    const follower = follow(host, { path });
    await has(follower, ["line 1"]);
    await host.node.drain();
    expect(await follower.ended).toMatchObject({ code: "node.closed" });
  });

  test("M-64: a file that is not there, and both or neither of file and unit, are errors", async () => {
    const host = await openHostNode();
    expect(await errorOf(lastLines(host, { path: join(host.folder, "none") }))).toMatchObject({ code: "resource.not_found" });
    for (const data of [{}, { path: "/x", unit: "x" }]) {
      expect(await errorOf(lastLines(host, data))).toMatchObject({ code: "message.schema" });
    }
  });
});

describe("M-64: the log of a unit", () => {
  test("M-64: has what it wrote, over its restarts, and is followed", async () => {
    const command = script("console.log('up ' + process.env.NAME); console.error('warned'); setInterval(() => undefined, 1000)");
    const host = await openHostNode({
      units: [{ name: "web", command, env: { NAME: "web" }, autostart: true }],
      systemdFolder: "/none",
    });
    await until("it has written", async () => (await lastLines(host, { unit: "web" })).length === 2);
    expect((await lastLines(host, { unit: "web" })).sort()).toEqual(["up web", "warned"]);
    const follower = follow(host, { unit: "web", lines: 0 });
    await host.call("unit", { unit: "web", action: "restart" });
    await until("it has written again", () => follower.lines.length === 2);
    expect([...follower.lines].sort()).toEqual(["up web", "warned"]);
    expect(await lastLines(host, { unit: "web", lines: 3 })).toHaveLength(3);
    follower.leave();
    expect(await follower.ended).toMatchObject({ code: "call.cancelled" });
  });
});
