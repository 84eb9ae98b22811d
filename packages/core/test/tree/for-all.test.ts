import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { Outcome } from "../../src/member/member.ts";
import { policy as policies, verdictOf } from "../../src/member/policy.ts";
import type { NodeCard } from "../../src/tree/card.ts";
import { Collector } from "../../src/tree/collect.ts";
import { FOLDS, folding, foldNamed } from "../../src/tree/fold.ts";
import { policyNamed } from "../../src/tree/for-all.ts";
import type { VisitFrame } from "../../src/tree/frames.ts";
import { type ForAllEvent, parseSelector, TREE } from "../../src/tree/index.ts";
import { grow, HostPool, type HostProcess, type RemoteNode } from "./cluster.ts";

const pool = new HostPool();

function processes(count: number): Promise<HostProcess[]> {
  return pool.take(count);
}

/** A root with `fanOut` children, and as many below each, spread over processes. */
async function tree(options: {
  fanOut: number;
  depth: number;
  hosts?: number;
}): Promise<{ root: RemoteNode; nodes: RemoteNode[]; hosts: HostProcess[] }> {
  const hosts = await processes(options.hosts ?? 2);
  const root = await (hosts[0] as HostProcess).node({ name: "root" });
  const nodes = await grow(root, hosts, { ...options, spec: { heartbeatMs: 2_000 } });
  return { root, nodes, hosts };
}

afterEach(async () => {
  await pool.giveBack();
});

afterAll(() => pool.end());

const outcomesOf = (events: readonly ForAllEvent[]): Extract<ForAllEvent, { kind: "outcome" }>[] =>
  events.filter((event) => event.kind === "outcome");

describe("for all", () => {
  test("M-33: nodes that are killed in the middle of a call are named, and nobody waits for a time that nobody gave", async () => {
    const hosts = await processes(3);
    const [first, , victims] = hosts as [HostProcess, HostProcess, HostProcess];
    const root = await first.node({ name: "root" });
    await grow(root, hosts.slice(0, 2), { fanOut: 4, depth: 2 });
    const doomed: RemoteNode[] = [];
    for (let n = 0; n < 5; n++) {
      const node = await victims.node({ name: `v${n}` });
      await root.adopt(node);
      doomed.push(node);
    }
    const running = root.events({ type: "sleep", data: { ms: 60_000, only: "v0" }, timeoutMs: 50_000 });
    await expect.poll(async () => (await doomed[0]?.seen())?.sleep ?? 0).toBe(1);
    await root.all({ type: "echo" }); // the answers of the others are home before these
    await victims.kill();
    const done = (await running).at(-1);
    expect(done).toMatchObject({ kind: "done", verdict: false });
    if (done?.kind !== "done") return;
    const unreachable = done.outcomes.filter(({ status }) => status === "unreachable");
    // Four of the five had answered at once; the one that was still at work is lost, by name.
    expect(unreachable.map(({ path }) => path)).toEqual(["/root/v0"]);
    expect(done.tally).toMatchObject({ ok: 25, unreachable: 1 });
    const after = await root.all({ type: "echo", timeoutMs: 5_000 });
    expect(after.tally).toMatchObject({ ok: 21, unreachable: 5 });
    expect(
      after.outcomes
        .filter(({ status }) => status === "unreachable")
        .map(({ path }) => path)
        .sort(),
    ).toEqual(doomed.map(({ name }) => `/root/${name}`));
  });

  test("M-33: a node that is lost takes those below it along, each by name", async () => {
    const [first, second, third] = (await processes(3)) as [HostProcess, HostProcess, HostProcess];
    const root = await first.node({ name: "root" });
    const middle = await second.node({ name: "middle" });
    await root.adopt(middle);
    const leaves: RemoteNode[] = [];
    for (let n = 0; n < 3; n++) {
      const leaf = await third.node({ name: `leaf${n}` });
      await middle.adopt(leaf);
      leaves.push(leaf);
    }
    const running = root.all({ type: "sleep", data: { ms: 60_000, only: "leaf1" }, timeoutMs: 50_000 });
    await expect.poll(async () => (await leaves[1]?.seen())?.sleep ?? 0).toBe(1);
    await second.kill();
    const { outcomes } = await running;
    expect(outcomes.find(({ path }) => path === "/root/middle/leaf1")).toMatchObject({
      status: "unreachable",
      id: leaves[1]?.id,
    });
    expect(outcomes).toHaveLength(5);
  });

  test("M-35: a selector means in the tree what it means over a list", async () => {
    const [host, other] = (await processes(2)) as [HostProcess, HostProcess];
    const root = await host.node({ name: "root", labels: { region: "eu" } });
    const regions = ["eu", "us", "asia"];
    let parent = root;
    for (let n = 0; n < 12; n++) {
      const labels = { region: regions[n % 3] as string, size: String(n) };
      const node = await (n % 2 === 0 ? host : other).node({
        name: `n${n}`,
        labels,
        version: `1.${n}`,
        types: n % 4 === 0 ? ["a.x"] : [],
      });
      await parent.adopt(node);
      if (n % 4 === 3) parent = node;
    }
    const everyone = (await root.all({ type: TREE.describe })).outcomes.map(({ value }) => (value as { card: NodeCard }).card);
    expect(everyone).toHaveLength(13);
    for (const where of [
      "region=eu & type=a.x",
      "region=eu | region=us",
      "!(region=eu)",
      "size>=5 & size<9",
      "version>1.9",
      'path="/root/*"',
      "path=/root/**/n9",
      "size",
      "name!=n3",
      "state=active & type=a.x@1",
    ]) {
      const selector = parseSelector(where);
      const expected = everyone.filter((card) => selector.matches(card)).map(({ path }) => path);
      const { outcomes } = await root.all({ type: "echo", where, policy: "best-effort" });
      expect(outcomes.map(({ path }) => path).sort(), where).toEqual(expected.sort());
    }
    await expect(root.all({ type: "echo", where: "region=eu &" })).rejects.toMatchObject({ code: "message.invalid" });
  });

  test("M-36: in batches of ten, no more than ten at a time, and an end after too many failures", async () => {
    const { root, nodes } = await tree({ fanOut: 10, depth: 2, hosts: 2 });
    const failing = nodes.slice(0, 15).map(({ name }) => name);
    const events = await root.events({
      type: "fail",
      data: failing,
      batch: 10,
      maxFailures: 3,
      skipSelf: true,
      policy: "best-effort",
    });
    expect(events.filter(({ kind }) => kind === "target")).toHaveLength(110);
    const done = events.at(-1);
    if (done?.kind !== "done") throw new Error("no result");
    const { ok, error, skipped } = done.tally;
    expect(error).toBeGreaterThan(3);
    // The first batch alone was asked.
    expect([ok + error, skipped]).toEqual([10, 100]);
    const asked = (await Promise.all(nodes.map(async (node) => (await node.seen()).fail ?? 0))).reduce((sum, n) => sum + n, 0);
    expect(asked).toBe(10);
  });

  test("M-36: canaries first, nobody after one that fails; a run that is paused asks nobody until it goes on", async () => {
    const { root, nodes } = await tree({ fanOut: 3, depth: 2, hosts: 1 });
    const first = nodes[0]?.name ?? "";
    const stopped = await root.all({ type: "fail", data: [first], canary: 1, skipSelf: true });
    expect(stopped.tally).toMatchObject({ error: 1, skipped: 11, ok: 0 });
    const running = root.all({ type: "sleep", data: { ms: 20 }, parallel: 1, operation: "paused-run", skipSelf: true });
    const count = async (): Promise<number> =>
      (await Promise.all(nodes.map(async (node) => (await node.seen()).sleep ?? 0))).reduce((sum, n) => sum + n, 0);
    await expect.poll(count).toBeGreaterThan(1);
    const at = await root.call<{ tally: { ok: number } }>({ type: TREE.control, data: { run: "paused-run", action: "pause" } });
    expect(at.tally.ok).toBeLessThan(12);
    const held = await root.call<{ tally: { ok: number } }>({ type: TREE.control, data: { run: "paused-run", action: "pause" } });
    expect(held.tally.ok - at.tally.ok).toBeLessThanOrEqual(1);
    await root.call({ type: TREE.control, data: { run: "paused-run", action: "resume" } });
    expect((await running).tally.ok).toBe(12);
  });

  test("M-37: results come while others are still at work; a reduction in the tree comes to what the list comes to", async () => {
    const { root, nodes } = await tree({ fanOut: 4, depth: 2 });
    const slow = nodes.at(-1)?.name ?? "";
    const events = await root.events({ type: "sleep", data: { ms: 300, only: slow } });
    const last = outcomesOf(events).at(-1);
    expect(last?.path.endsWith(slow)).toBe(true);
    const flat = await root.all({ type: "number" });
    const numbers = flat.outcomes.map(({ value }) => value as number);
    for (const [reduce, expected] of [
      ["sum", numbers.reduce((sum, n) => sum + n, 0)],
      ["count", 21],
      ["max", Math.max(...numbers)],
      ["min", Math.min(...numbers)],
    ] as const) {
      const reduced = await root.events({ type: "number", reduce });
      expect(reduced.at(-1)).toMatchObject({ kind: "done", value: expected, verdict: true, tally: { ok: 21 } });
      // The root hears of no single node below.
      expect(reduced).toHaveLength(1);
    }
  });

  test("M-38: an operation that comes again has no second effect, and a withdrawal reaches the lowest level", async () => {
    const [host, other] = (await processes(2)) as [HostProcess, HostProcess];
    const chain: RemoteNode[] = [];
    for (let n = 0; n < 7; n++) {
      const node = await (n % 2 === 0 ? host : other).node({ name: `n${n}` });
      await chain.at(-1)?.adopt(node);
      chain.push(node);
    }
    const [root, bottom] = [chain[0], chain[6]] as [RemoteNode, RemoteNode];
    await root.all({ type: "echo", operation: "once" });
    await root.all({ type: "echo", operation: "once" });
    expect((await bottom.seen()).echo).toBe(1);
    const running = root.all({ type: "sleep", data: { ms: 60_000 }, operation: "withdrawn", timeoutMs: 50_000 });
    await expect.poll(async () => (await bottom.seen()).sleep ?? 0).toBe(1);
    await root.call({ type: TREE.control, data: { run: "withdrawn", action: "cancel" } });
    await expect.poll(async () => (await bottom.seen()).withdrawn ?? 0, { interval: 10 }).toBe(1);
    expect((await running).tally.ok).toBe(0);
  });

  test("M-38: the time that a caller gives shrinks from level to level, so that the top can tell who was late", async () => {
    const { root, nodes } = await tree({ fanOut: 2, depth: 2, hosts: 1 });
    const slow = nodes.at(-1)?.name ?? "";
    const { outcomes, tally } = await root.all({ type: "sleep", data: { ms: 60_000, only: slow }, timeoutMs: 700 });
    expect(tally).toMatchObject({ ok: 6, timeout: 1 });
    expect(outcomes.find(({ status }) => status === "timeout")?.path.endsWith(slow)).toBe(true);
  });

  test("M-39: a dry run names who would be asked, and asks nobody; what was done is written down", async () => {
    const { root, nodes } = await tree({ fanOut: 3, depth: 2, hosts: 1 });
    const where = "name=n-1*";
    const dry = await root.all({ type: "echo", where, dryRun: true });
    const real = await root.all({ type: "echo", where, operation: "real", caller: "admin:anna" });
    expect(dry.targets?.map(({ path }) => path).sort()).toEqual(real.outcomes.map(({ path }) => path).sort());
    expect(dry.outcomes).toEqual([]);
    const asked = (await Promise.all(nodes.map(async (node) => (await node.seen()).echo ?? 0))).reduce((sum, n) => sum + n, 0);
    expect(asked).toBe(real.outcomes.length);
    const audit = await root.call<{ operation: string }[]>({ type: TREE.audit });
    expect(audit.find(({ operation }) => operation === "real")).toMatchObject({
      caller: "admin:anna",
      verb: "all",
      target: "echo where name=n-1*",
      ok: true,
      answer: { verdict: true, tally: { ok: 4 } },
    });
  });

  test("M-73: one trace spans four levels", async () => {
    const [host] = (await processes(1)) as [HostProcess];
    const chain: RemoteNode[] = [];
    for (let n = 0; n < 4; n++) {
      const node = await host.node({ name: `n${n}` });
      await chain.at(-1)?.adopt(node);
      chain.push(node);
    }
    const traceparent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
    const traced = await (chain[0] as RemoteNode).all({ type: "trace", traceparent });
    expect(traced.outcomes.map(({ value }) => String(value).slice(3, 35))).toEqual(
      Array.from({ length: 4 }, () => "ab".repeat(16)),
    );
  });
});

describe("M-34: the policy of a for-all", () => {
  const statuses = ["ok", "error", "timeout", "skipped"] as const;
  /** Every combination of up to four targets. */
  const rows = statuses.flatMap((a) => statuses.flatMap((b) => statuses.map((c) => [a, b, c] as const)));

  test.each([
    ["all", (_ok: number, failed: number) => failed === 0],
    ["any", (ok: number) => ok > 0],
    ["none", (ok: number) => ok === 0],
    ["2", (ok: number) => ok >= 2],
    ["60%", (ok: number, failed: number) => ok >= Math.ceil((ok + failed) * 0.6 - 1e-9)],
    ["best-effort", () => true],
  ] as const)("%s says what it means, whatever the targets do", (name, expected) => {
    for (const row of rows) {
      const outcomes = row.map(
        (status, n) => ({ member: String(n), status, reason: "maintenance", error: new Error("x") }) as unknown as Outcome,
      );
      const ok = row.filter((status) => status === "ok").length;
      const failed = row.filter((status) => status === "error" || status === "timeout").length;
      expect(verdictOf(policyNamed(name), outcomes), `${name} of ${row.join()}`).toBe(expected(ok, failed));
    }
  });

  test("of no targets: all is true, any is false", () => {
    expect(verdictOf(policyNamed("all"), [])).toBe(true);
    expect(verdictOf(policyNamed("any"), [])).toBe(false);
    expect(policyNamed().name).toBe(policies.all().name);
    expect(() => policyNamed("most")).toThrow(/expected all, any, none/);
  });
});

describe("M-37: a reduction is the same however the tree is cut", () => {
  const makers: Record<string, fc.Arbitrary<unknown>> = {
    count: fc.anything(),
    sum: fc.integer({ min: -1e6, max: 1e6 }),
    min: fc.integer(),
    max: fc.integer(),
    histogram: fc.constantFrom("a", "b", "__proto__", "constructor"),
    numbers: fc.dictionary(fc.constantFrom("x", "y", "__proto__"), fc.integer({ min: 0, max: 1_000 })),
  };

  test.each(Object.keys(FOLDS))("%s is associative and commutative, and no nodes are its identity", (name) => {
    const fold = foldNamed(name) as unknown as {
      identity: unknown;
      one(v: unknown): unknown;
      combine(a: unknown, b: unknown): unknown;
    };
    const maker = makers[name] as fc.Arbitrary<unknown>;
    fc.assert(
      fc.property(maker, maker, maker, (a, b, c) => {
        const [x, y, z] = [fold.one(a), fold.one(b), fold.one(c)];
        expect(fold.combine(fold.combine(x, y), z)).toEqual(fold.combine(x, fold.combine(y, z)));
        expect(fold.combine(x, y)).toEqual(fold.combine(y, x));
        expect(fold.combine(fold.identity, x)).toEqual(x);
      }),
    );
  });

  test("levels that fold what they got come to what one level comes to", () => {
    const frame = fc.record({ value: fc.integer({ min: 0, max: 100 }), fails: fc.boolean() });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.nat(20), (values, cut) => {
        const frames = values.map(
          ({ value, fails }, n) =>
            ({
              kind: "result",
              id: `${n}`,
              path: `/${n}`,
              status: fails ? "error" : "ok",
              value,
              code: "x",
              ms: 0,
            }) as VisitFrame,
        );
        const whole = folding("sum");
        for (const one of frames) whole.add(one);
        const [top, below] = [folding("sum"), folding("sum")];
        for (const one of frames.slice(cut)) below.add(one);
        for (const one of frames.slice(0, cut)) top.add(one);
        top.add({ kind: "folded", folded: below.end() });
        expect(top.end()).toEqual(whole.end());
      }),
    );
  });
});

test("a collector gives every named target one end, in whatever order frames come", () => {
  const collector = new Collector(() => undefined);
  collector.take({
    kind: "accept",
    id: "r",
    path: "/r",
    skipped: "selector",
    children: [
      { id: "a", name: "a" },
      { id: "b", name: "b" },
    ],
  });
  collector.take({ kind: "accept", id: "a", path: "/r/a", children: [{ id: "c", name: "c" }] });
  collector.take({ kind: "result", id: "a", path: "/r/a", status: "ok", value: 1, ms: 1 });
  collector.take({ kind: "lost", id: "a", path: "/r/a", status: "unreachable", code: "node.unreachable", message: "gone" });
  collector.close("timeout", "call.deadline", "late");
  expect(collector.outcomes.map(({ id, status }) => [id, status])).toEqual([
    ["a", "ok"],
    ["c", "unreachable"],
    ["b", "timeout"],
  ]);
});
