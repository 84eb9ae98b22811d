import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, openTestHost, pidsOf } from "../fixtures/host.ts";
import { readLedger } from "../fixtures/ledger.ts";

describe("M-17 a pool of processes per type, with concurrency limits and fairness", () => {
  test("four processes share work that keeps a core busy: of four calls at a time, each gets one", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "working", file: fixture("working"), processes: 4 });
    const pids = new Set(pidsOf(node.host, "working"));
    expect(pids.size).toBe(4);
    for (let round = 0; round < 25; round++) {
      const calls = Array.from({ length: 4 }, () => node.router.call({ type: "work.burn", data: { rounds: 300_000 } }));
      const answers = (await Promise.all(calls)) as { pid: number; sum: number }[];
      expect(new Set(answers.map(({ pid }) => pid))).toEqual(pids);
      expect(new Set(answers.map(({ sum }) => sum)).size).toBe(1);
    }
  });

  test("no process is given more calls at a time than it asked for", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "working", file: fixture("working"), processes: 2, env: { FIXTURE_CONCURRENCY: "3" } });
    const calls = Array.from({ length: 40 }, () => node.router.call({ type: "work.slow", data: { ms: 5 } }));
    let most = 0;
    let done = false;
    const all = Promise.all(calls).finally(() => {
      done = true;
    });
    while (!done) {
      for (const { inFlight } of node.host.info("working").processes) most = Math.max(most, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });

  test("a slow type does not starve a quick one of the same processor", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "working", file: fixture("working"), env: { FIXTURE_CONCURRENCY: "4" } });
    const withdrawn = new AbortController();
    // Enough to take every place for minutes, many times over.
    const slow = Array.from({ length: 100 }, () =>
      node.router.call({ type: "work.slow", data: { ms: 600_000 } }, { timeoutMs: 600_000, signal: withdrawn.signal }),
    );
    const quick = await Promise.all(Array.from({ length: 100 }, () => node.router.call({ type: "work.quick" })));
    expect(quick).toHaveLength(100);
    withdrawn.abort();
    const ends = await Promise.allSettled(slow);
    expect(ends.every((end) => end.status === "rejected" && end.reason.code === "call.cancelled")).toBe(true);
  });

  test("a pool can be brought to more and to fewer processes while it works, without an error", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "working", file: fixture("working"), env: { FIXTURE_CONCURRENCY: "4" } });
    let stop = false;
    const stream = (async () => {
      const pids = new Set<unknown>();
      while (!stop)
        for (const pid of await Promise.all(Array.from({ length: 8 }, () => node.router.call({ type: "work.quick" }))))
          pids.add(pid);
      return pids;
    })();
    await node.host.scale("working", 3);
    expect(new Set(pidsOf(node.host, "working")).size).toBe(3);
    await node.host.scale("working", 1);
    stop = true;
    await stream;
    expect(pidsOf(node.host, "working")).toHaveLength(1);
  });
});

describe("M-18 order per key, where a type asks for it", () => {
  test("1,000 calls with each of four keys keep their order across a pool of three processes", async () => {
    await using node = await openTestHost();
    const ledger = join(node.folder, "ledger");
    await node.host.add({ name: "ledger", file: fixture("ledger"), processes: 3, env: { FIXTURE_LEDGER: ledger } });
    const keys = ["eu", "us", "asia", "africa"];
    await Promise.all(
      Array.from({ length: 4_000 }, (_, n) =>
        node.router.call({
          type: "ledger.ordered",
          subject: keys[n % keys.length] ?? "",
          data: { n: Math.floor(n / keys.length) },
        }),
      ),
    );
    const lines = readLedger(ledger);
    const expected = Array.from({ length: 1_000 }, (_, n) => n);
    for (const key of keys) expect(lines.filter(({ subject }) => subject === key).map(({ data }) => data.n)).toEqual(expected);
    expect(new Set(lines.map(({ pid }) => pid)).size).toBe(3);
  });
});
