import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, openTestHost, pidsOf, type TestHost } from "../fixtures/host.ts";
import { readLedger } from "../fixtures/ledger.ts";
import { countCodes, errorOf, isAlive, until } from "../fixtures/until.ts";

/** Sends messages of a bystander's type, a few at a time, until stopped. */
function bystander(node: TestHost): { stop(): Promise<{ answered: number; errors: unknown[] }>; answered(): number } {
  let stopped = false;
  let answered = 0;
  const errors: unknown[] = [];
  const work = (async () => {
    // One error is enough for the test to fail; going on after a failed one would never end.
    while (!stopped && errors.length === 0) {
      const calls = Array.from({ length: 4 }, () => node.router.call({ type: "work.quick" }));
      for (const end of await Promise.allSettled(calls)) {
        if (end.status === "fulfilled") answered++;
        else errors.push(end.reason);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    answered: () => answered,
    async stop() {
      stopped = true;
      await work;
      return { answered, errors };
    },
  };
}

async function openWithBystander(faulty: Parameters<TestHost["host"]["add"]>[0]): Promise<TestHost> {
  const node = await openTestHost();
  await Promise.all([node.host.add({ name: "working", file: fixture("working") }), node.host.add(faulty)]);
  return node;
}

describe("M-20 each processor is a separate OS process", () => {
  test("every process of every processor has a pid of its own", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "working", file: fixture("working"), processes: 2 });
    await node.host.add({ name: "faulty", file: fixture("faulty") });
    const pids = [...pidsOf(node.host, "working"), ...pidsOf(node.host, "faulty"), process.pid];
    expect(new Set(pids).size).toBe(4);
    expect(await node.router.call({ type: "faulty.ok" })).toBe(pidsOf(node.host, "faulty")[0]);
  });

  test("kill -9 of one leaves the node and the other types without an error", async () => {
    await using node = await openWithBystander({ name: "faulty", file: fixture("faulty"), restart: { backoffMs: 1 } });
    const other = bystander(node);
    const [pid = 0] = pidsOf(node.host, "faulty");
    const open = node.router.call({ type: "faulty.never" });
    await until("the call is in the process", () => node.host.info("faulty").processes[0]?.inFlight === 1);
    process.kill(pid, "SIGKILL");
    expect(await errorOf(open)).toMatchObject({ code: "processor.down" });
    const next = await until("a new process answers", () => node.router.call({ type: "faulty.ok" }).catch(() => undefined));
    expect(next).not.toBe(pid);
    const { answered, errors } = await other.stop();
    expect(errors).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  test("an endless loop in one is ended, and the other types are answered all the while", async () => {
    await using node = await openWithBystander({
      name: "faulty",
      file: fixture("faulty"),
      restart: { backoffMs: 1 },
      health: { intervalMs: 50, timeoutMs: 600_000, cancelGraceMs: 100 },
    });
    const [pid = 0] = pidsOf(node.host, "faulty");
    const other = bystander(node);
    const error = await errorOf(node.router.call({ type: "faulty.hang" }, { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: "call.deadline" });
    await until("the hanging process is gone", async () => !(await isAlive(pid)));
    await until("a new one answers", () => node.router.call({ type: "faulty.ok" }).catch(() => undefined));
    const during = other.answered();
    const { answered, errors } = await other.stop();
    expect(errors).toEqual([]);
    expect(during).toBeGreaterThan(0);
    expect(answered).toBeGreaterThanOrEqual(during);
    expect(node.events.find(({ kind }) => kind === "killed")?.text).toContain("hangs");
  });

  test("a process that answers no ping is taken to hang, even when it owes no call", async () => {
    await using node = await openWithBystander({
      name: "faulty",
      file: fixture("faulty"),
      restart: { backoffMs: 1 },
      health: { intervalMs: 20, timeoutMs: 300, cancelGraceMs: 600_000 },
    });
    const [pid = 0] = pidsOf(node.host, "faulty");
    node.router.cast({ type: "faulty.hang" });
    await until("the hanging process is gone", async () => !(await isAlive(pid)));
    expect(node.events.find(({ kind }) => kind === "killed")?.text).toContain("ping");
  });

  test("a process that allocates without end is ended at its limit, and the other types are answered all the while", async () => {
    await using node = await openWithBystander({
      name: "faulty",
      file: fixture("faulty"),
      maxMemoryBytes: 220 * 1024 * 1024,
      restart: { backoffMs: 1 },
      health: { memoryIntervalMs: 10 },
    });
    const other = bystander(node);
    const error = await errorOf(node.router.call({ type: "faulty.grow" }));
    expect(error).toMatchObject({ code: "processor.down" });
    expect(node.events.find(({ kind }) => kind === "killed")?.text).toContain("memory");
    await until("a new process answers", () => node.router.call({ type: "faulty.ok" }).catch(() => undefined));
    expect((await other.stop()).errors).toEqual([]);
  });

  test("a handler that throws, and one that exits, end their own call with a typed error", async () => {
    await using node = await openWithBystander({ name: "faulty", file: fixture("faulty"), restart: { backoffMs: 1 } });
    const thrown = await errorOf(node.router.call({ type: "faulty.throw", data: { message: "no tea left" } }));
    expect(thrown).toMatchObject({ code: "processor.failed", message: "no tea left", origin: ["faulty.0"] });
    const coded = await errorOf(node.router.call({ type: "faulty.throw", data: { code: "shop.sold_out", message: "none" } }));
    expect(coded).toMatchObject({ code: "shop.sold_out" });
    expect(await errorOf(node.router.call({ type: "faulty.exit", data: { code: 0 } }))).toMatchObject({ code: "processor.down" });
    expect(await node.router.call({ type: "work.quick" })).toBeTypeOf("number");
  });
});

describe("M-16 delivery modes: what an answer means", () => {
  test("a process that is killed with calls open gives each of them exactly one typed failure", async () => {
    await using node = await openWithBystander({ name: "faulty", file: fixture("faulty"), restart: { backoffMs: 1 } });
    const [pid = 0] = pidsOf(node.host, "faulty");
    let ends = 0;
    const calls = Array.from({ length: 20 }, () => {
      const call = node.router.call({ type: "faulty.never" });
      const count = (): void => void ends++;
      call.then(count, count);
      return call;
    });
    await until("every call is in the process", () => node.host.info("faulty").processes[0]?.inFlight === 20);
    process.kill(pid, "SIGKILL");
    const results = await Promise.allSettled(calls);
    const errors = results.map((result) => (result.status === "rejected" ? result.reason : undefined));
    expect(countCodes(errors, ["processor.down"])).toEqual({ "processor.down": 20 });
    expect(ends).toBe(20);
  });

  test("a call is not handed out a second time when its process dies: at most once", async () => {
    await using node = await openTestHost();
    const ledger = join(node.folder, "ledger");
    await node.host.add({ name: "ledger", file: fixture("ledger"), env: { FIXTURE_LEDGER: ledger }, restart: { backoffMs: 1 } });
    const call = node.router.call({ id: "only-once", type: "ledger.add", data: { n: 1, killOnFirst: true } });
    expect(await errorOf(call)).toMatchObject({ code: "processor.down" });
    await until("the next process answers", () =>
      node.router.call({ type: "ledger.add", data: { n: 2 } }).catch(() => undefined),
    );
    expect(readLedger(ledger).filter(({ id }) => id === "only-once")).toHaveLength(1);
  });

  test("a cast returns before it is handled, and a stream gives its items in order", async () => {
    await using node = await openTestHost();
    const ledger = join(node.folder, "ledger");
    await node.host.add({ name: "ledger", file: fixture("ledger"), env: { FIXTURE_LEDGER: ledger } });
    const { id } = node.router.cast({ type: "ledger.add", data: { n: 1 } });
    expect(readLedger(ledger)).toEqual([]);
    await until("it is handled", () => readLedger(ledger).some((line) => line.id === id));
    const { conformanceProcessor } = await import("../../src/testing/conformance-processor.ts");
    await node.host.add({ name: "conformance", definition: conformanceProcessor });
    const items: unknown[] = [];
    for await (const item of node.router.stream({ type: "conformance.count", data: { n: 500 } })) items.push(item);
    expect(items).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
  });
});
