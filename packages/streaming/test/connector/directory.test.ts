import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, Lines, runInARow, testFolder, turns } from "./graphs.ts";

const read = (path: string, more: object = {}) => ({ action: "directory.read", with: { path, pollMs: 20, ...more } });

describe("a folder", () => {
  test("is read file by file in the order of names, without those that are not asked for", async () => {
    await using folder = await testFolder();
    for (const [name, body] of Object.entries({ "b.log": "3\n4", "a.log": "1\n2\n", "c.txt": "no\n", ".d.log": "no\n" })) {
      await writeFile(join(folder.path, name), body);
    }
    const kept = new Keeper();
    const run = await runInARow({ read: read(folder.path, { files: "*.log" }), keep: kept.node });
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(["1", "2", "3", "4"]);
  });

  test("can be read as files", async () => {
    await using folder = await testFolder();
    await writeFile(join(folder.path, "a"), "whole\nfile");
    const kept = new Keeper();
    await (await runInARow({ read: read(folder.path, { give: "files" }), keep: kept.node })).ended;
    expect(kept.records).toEqual([{ path: join(folder.path, "a"), bytes: Buffer.from("whole\nfile") }]);
  });

  test("is followed: files are read as they come, and one that comes too late is told of", async () => {
    await using folder = await testFolder();
    const kept = new Keeper();
    const lines = new Lines();
    await using _run = await runInARow({ read: read(folder.path, { follow: true }), keep: kept.node }, { onLog: lines.onLog });
    for (const name of ["1", "2"]) {
      await writeFile(join(folder.path, `.${name}`), `of ${name}\n`);
      await rename(join(folder.path, `.${name}`), join(folder.path, name));
    }
    await kept.has(2);
    await writeFile(join(folder.path, "0"), "late\n");
    await lines.says(/^0 is passed over/);
    expect(kept.records).toEqual(["of 1", "of 2"]);
  });

  test("is read on in the middle of a file after a run was cut off, also when what is through was removed", async () => {
    await using folder = await testFolder();
    const lines = (first: number) => range(3_000).map((number) => `${first + number}\n`);
    await writeFile(join(folder.path, "a"), lines(0).join(""));
    await writeFile(join(folder.path, "b"), lines(3_000).join(""));
    const progress = new MemoryProgress();
    const seen = new Map<string, unknown>();
    let left = 4_000;
    const half = functionAction(async (record: unknown, { id }) => {
      if (left-- <= 0) return new Promise<void>(() => undefined);
      seen.set(id, record);
    });
    const nodes = { read: read(folder.path, { blockBytes: 4_096 }) };
    const first = await runInARow({ ...nodes, half: { does: half } }, { progress, commitMs: 1 });
    while (left > 0 || ((await progress.load()).sources.get("read")?.sequence ?? 0) <= 3_000) await turns(1);
    await first.close();
    await rm(join(folder.path, "a"));
    const kept = new Keeper();
    expect((await (await runInARow({ ...nodes, keep: kept.node }, { progress })).ended).outcome).toBe("completed");
    expect(kept.records.length).toBeLessThan(3_000);
    for (const [index, id] of kept.ids.entries()) seen.set(id, kept.records[index]);
    expect([...seen.values()].map(Number).sort((a, b) => a - b)).toEqual(range(6_000));
  });
});
