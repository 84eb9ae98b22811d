import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import type { MetanodeError } from "../../src/errors.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { ack, appendAll, consume, eventually, messageOf } from "../../src/testing/log-conformance-tools.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { testFolder } from "./child.ts";

const FILE = "log.sqlite";

async function refusal(folder: string): Promise<MetanodeError> {
  const error = await openSqliteLog({ folder }).then(
    (log) => log.close(),
    (thrown: MetanodeError) => thrown,
  );
  if (error === undefined) throw new Error("the log opened");
  return error;
}

/** Runs SQL on a closed log. */
function tamper(folder: string, sql: string): void {
  const database = new DatabaseSync(join(folder, FILE));
  database.exec(sql);
  database.close();
}

describe("a log on SQLite", () => {
  test("makes its folder, for its user alone", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "deep", "down");
    await using log = await openSqliteLog({ folder: path });
    expect(await log.streams()).toEqual([]);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test("that is made on use is not there before something is stored, and says then why it cannot be", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "log");
    const open = () => openSqliteLog({ folder: path, makeOnUse: true });
    await using log = await open();
    expect(await log.streams()).toEqual([]);
    expect(await log.deadLetters.count()).toBe(0);
    expect(await log.deadLetters.list()).toEqual({ items: [], next: undefined });
    await expect(log.deadLetters.get("1")).rejects.toMatchObject({ code: "resource.not_found" });
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(path, "in the way");
    await expect(log.stream("orders")).rejects.toMatchObject({ code: "log.storage" });
    await rm(path);
    await (await log.stream("orders")).append(messageOf("kept"));
    await log.close();
    await using again = await open();
    expect(await again.streams()).toEqual(["orders"]);
  });

  test("refuses options that it does not know or that are out of range", async () => {
    const bad = { code: "config.invalid" };
    await expect(openSqliteLog({ folder: "" })).rejects.toMatchObject(bad);
    await expect(openSqliteLog({ folder: "x", maxFileBytes: -1 })).rejects.toMatchObject(bad);
    await expect(openSqliteLog({ folder: "x", maxBytes: 1 } as never)).rejects.toMatchObject(bad);
  });

  test("can be open once at a time, also within one process", async () => {
    await using folder = await testFolder();
    await using first = await openSqliteLog({ folder: folder.path });
    expect(await refusal(folder.path)).toMatchObject({ code: "node.data_in_use" });
    await first.stream("orders");
  });

  test("reads what was appended far faster than it could be consumed, page by page, large messages too", async () => {
    await using folder = await testFolder();
    await using log = await openSqliteLog({ folder: folder.path });
    const stream = await log.stream("orders");
    const data = Array.from({ length: 40 }, (_, n) => String(n).padEnd(400_000, "."));
    await appendAll(stream, data);
    expect((await stream.read(0, 100)).map(({ message }) => message.data)).toEqual(data);
    const deliveries = await consume(stream, { maxInFlight: 1 }, ack);
    await deliveries.number(40);
    expect(deliveries.data).toEqual(data);
  });
});

describe("the memory of duplicates", () => {
  test("is let go in the course of further appends, so that it stays within two windows or so", async () => {
    await using folder = await testFolder();
    const clock = new VirtualClock();
    const log = await openSqliteLog({ folder: folder.path, clock });
    const stream = await log.stream("orders", { dedupWindowMs: 1_000, keep: "by-limits", maxMessages: 10 });
    const last = messageOf("last");
    for (let n = 0; n < 60; n++) {
      await appendAll(
        stream,
        Array.from({ length: 50 }, (_, index) => index),
      );
      await clock.advance(100);
    }
    await stream.append(last);
    expect((await stream.append(last)).duplicate).toBe(true);
    await log.close();
    const database = new DatabaseSync(join(folder.path, FILE));
    const { keys } = database.prepare("SELECT count(*) AS keys FROM dedup").get() as { keys: number };
    database.close();
    expect(keys).toBeLessThan(1_100); // 500 in a window, 3_001 in all
  });
});

describe("a database that cannot be used", () => {
  test("of a newer schema is refused with both versions named, and is left as it is", async () => {
    await using folder = await testFolder();
    await (await openSqliteLog({ folder: folder.path })).close();
    tamper(folder.path, "PRAGMA user_version = 99");
    const error = await refusal(folder.path);
    expect(error).toMatchObject({ code: "log.storage", retryable: false, details: { found: 99, expected: 1 } });
    expect(error.message).toContain("newer program");
    tamper(folder.path, "PRAGMA user_version = 1");
    await (await openSqliteLog({ folder: folder.path })).close();
  });

  test("of another program is refused", async () => {
    await using folder = await testFolder();
    tamper(folder.path, "CREATE TABLE theirs (a)");
    expect(await refusal(folder.path)).toMatchObject({ code: "log.storage", retryable: false });
  });

  test("that is no database is refused as damaged", async () => {
    await using folder = await testFolder();
    await writeFile(join(folder.path, FILE), "this is not SQLite ".repeat(1_000));
    const error = await refusal(folder.path);
    expect(error).toMatchObject({ code: "log.storage", retryable: false });
    expect(error.message).toContain("restore it from a copy");
  });

  test("that is damaged inside is refused as damaged", async () => {
    await using folder = await testFolder();
    const log = await openSqliteLog({ folder: folder.path });
    await appendAll(
      await log.stream("orders"),
      Array.from({ length: 500 }, (_, n) => n),
    );
    await log.close();
    const file = join(folder.path, FILE);
    const bytes = await readFile(file);
    bytes.fill(0xaa, 1_024); // all but the header of the first page
    await writeFile(file, bytes);
    expect(await refusal(folder.path)).toMatchObject({ code: "log.storage", retryable: false });
  });

  test("because its folder is a file is refused with log.storage", async () => {
    await using folder = await testFolder();
    const path = join(folder.path, "file");
    await writeFile(path, "");
    expect(await refusal(path)).toMatchObject({ code: "log.storage" });
  });

  test("because it is a folder itself is refused with log.storage", async () => {
    await using folder = await testFolder();
    await mkdir(join(folder.path, FILE));
    expect(await refusal(folder.path)).toMatchObject({ code: "log.storage" });
  });
});

describe("a log whose disk has less room than is to be kept free", () => {
  test("refuses appends with log.storage and still lets what it holds be consumed and removed", async () => {
    await using folder = await testFolder();
    const roomy = await openSqliteLog({ folder: folder.path });
    await appendAll(await roomy.stream("orders"), ["a", "b"]);
    await roomy.close();
    await using log = await openSqliteLog({ folder: folder.path, minFreeBytes: 2 ** 52 });
    const stream = await log.stream("orders");
    const low = { code: "log.storage", retryable: true, details: { minFreeBytes: 2 ** 52 } };
    await expect(stream.append(messageOf("c"))).rejects.toMatchObject(low);
    await expect(stream.append([messageOf("c"), messageOf("d")])).rejects.toMatchObject(low);
    const deliveries = await consume(stream, {}, ack);
    await deliveries.number(2);
    await eventually("all to be removed", async () => (await stream.info()).messages === 0);
    expect(deliveries.data).toEqual(["a", "b"]);
  });
});

describe("a log that has no more room on its disk", () => {
  const message = (n: number) => messageOf(String(n).padEnd(50_000, "."));

  test("refuses appends with log.storage, has all that it accepted, and takes more once there is room", async () => {
    await using folder = await testFolder();
    await using log = await openSqliteLog({ folder: folder.path, maxFileBytes: 1_048_576 });
    const stream = await log.stream("orders");
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, group) => stream.append([0, 1, 2, 3, 4].map((n) => message(group * 5 + n)))),
    );
    // Sent together they are one commit, which does not fit: none of it is stored.
    expect(results.every((result) => result.status === "rejected" && result.reason.code === "log.storage")).toBe(true);
    expect((await stream.info()).messages).toBe(0);

    let accepted = 0;
    let refused: MetanodeError | undefined;
    while (refused === undefined) {
      await stream.append(message(accepted)).then(
        () => accepted++,
        (error: MetanodeError) => {
          refused = error;
        },
      );
    }
    expect(refused).toMatchObject({ code: "log.storage", retryable: true });
    expect(refused.message).toContain("make room");
    expect(accepted).toBeGreaterThan(5);
    const stored = await stream.read(0, 100);
    expect(stored.map(({ message }) => Number.parseInt(message.data as string, 10))).toEqual(stored.map((_, n) => n));
    expect(stored).toHaveLength(accepted);

    const deliveries = await consume(stream, {}, ack);
    await deliveries.number(accepted);
    await eventually("room", async () => (await stream.info()).messages === 0);
    const { sequence } = await stream.append(message(99));
    expect(sequence).toBe(accepted + 1);
    expect(Number.parseInt((await deliveries.number(accepted + 1)).message.data as string, 10)).toBe(99);
  });
});
