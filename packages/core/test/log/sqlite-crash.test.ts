import { describe, expect, test } from "vitest";
import type { LogStream, Stored } from "../../src/log/log.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { ack, appendAll, consume, eventually } from "../../src/testing/log-conformance-tools.ts";
import { runFixture, testFolder } from "./child.ts";

interface Part {
  list: string;
  part: number;
}

async function readAll(stream: LogStream): Promise<Stored[]> {
  const all: Stored[] = [];
  for (;;) {
    const page = await stream.read((all.at(-1)?.sequence ?? 0) + 1, 10_000);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

describe("a log whose process is killed while it appends", () => {
  test("has every message that was acknowledged, where it was said to be, in order, none twice, and lists whole", async () => {
    await using folder = await testFolder();
    const acknowledged = new Map<string, number[]>();
    for (const round of [1, 2, 3]) {
      const child = runFixture("append-until-killed", folder.path, String(round));
      await child.said(300 * round);
      await child.kill();
      for (const line of child.lines) {
        const [list = "", sequences = ""] = line.split(" ");
        if (sequences.split(",").length === 3) acknowledged.set(list, sequences.split(",").map(Number));
      }
    }
    await using log = await openSqliteLog({ folder: folder.path });
    const stored = await readAll(await log.stream("orders"));
    const sequences = stored.map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from(sequences, (_, index) => index + 1));
    const lists = Map.groupBy(stored, ({ message }) => (message.data as Part).list);
    for (const parts of lists.values()) {
      expect(parts.map(({ message }) => (message.data as Part).part)).toEqual([0, 1, 2]);
    }
    expect(acknowledged.size).toBeGreaterThan(1_000);
    for (const [list, places] of acknowledged) {
      expect(lists.get(list)?.map(({ sequence }) => sequence)).toEqual(places);
    }
    const orders = [...lists.keys()].map((list) => list.split("-").map(Number) as [number, number, number]);
    for (const lane of Map.groupBy(orders, ([round, lane]) => `${round}-${lane}`).values()) {
      expect(lane.map(([, , n]) => n)).toEqual(lane.map((_, index) => index));
    }
  });
});

describe("a log whose process is killed while it consumes", () => {
  test("loses no message, and makes exactly one dead letter of each that was given up", async () => {
    await using folder = await testFolder();
    const numbers = Array.from({ length: 3_000 }, (_, n) => n);
    {
      await using log = await openSqliteLog({ folder: folder.path });
      await appendAll(await log.stream("orders"), numbers);
    }
    const handled = new Set<number>();
    for (const lines of [300, 500, 700]) {
      const child = runFixture("consume-until-killed", folder.path);
      await child.said(lines);
      // However busy the machine, each life leaves something behind.
      await child.saw((line) => line.startsWith("stored ") && Number(line.slice(7)) < numbers.length);
      await child.kill();
      for (const line of child.lines) if (!line.startsWith("stored ")) handled.add(Number(line.split(" ")[0]));
    }
    await using log = await openSqliteLog({ folder: folder.path });
    const stream = await log.stream("orders");
    const rest = await consume(stream, {}, (delivery) => {
      if ((delivery.message.data as number) % 50 === 7) delivery.term("hopeless");
      else ack(delivery);
    });
    await eventually("the rest to be settled", async () => (await stream.info()).messages === 0);
    for (const data of rest.data) handled.add(data as number);
    expect([...handled].toSorted((a, b) => a - b)).toEqual(numbers);
    expect(rest.all.length).toBeLessThan(3_000);
    const dead: unknown[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await log.deadLetters.list(cursor === undefined ? {} : { cursor });
      dead.push(...page.items.map(({ message }) => message.data));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(dead.map(Number).toSorted((a, b) => a - b)).toEqual(numbers.filter((n) => n % 50 === 7));
  });
});

describe("a process that leaves its log open", () => {
  test("ends when it has nothing else to do, and the log is whole", async () => {
    await using folder = await testFolder();
    expect(await runFixture("hold-open", folder.path, "idle").ended).toBe(0);
    await using log = await openSqliteLog({ folder: folder.path });
    const stored = await (await log.stream("orders")).read(0, 10);
    expect(stored.map(({ message }) => message.data)).toEqual(["kept"]);
  });

  test("keeps others out with node.data_in_use, and no longer once it was killed", async () => {
    await using folder = await testFolder();
    const child = runFixture("hold-open", folder.path, "hold");
    await child.said(1);
    await expect(openSqliteLog({ folder: folder.path })).rejects.toMatchObject({ code: "node.data_in_use" });
    await child.kill();
    await using log = await openSqliteLog({ folder: folder.path });
    expect(await log.streams()).toEqual(["orders"]);
  });
});
