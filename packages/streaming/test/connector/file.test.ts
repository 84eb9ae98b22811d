import { appendFile, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VirtualClock } from "@metanode/core/testing/clock";
import { describe, expect, test } from "vitest";
import { type Block, functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, runInARow, testFolder, turns } from "./graphs.ts";

const text = (numbers: readonly number[]): string => numbers.map((number) => `${number}\n`).join("");
const words = (numbers: readonly number[]): string[] => numbers.map(String);

describe("a file that is read", () => {
  test("gives its lines in order, the last one also without its newline, and completes", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "in");
    await writeFile(path, `${text(range(50_000))}last`);
    const kept = new Keeper();
    const run = await runInARow({ read: { action: "file.read", with: { path, blockBytes: 4_096 } }, keep: kept.node });
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual([...words(range(50_000)), "last"]);
  });

  test("goes on as blocks of whole lines, which are not cut apart", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "in");
    await writeFile(path, text(range(100_000)));
    const blocks: (Block | undefined)[] = [];
    const run = await runInARow({
      read: { action: "file.read", with: { path, blockBytes: 65_536 } },
      write: { action: "file.write", with: { path: join(folder.path, "out") } },
    });
    run.tap("read", "write", ({ block }) => blocks.push(block));
    await run.ended;
    expect(blocks.reduce((sum, block) => sum + (block?.count ?? 0), 0)).toBe(100_000);
    expect(blocks.length).toBeLessThan(12);
    expect(await readFile(join(folder.path, "out"), "utf8")).toBe(text(range(100_000)));
  });

  test.each(["json", "netstrings", "frames", "bytes"])("can be of %s, as it was written", async (codec) => {
    await using folder = await testFolder();
    const path = join(folder.path, "data");
    const numbers = { action: "generate", with: { count: 1_000, template: { number: "{n}" } } };
    await (await runInARow({ numbers, write: { action: "file.write", with: { path, codec } } })).ended;
    const kept = new Keeper();
    await (await runInARow({ read: { action: "file.read", with: { path, codec } }, keep: kept.node })).ended;
    const records = kept.records.map((record) => (record instanceof Buffer ? record.toString() : JSON.stringify(record)));
    expect(records.join("")).toBe(
      range(1_000)
        .map((number) => JSON.stringify({ number }))
        .join(""),
    );
  });

  test("is read on from where the last run had come, and no record is lost when a run is cut off", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "in");
    await writeFile(path, text(range(20_000)));
    const progress = new MemoryProgress();
    const seen = new Map<string, unknown>();
    let left = 5_000;
    const stuck = new Promise<void>(() => undefined);
    const half = functionAction(async (record: unknown, { id }) => {
      if (left-- <= 0) return stuck;
      seen.set(id, record);
    });
    const read = { action: "file.read", with: { path, blockBytes: 4_096 } };
    const first = await runInARow({ read, keep: { does: half } }, { progress, commitMs: 1 });
    while (left > 0 || (await progress.load()).sources.size === 0) await turns(1);
    const { inFlight } = await first.close();
    expect(inFlight).toBeGreaterThan(0);
    const from = (await progress.load()).sources.get("read")?.sequence ?? 0;
    expect(from).toBeGreaterThan(0);

    const kept = new Keeper();
    expect((await (await runInARow({ read, keep: kept.node }, { progress })).ended).outcome).toBe("completed");
    expect(kept.records).toEqual(words(range(20_000)).slice(from));
    for (const [index, id] of kept.ids.entries()) seen.set(id, kept.records[index]);
    expect([...seen.values()].length).toBe(20_000); // what came twice came under the same id
  });

  test("fails the run when it is not there", async () => {
    const run = await runInARow({ read: { action: "file.read", with: { path: "/nowhere/at/all" } }, keep: new Keeper().node });
    expect(await run.ended).toMatchObject({ outcome: "failed", error: { code: "stream.connector" } });
  });
});

describe("a file that grows", () => {
  const follow = (path: string, more: object = {}) => ({ action: "file.read", with: { path, follow: true, ...more } });

  test("gives what is added, as whole lines", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    await writeFile(path, "one\ntw");
    const kept = new Keeper();
    await using _run = await runInARow({ read: follow(path, { pollMs: 20 }), keep: kept.node });
    await kept.has(1);
    expect(kept.records).toEqual(["one"]);
    await appendFile(path, "o\nthree\n");
    await kept.has(3);
    expect(kept.records).toEqual(["one", "two", "three"]);
  });

  test("is looked at now and then where the system tells of no change", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "later", "log");
    const clock = new VirtualClock();
    const kept = new Keeper();
    const { mkdir } = await import("node:fs/promises");
    await using _run = await runInARow({ read: follow(path, { pollMs: 500 }), keep: kept.node }, { clock });
    await turns(20);
    await mkdir(join(folder.path, "later")); // of which the watch knows nothing: the folder was not there
    await writeFile(path, "found\n");
    while (kept.records.length === 0) await clock.advance(500);
    expect(kept.records).toEqual(["found"]);
  });

  test("is read to its end after it was rotated away, and then the new one from its beginning", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    await writeFile(path, "1\n2\n");
    const kept = new Keeper();
    await using _run = await runInARow({ read: follow(path, { pollMs: 20 }), keep: kept.node });
    await kept.has(2);
    await appendFile(path, "3\n4"); // its last line has no end
    await rename(path, `${path}.1`);
    await writeFile(path, "5\n");
    await kept.has(5);
    expect(kept.records).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("is read from its beginning after it was truncated", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    await writeFile(path, "one\ntwo\n");
    const kept = new Keeper();
    await using _run = await runInARow({ read: follow(path, { pollMs: 20 }), keep: kept.node });
    await kept.has(2);
    await truncate(path);
    await appendFile(path, "3\n");
    await kept.has(3);
    expect(kept.records).toEqual(["one", "two", "3"]);
  });

  test("can be read from its end, and what is added while nothing runs is not lost", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    await writeFile(path, "old\n");
    const progress = new MemoryProgress();
    const kept = new Keeper();
    const read = follow(path, { from: "end", pollMs: 20 });
    const first = await runInARow({ read, keep: kept.node }, { progress, commitMs: 1 });
    while ((await progress.load()).sources.size === 0) await turns(1);
    await first.close();
    await appendFile(path, "new\n");
    await using _second = await runInARow({ read, keep: kept.node }, { progress });
    await kept.has(1);
    expect(kept.records).toEqual(["new"]);
  });

  test("that was rotated away between two runs is found by its inode, and its rest is read first", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    await writeFile(path, "1\n2\n");
    const progress = new MemoryProgress();
    const kept = new Keeper();
    const read = follow(path, { pollMs: 20 });
    const first = await runInARow({ read, keep: kept.node }, { progress });
    await kept.has(2);
    await first.drain();
    await appendFile(path, "3\n");
    await rename(path, `${path}.1`);
    await writeFile(path, "4\n");
    await using _second = await runInARow({ read, keep: kept.node }, { progress });
    await kept.has(4);
    expect(kept.records).toEqual(["1", "2", "3", "4"]);
  });
});

describe("a file that is written", () => {
  test("keeps what is in it, and closes a line that was torn", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "out");
    await writeFile(path, "whole\ntor");
    const numbers = { action: "generate", with: { count: 2 } };
    await (await runInARow({ numbers, write: { action: "file.write", with: { path } } })).ended;
    expect(await readFile(path, "utf8")).toBe("whole\ntor\n0\n1\n");
  });

  test("has every record before the record counts as through", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "out");
    const kept = new Keeper();
    const inFile: boolean[] = [];
    const check = functionAction(async (record: unknown) => {
      inFile.push((await readFile(path, "utf8")).split("\n").includes(String(record)));
      return record;
    });
    const numbers = { action: "generate", with: { count: 100 } };
    await (await runInARow({ numbers, write: { action: "file.write", with: { path } }, check: { does: check }, keep: kept.node }))
      .ended;
    expect(kept.records).toEqual(range(100));
    expect(inFile).toEqual(range(100).map(() => true));
  });

  test("takes the records that it can, and gives up those that are none", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "out");
    const dead: string[] = [];
    const spoil = functionAction((number: number) => (number === 3 ? "two\nlines" : String(number)));
    const run = await runInARow(
      {
        numbers: { action: "generate", with: { count: 6 } },
        spoil: { does: spoil },
        write: { action: "file.write", with: { path } },
      },
      { onDeadLetter: async ({ id }) => void dead.push(id) },
    );
    expect((await run.ended).outcome).toBe("completed");
    expect(await readFile(path, "utf8")).toBe("0\n1\n2\n4\n5\n");
    expect(dead).toEqual(["numbers:3/spoil"]);
  });

  test("is replaced as a whole when the graph completes, and has each record once although runs were cut off", async () => {
    await using folder = await testFolder();
    const source = join(folder.path, "in");
    const path = join(folder.path, "out");
    await writeFile(source, text(range(30_000)));
    await writeFile(path, "old\n");
    const progress = new MemoryProgress();
    const nodes = {
      read: { action: "file.read", with: { path: source, blockBytes: 4_096 } },
      write: { action: "file.write", with: { path, mode: "replace", maxBytes: 8_192 } },
    };
    for (let cut = 0; cut < 3; cut++) {
      const run = await runInARow(nodes, { progress, checkpointMs: 1 });
      const { sources } = await progress.load();
      const before = sources.get("read")?.sequence ?? 0;
      let now = before;
      while (now === before && run.state === "running") {
        await turns(1);
        now = (await progress.load()).sources.get("read")?.sequence ?? 0;
      }
      await turns(2);
      await run.close();
      if (run.state !== "completed") expect(await readFile(path, "utf8")).toBe("old\n");
    }
    expect((await (await runInARow(nodes, { progress })).ended).outcome).toBe("completed");
    expect(await readFile(path, "utf8")).toBe(text(range(30_000)));
  });
});
