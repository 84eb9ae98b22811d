import { createMemoryLog } from "@metanode/core/log";
import { describe, expect, test, vi } from "vitest";
import { GraphStore } from "../../src/deployment/store.ts";
import { compileGraph, functionAction, GraphRun, graphHash } from "../../src/index.ts";
import { NumberSource, range } from "../run/counting.ts";
import { testFolder } from "../tools/folder.ts";
import { batches, echo, kill, underLoad } from "./ledger.ts";

/*
 * Each test breaks something on purpose while records flow, then closes the book: what the source handed over, less what came
 * to the sink, is nothing. What came twice is bounded.
 */

const three = [echo("one"), echo("two"), echo("three")];

describe("a graph whose programs are killed", () => {
  test("one of them, again and again: nothing is lost, and what it had answered does not come again", async () => {
    const load = await underLoad(three);
    for (let round = 0; round < 4; round++) {
      load.give(500);
      kill(await load.pidOf("two"));
    }
    load.give(500);
    await load.balance({ maxDuplicates: 0 });
  }, 40_000);

  test("two that stand next to each other", async () => {
    const load = await underLoad(three);
    for (let round = 0; round < 3; round++) {
      load.give(500);
      const pids = [await load.pidOf("two"), await load.pidOf("three")];
      for (const pid of pids) kill(pid);
    }
    load.give(100);
    await load.balance({ maxDuplicates: 0 });
  }, 40_000);

  test("all of them but the source", async () => {
    const load = await underLoad(three);
    for (let round = 0; round < 3; round++) {
      load.give(500);
      const pids = await Promise.all(three.map(({ name }) => load.pidOf(name)));
      for (const pid of pids) kill(pid);
    }
    load.give(100);
    await load.balance({ maxDuplicates: 0 });
  }, 40_000);

  test("while they run over batches, alone and joined: at most a run comes twice", async () => {
    for (const fuse of [false, true]) {
      const load = await underLoad([batches("one", { fuse }), batches("two", { fuse })]);
      for (let round = 0; round < 3; round++) {
        load.give(500);
        kill(await load.pidOf("one"));
      }
      load.give(100);
      await load.balance({ maxDuplicates: 1_600 });
    }
  }, 60_000);
});

describe("a graph with a program that misbehaves", () => {
  test("is wedged: it is ended when the time for its record is over, and the record is tried again", async () => {
    const wedge = `
      const fs = require("fs");
      require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
        if (line === "100" && !fs.existsSync(process.env.MARK)) { fs.writeFileSync(process.env.MARK, ""); for (;;); }
        fs.writeSync(1, line + "\\n");
      });
    `;
    const env = { MARK: `${testFolder()}/mark` };
    const command = [process.execPath, "-e", wedge];
    const load = await underLoad([echo("one"), echo("wedged", { command, env, timeoutMs: 500, attempts: 3 })]);
    load.give(300);
    await load.balance({ maxDuplicates: 0 });
    expect(load.status().nodes.find(({ name }) => name === "wedged")?.counts.restarts).toBe(1);
  }, 40_000);

  test("dies of one record: that one is a dead letter, the others are through", async () => {
    const command = [
      process.execPath,
      "-e",
      `require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
         if (line === "77") process.exit(9);
         require("fs").writeSync(1, line + "\\n");
       });`,
    ];
    const load = await underLoad([echo("picky", { command, attempts: 2 })]);
    load.give(200);
    await vi.waitFor(() => expect(new Set(load.arrived()).size).toBe(199), 20_000);
    await vi.waitFor(async () => expect(await load.log.deadLetters.count()).toBe(1));
    const [letter] = (await load.log.deadLetters.list()).items;
    expect(letter?.message.data).toBe(77);
    expect(load.arrived()).not.toContain("77");
  }, 40_000);

  test("announces a record of 4 GiB: a typed error, and no memory is taken for it", async () => {
    const command = [
      process.execPath,
      "-e",
      `process.stdin.once("data", () => process.stdout.write(Buffer.from("ffffffff", "hex")))`,
    ];
    const before = process.memoryUsage().rss;
    const load = await underLoad([echo("huge", { command, codec: "frames", attempts: 1 })]);
    load.give(1);
    await vi.waitFor(async () => expect(await load.log.deadLetters.count()).toBe(1), 10_000);
    const [letter] = (await load.log.deadLetters.list()).items;
    expect(letter?.error.message).toContain("4294967295 bytes");
    expect(process.memoryUsage().rss - before).toBeLessThan(1_024 ** 3);
  }, 20_000);
});

describe("a graph whose storage fails", () => {
  test("ends its run when progress cannot be stored, and goes on from the last that was, once it can", async () => {
    const store = new GraphStore(`${testFolder()}/streams.sqlite`);
    const { graph } = compileGraph({ name: "g", expression: "numbers; keep" });
    store.put("g", { graph, hash: graphHash(graph), document: {}, atMs: 0 });
    const seen: number[] = [];
    let isFull = false;
    const run = async (source: NumberSource) => {
      const epoch = store.nextEpoch("g");
      const progress = store.progressOf("g", epoch);
      const actions = new Map([
        ["numbers", { source: () => source }],
        ["keep", functionAction((number: number) => void seen.push(number))],
      ]);
      const commit: typeof progress.commit = async (one) => {
        if (isFull) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "stream.storage" });
        await progress.commit(one);
      };
      return GraphRun.open({ graph, actions, folder: ".", epoch, commitMs: 1, progress: { load: progress.load, commit } });
    };
    const source = new NumberSource();
    const first = await run(source);
    source.give(50);
    await vi.waitFor(() => expect(source.committed.at(-1)).toBe("50"));
    isFull = true;
    source.give(50);
    expect(await first.ended).toMatchObject({ outcome: "failed", error: { code: "stream.storage" } });
    isFull = false;
    const again = new NumberSource();
    again.give(200);
    again.finish();
    expect((await (await run(again)).ended).outcome).toBe("completed");
    expect([...new Set(seen)]).toEqual(range(200));
    expect(seen.length - 200).toBeLessThanOrEqual(50);
  });

  test("waits where a buffer in the log is full, and loses nothing", async () => {
    const log = createMemoryLog();
    await log.stream("graph.load.slow.buffer", { maxMessages: 5 });
    const held: (() => void)[] = [];
    const functions = { slow: (number: number) => new Promise<number>((resolve) => held.push(() => resolve(number))) };
    const load = await underLoad([{ name: "slow", buffer: "durable" }], { services: { log }, functions });
    load.give(200);
    await vi.waitFor(() => expect(load.streams.get("load").state).not.toBe("running"), 10_000);
    expect(load.streams.get("load").reason).toMatch(/has no room/);
    const free = setInterval(() => {
      for (const release of held.splice(0)) release();
    }, 1);
    await log.stream("graph.load.slow.buffer", { maxMessages: 1_000 });
    await load.balance({ maxDuplicates: 200 });
    clearInterval(free);
  }, 40_000);
});

describe("an older run that did not notice", () => {
  test("is fenced: what it stores is refused, and it ends", async () => {
    const store = new GraphStore(`${testFolder()}/streams.sqlite`);
    const { graph } = compileGraph({ name: "g", expression: "numbers; keep" });
    store.put("g", { graph, hash: graphHash(graph), document: {}, atMs: 0 });
    const open = async (source: NumberSource) => {
      const epoch = store.nextEpoch("g");
      const actions = new Map([
        ["numbers", { source: () => source }],
        ["keep", functionAction(() => undefined)],
      ]);
      return GraphRun.open({ graph, actions, folder: ".", epoch, commitMs: 1, progress: store.progressOf("g", epoch) });
    };
    const [old, young] = [new NumberSource(), new NumberSource()];
    const zombie = await open(old);
    const successor = await open(young);
    old.give(10);
    young.give(20);
    expect(await zombie.ended).toMatchObject({ outcome: "failed", error: { code: "stream.fenced" } });
    await vi.waitFor(() => expect(young.committed.at(-1)).toBe("20"));
    await successor.close();
  });
});

test("an expression of 10,000 nodes becomes a graph that runs", async () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `s${index}`);
  const { graph } = compileGraph({ name: "long", expression: names.join("; ") });
  const pass = functionAction((record: unknown) => record);
  let arrived = 0;
  const source = new NumberSource();
  source.give(10);
  source.finish();
  const actions = new Map(graph.nodes.map(({ name }) => [name, pass] as const));
  actions.set("s0", { source: () => source });
  actions.set(
    "s9999",
    functionAction(() => void arrived++),
  );
  const run = await GraphRun.open({ graph, actions, folder: "." });
  expect((await run.ended).outcome).toBe("completed");
  expect(arrived).toBe(10);
}, 30_000);
