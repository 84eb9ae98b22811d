import { spawn } from "node:child_process";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createNode } from "../../src/node/node.ts";
import { processors } from "../../src/node/processors.ts";
import type { ProcessorSpec } from "../../src/processor/options.ts";
import { fixture, pidsOf, temporaryFolder } from "../fixtures/host.ts";
import { readLedger } from "../fixtures/ledger.ts";
import { openTestNode } from "../fixtures/node.ts";
import { until } from "../fixtures/until.ts";

function ledgerSpec(file: string, more: Partial<ProcessorSpec> = {}): ProcessorSpec {
  return {
    name: "ledger",
    file: fixture("ledger"),
    env: { FIXTURE_LEDGER: file },
    restart: { backoffMs: 1, maxBackoffMs: 10 },
    ...more,
  };
}

const QUICK_RETRY = { durable: { backoffMs: [1] } };

describe("M-16 a durable send is handled at least once, and duplicates carry the same id", () => {
  test("killed after its work and before its answer, a message comes again after the restart, with the same id and the next attempt", async () => {
    await using one = await openTestNode((file) => [ledgerSpec(file)], QUICK_RETRY);
    const { id, duplicate } = await one.node.send({ id: "m1", type: "ledger.add", data: { n: 1, killOnFirst: true } });
    expect({ id, duplicate }).toEqual({ id: "m1", duplicate: false });
    const lines = await until("it was handled twice", () => {
      const found = one.ledger();
      return found.length === 2 ? found : undefined;
    });
    expect(lines.map((line) => [line.id, line.attempt])).toEqual([
      ["m1", 1],
      ["m1", 2],
    ]);
    expect(lines[0]?.pid).not.toBe(lines[1]?.pid);
    await until("it is settled", async () => (await one.node.backlog())["ledger.add"] === 0);
    expect(await one.node.deadLetters.count()).toBe(0);
  });

  test("sends with the same idempotency key are handled once, whatever their ids", async () => {
    await using one = await openTestNode((file) => [ledgerSpec(file)]);
    const sends = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        one.node.send({ id: `try-${n}`, type: "ledger.add", idempotencykey: "order-7", data: { n } }),
      ),
    );
    expect(sends.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(sends.map(({ sequence }) => sequence)).size).toBe(1);
    await one.node.send({ id: "last", type: "ledger.add", data: { n: 99 } });
    await until("all are settled", async () => (await one.node.backlog())["ledger.add"] === 0);
    expect(one.ledger().map(({ data }) => data.n)).toHaveLength(2);
  });

  test("the same id sent again is known as a duplicate, also while it is being handled anew after a crash", async () => {
    await using one = await openTestNode((file) => [ledgerSpec(file)], QUICK_RETRY);
    await one.node.send({ id: "m1", type: "ledger.add", data: { n: 1, killOnFirst: true } });
    expect(await one.node.send({ id: "m1", type: "ledger.add", data: { n: 1 } })).toMatchObject({ duplicate: true });
    await until("it is settled", async () => (await one.node.backlog())["ledger.add"] === 0);
    expect(one.ledger().map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test("a message that fails every time becomes a dead letter with its reason, and gets its attempts anew when it is replayed", async () => {
    await using one = await openTestNode(() => [{ name: "faulty", file: fixture("faulty") }], {
      durable: { maxAttempts: 3, backoffMs: [1] },
    });
    await one.node.send({ id: "m1", type: "faulty.throw", data: { code: "shop.sold_out", message: "no tea left" } });
    await until("it is a dead letter", async () => (await one.node.deadLetters.count()) === 1);
    const [letter] = (await one.node.deadLetters.list()).items;
    expect(letter).toMatchObject({
      attempts: 3,
      error: { code: "shop.sold_out", message: "no tea left" },
      message: { id: "m1" },
    });
  });

  test("while its processor is down a message waits, and that costs no attempt", async () => {
    await using one = await openTestNode(
      (file) => [ledgerSpec(file, { restart: { backoffMs: 1, quarantineAfter: 1, quarantineMs: 600_000 } })],
      {
        durable: { maxAttempts: 2, backoffMs: [1] },
      },
    );
    const [pid = 0] = pidsOf(one.module.host, "ledger");
    process.kill(pid, "SIGKILL");
    await until("it is quarantined", () => one.module.host.info("ledger").processes[0]?.state === "quarantined");
    await one.node.send({ id: "m1", type: "ledger.add", data: { n: 1 } });
    await one.module.host.restart("ledger");
    const lines = await until("it is handled", () => (one.ledger().length > 0 ? one.ledger() : undefined));
    expect(lines.map(({ id, attempt }) => ({ id, attempt }))).toEqual([{ id: "m1", attempt: 1 }]);
  });

  test("what a node accepted before its kill -9 is handled by the next one on the same folder", async () => {
    await using folder = await temporaryFolder();
    const data = join(folder.path, "data");
    const ledger = join(folder.path, "ledger");
    const doomed = spawn(process.execPath, [fixture("node-main"), data, ledger, "300"], { stdio: ["ignore", "pipe", "inherit"] });
    const accepted = await firstLine(doomed.stdout);
    expect(accepted).toHaveLength(300);
    const before = readLedger(ledger).length;
    const exited = new Promise((resolve) => doomed.once("exit", resolve));
    doomed.kill("SIGKILL");
    await exited;
    expect(before).toBeLessThan(300);

    const module = processors([ledgerSpec(ledger)]);
    await using next = await createNode({ name: "next", folder: data, modules: [module], logger: pino({ level: "silent" }) });
    await until("everything accepted was handled", () => new Set(readLedger(ledger).map(({ id }) => id)).size === 300);
    await until("all are settled", async () => (await next.backlog())["ledger.add"] === 0);
    expect(new Set(readLedger(ledger).map(({ id }) => id))).toEqual(new Set(accepted));
    expect(await next.deadLetters.count()).toBe(0);
  });
});

describe("M-18 order per key, where a type asks for it", () => {
  test("1,000 durable messages per key keep their order across a pool, also when one of its processes is killed", async () => {
    await using one = await openTestNode((file) => [ledgerSpec(file, { processes: 3 })], QUICK_RETRY);
    const keys = ["eu", "us"];
    const send = (n: number): Promise<unknown> =>
      one.node.send({ type: "ledger.ordered", subject: keys[n % 2] ?? "", data: { n: Math.floor(n / 2) } });
    const sends = Array.from({ length: 2_000 }, (_, n) => send(n));
    await until("some are handled", () => one.ledger().length > 50);
    process.kill(pidsOf(one.module.host, "ledger")[0] ?? 0, "SIGKILL");
    await Promise.all(sends);
    await until("all are settled", async () => (await one.node.backlog())["ledger.ordered"] === 0);
    const expected = Array.from({ length: 1_000 }, (_, n) => n);
    for (const key of keys) {
      const numbers = one
        .ledger()
        .filter(({ subject }) => subject === key)
        .map(({ data }) => data.n);
      // Handled again is allowed, out of order is not: the last of each number, and no step back by more than a repetition.
      expect(numbers.filter((n, index) => n !== numbers[index - 1])).toEqual(expected);
    }
  });
});

async function firstLine(output: AsyncIterable<unknown>): Promise<string[]> {
  let text = "";
  for await (const chunk of output) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return JSON.parse(text) as string[];
}
