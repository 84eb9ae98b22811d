import { describe, expect, test } from "vitest";
import { bareReason, MailboxKept, MessageDown, type PID, type Reason } from "../src/index.ts";
import { Boss, bossOf, supervise } from "./boss.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const boom = new Error("boom");
const keeping = { name: "a", actor: Probe, options: { preserveMailbox: true } };
const blind = { name: "b", actor: Probe };

/** Holds a process in a callback, which ends by what `open` is called with. */
async function hold(on: { kernel: ReturnType<typeof stage>["kernel"] }, pid: PID): Promise<(end: () => unknown) => void> {
  let open: (end: () => unknown) => void = () => undefined;
  on.kernel.send(pid, () => new Promise<() => unknown>((resolve) => (open = resolve)).then((end) => end()));
  await settle();
  return open;
}

const ends: [string, () => unknown, boolean][] = [
  ["a panic", () => Promise.reject(boom), true],
  ["an error", () => boom, true],
  ["normal", () => "normal", false],
  ["shutdown", () => "shutdown", false],
];

describe("a child that preserves its mailbox (106)", () => {
  test.each(ends)("and ends by %s leaves the mail that waits to its replacement: %s", async (_how, end, isKept) => {
    const on = supervise({ children: [keeping, blind], strategy: "permanent" });
    const { kernel, pid, child } = on;
    const open = await hold(on, pid("a"));
    for (const message of ["n1", "n2"]) kernel.send(pid("a"), message);
    kernel.send(pid("a"), "max", "max");
    kernel.send(pid("a"), "high", "high");
    const first = child("a");
    open(end as () => unknown);
    await settle();
    expect(child("a")).not.toBe(first);
    expect(child("a").got).toEqual(isKept ? ["max", "high", "n1", "n2"] : []);
  });

  test("and is killed leaves it as well; calls are answered by the replacement, with the original caller", async () => {
    const on = supervise({ children: [keeping, blind] });
    const { kernel, pid, child } = on;
    const open = await hold(on, pid("a"));
    const call = kernel.call(pid("a"), "who");
    kernel.send("a", "waits");
    kernel.kill(pid("a"));
    open(() => undefined);
    expect(await call).toBe("who");
    expect(child("a").got).toEqual(["waits"]);
  });

  test("hands over its mail before all that the replacement sends itself in its start, and not the message in progress", async () => {
    const greet = (probe: Probe) => probe.send(probe.self, "own");
    const on = supervise({ children: [{ ...keeping, args: [greet] }, blind] });
    const { kernel, pid, child } = on;
    await settle();
    const open = await hold(on, pid("a"));
    kernel.send("a", "waits");
    open(() => boom);
    await settle();
    expect(child("a").got).toEqual(["waits", "own"]);
  });

  test("does so for each instance of simple one-for-one by itself", async () => {
    const on = supervise({ type: "simple_one_for_one", children: [keeping] });
    const { kernel, boss } = on;
    const pids = [boss.startChild("a"), boss.startChild("a")] as PID[];
    for (const [index, pid] of pids.entries()) {
      const open = await hold(on, pid);
      kernel.send(pid, index);
      open(() => boom);
    }
    await settle();
    expect(boss.children().map(({ pid }) => inside(pid as PID).got)).toEqual([[0], [1]]);
  });

  test("leaves nothing with the types that restart more than one", async () => {
    const on = supervise({ type: "all_for_one", children: [keeping, blind] });
    const open = await hold(on, on.pid("a"));
    on.kernel.send("a", "waits");
    open(() => boom);
    await settle();
    expect(on.child("a").got).toEqual([]);
  });

  test("hands on no exits, which were meant for the process that ended", async () => {
    const on = supervise({ children: [keeping, blind] });
    const open = await hold(on, on.pid("a"));
    on.kernel.exit(on.pid("a"), boom);
    on.kernel.send("a", "waits");
    open(() => boom);
    await settle();
    expect(on.child("a").got).toEqual(["waits"]);
  });

  test("tells its supervisor's callbacks and the supervisor's own end the bare reason", async () => {
    const on = supervise({ children: [keeping, blind], intensity: 0 });
    const open = await hold(on, on.pid("a"));
    on.kernel.send("a", "waits");
    open(() => boom);
    await settle();
    expect(on.boss.reason).toMatchObject({ code: "actor.exceeded", cause: boom });
    const one = supervise({ children: [keeping, blind] });
    one.kernel.exit(one.pid("a"), boom);
    await settle();
    expect(one.boss.reasons).toEqual([boom]);
  });

  test("that ends because of another does not pass the other's mail on as its own", async () => {
    const on = supervise({ children: [blind] });
    const { kernel, child } = on;
    const other = kernel.spawn(Probe, { preserveMailbox: true });
    const dependent = child("b");
    dependent.link(other);
    const open = await hold(on, other);
    kernel.send(other, "of the other");
    open(() => boom);
    await settle();
    expect(dependent.ended).toEqual([boom]);
    expect(child("b")).not.toBe(dependent);
    expect(child("b").got).toEqual([]);
  });
});

describe("the reason of a process that preserves its mailbox", () => {
  test("carries the mail for those who watch, and is the reason itself for its own terminate", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { preserveMailbox: true });
    const watcher = inside(kernel.spawn(Probe));
    watcher.monitor(pid);
    const open = await hold({ kernel }, pid);
    kernel.send(pid, "waits");
    open(() => boom);
    await settle();
    expect(inside(pid).ended).toEqual([boom]);
    const { reason } = watcher.got[0] as MessageDown;
    expect(reason).toBeInstanceOf(MailboxKept);
    expect((reason as MailboxKept).mail).toEqual([{ queue: "normal", from: kernel.core, payload: "waits" }]);
    expect(bareReason(reason)).toBe(boom);
    expect(JSON.stringify(reason)).not.toContain("waits");
  });

  test.each(["normal", "shutdown"] as Reason[])("is the bare one for %s", async (clean) => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { preserveMailbox: true });
    const watcher = inside(kernel.spawn(Probe));
    watcher.monitor(pid);
    kernel.exit(pid, clean);
    await settle();
    expect(watcher.got).toEqual([new MessageDown("pid", pid, clean)]);
  });
});

describe("supervisors below supervisors", () => {
  test("keep their supervisors informed: one that gives up is restarted with fresh children", async () => {
    const inner = { name: "inner", actor: Boss, args: [{ children: [blind], intensity: 0 }] };
    const { kernel, pid, running } = supervise({ children: [inner as never] });
    const before = pid("inner");
    kernel.kill(pid("b"));
    await settle();
    expect(running()).toEqual(["inner"]);
    expect(pid("inner")).not.toBe(before);
    expect(bossOf(pid("inner")).children()).toMatchObject([{ pid: pid("b") }]);
    expect(bossOf(before).reason).toMatchObject({ code: "actor.exceeded" });
  });
});
