import { describe, expect, test } from "vitest";
import { Actor, child, isPanic, type PID, type Reason, Terminate } from "../src/index.ts";
import { Boss, bossOf, supervise, three } from "./boss.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");

/** Starts only after `open` was called. */
class Slow extends Actor {
  static waiting: (() => void)[] = [];
  override init(): Promise<void> {
    return new Promise((resolve) => Slow.waiting.push(resolve));
  }
}

describe("the management of children", () => {
  test("tells a disabled child apart, and does nothing twice (96)", async () => {
    const { boss, kernel, child: actor, running } = supervise();
    const b = actor("b");
    boss.disableChild("b");
    boss.disableChild("b");
    await settle();
    expect([b.ended, running()]).toEqual([["shutdown"], ["a", "c"]]);
    expect(boss.children()[1]).toMatchObject({ spec: "b", name: "b", pid: undefined, isDisabled: true });
    boss.enableChild("b");
    expect(boss.enableChild("b")).toBeUndefined();
    expect(running()).toEqual(["a", "b", "c"]);
    expect(() => boss.disableChild("x")).toThrow(code("actor.child_unknown"));
    expect(() => boss.enableChild("x")).toThrow(code("actor.child_unknown"));
    await kernel.stop();
  });

  test("does not even mark a child that does not run (96)", async () => {
    const { boss, kernel, pid, running } = supervise();
    kernel.exit(pid("b"), "normal");
    await settle();
    boss.disableChild("b");
    boss.startChild("b");
    expect(running()).toEqual(["a", "b", "c"]);
  });

  test("starts a child that is enabled while it is still being stopped once it has ended, and counts no restart (96)", async () => {
    const { boss, kernel, pid, running } = supervise({ intensity: 0 });
    let finish: () => void = () => undefined;
    kernel.send(pid("b"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    boss.disableChild("b");
    expect(boss.enableChild("b")).toBeUndefined();
    expect(() => boss.startChild("b")).toThrow(code("actor.child_running"));
    finish();
    await settle();
    expect([running(), boss.supervisorInfo()?.restarts]).toEqual([["a", "b", "c"], 0]);
  });

  test("disables and enables all instances of simple one-for-one, which are started again one by one (96)", async () => {
    const { boss } = supervise({ type: "simple_one_for_one" });
    for (let i = 0; i < 3; i++) boss.startChild("a");
    boss.startChild("b");
    boss.disableChild("a");
    await settle();
    expect(boss.children().map(({ spec, name }) => [spec, name])).toEqual([["b", undefined]]);
    expect(() => boss.startChild("a")).toThrow(code("actor.child_disabled"));
    expect(boss.enableChild("a")).toBeUndefined();
    expect(boss.children()).toHaveLength(1);
    boss.startChild("a");
    expect(boss.children().map(({ spec }) => spec)).toEqual(["a", "b"]);
  });

  test("adds with simple one-for-one only the specification (95)", () => {
    const { boss } = supervise({ type: "simple_one_for_one" });
    expect(boss.addChild({ name: "d", actor: Probe })).toBeUndefined();
    expect(boss.children()).toEqual([]);
    boss.startChild("d");
    expect(boss.children()).toMatchObject([{ spec: "d" }]);
  });

  test("adds no child that does not start, so that it can be added again (95)", () => {
    const { boss } = supervise();
    const fail = () => {
      throw boom;
    };
    expect(() => boss.addChild(child("d", Probe, { args: [fail] }))).toThrow(boom);
    boss.addChild({ name: "d", actor: Probe });
    expect(boss.children().map(({ spec }) => spec)).toEqual(["a", "b", "c", "d"]);
    expect(() => boss.addChild({ name: "e", actor: Probe, restart: { strategy: "x" as never } })).toThrow(
      code("actor.supervisor_spec"),
    );
  });

  test("is not allowed once the supervisor has ended", async () => {
    const { boss, kernel } = supervise();
    kernel.kill(boss.self);
    await settle();
    for (const act of [
      () => boss.startChild("a"),
      () => boss.disableChild("a"),
      () => boss.addChild({ name: "d", actor: Probe }),
    ]) {
      expect(act).toThrow(code("actor.not_allowed"));
    }
  });

  test("is refused in every form while a strategy is at work (103)", async () => {
    const { boss, kernel, pid } = supervise({ type: "all_for_one" });
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    const busy = code("actor.supervisor_strategy_active");
    expect(() => boss.addChild({ name: "d", actor: Probe })).toThrow(busy);
    expect(() => boss.enableChild("a")).toThrow(busy);
    expect(() => boss.disableChild("c")).toThrow(busy);
    expect(boss.supervisorInfo()?.isStrategyActive).toBe(true);
    finish();
    await settle();
    expect(boss.supervisorInfo()?.isStrategyActive).toBe(false);
  });

  test("of a start that nobody waited for holds while a strategy begins and ends", async () => {
    const { boss, kernel, pid } = supervise({ type: "all_for_one" });
    Slow.waiting = [];
    const late = boss.addChild({ name: "d", actor: Slow }) as Promise<PID>;
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    Slow.waiting[0]?.();
    const first = await late;
    finish();
    await settle();
    expect(kernel.isAlive(first)).toBe(false);
    Slow.waiting[1]?.();
    await settle();
    expect(boss.children().map(({ pid: now }) => now !== undefined && kernel.isAlive(now))).toEqual([true, true, true, true]);
  });
});

describe("while a strategy is at work", () => {
  test("only exits and inspections are read (103)", async () => {
    const { boss, kernel, pid } = supervise({ type: "all_for_one" });
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    let handled = false;
    kernel.send(
      boss.self,
      () => {
        handled = true;
      },
      "high",
    );
    await settle();
    expect(handled).toBe(false);
    expect(await kernel.inspect(boss.self)).toMatchObject({ isStrategyActive: "true" });
    finish();
    await settle();
    expect(handled).toBe(true);
  });
});

describe("the end of a supervisor", () => {
  const watched = (boss: Boss) => boss.registerEvent("e");
  const ends: [string, (on: ReturnType<typeof supervise>) => void, unknown][] = [
    ["a message handler that returns an error", ({ kernel, boss }) => kernel.send(boss.self, () => boom), boom],
    [
      "a handler that throws",
      ({ kernel, boss }) =>
        kernel.send(boss.self, () => {
          throw boom;
        }),
      expect.objectContaining({ code: "actor.panic", cause: boom }),
    ],
    ["a handler that rejects", ({ kernel, boss }) => kernel.send(boss.self, () => Promise.reject(boom)), code("actor.panic")],
    [
      "an event handler that returns an error",
      ({ boss }) => {
        const token = watched(boss);
        boss.monitorEvent("e");
        boss.sendEvent("e", token, boom);
      },
      boom,
    ],
    ["an exit of the kernel", ({ kernel, boss }) => kernel.exit(boss.self, "shutdown"), "shutdown"],
    [
      "an exit of a stranger, though it traps exits",
      ({ kernel, boss }) => {
        boss.setTrapExit(true);
        inside(kernel.spawn(Probe)).sendExit(boss.self, "normal");
      },
      "normal",
    ],
    [
      "the end of a name that it is linked to",
      ({ kernel, boss }) => {
        const other = kernel.spawn(Probe, { name: "other" });
        boss.link("other");
        kernel.exit(other, boom);
      },
      boom,
    ],
  ];
  test.each(ends)("by %s stops the children first, with the same reason (104)", async (_how, end, reason) => {
    const on = supervise();
    const children = ["a", "b", "c"].map(on.child);
    let finish: () => void = () => undefined;
    on.kernel.send(on.pid("b"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    end(on);
    await settle();
    expect([on.kernel.isAlive(on.boss.self), on.boss.reason]).toEqual([true, undefined]);
    finish();
    await settle();
    expect(on.boss.reason).toEqual(reason);
    expect(children.map(({ ended }) => ended)).toEqual([[reason], [reason], [reason]]);
    expect(on.boss.children().every(({ pid }) => pid === undefined)).toBe(true);
  });

  test("by a callback about a child is the same (104)", async () => {
    const { kernel } = stage();
    class Picky extends Boss {
      override handleChildTerminate(): Reason {
        return boom;
      }
    }
    const boss = bossOf(kernel.spawn(Picky, { args: [{ children: three, handleChildren: true }] }) as PID);
    const sibling = inside(kernel.whereIs("c") as PID);
    kernel.kill(kernel.whereIs("a") as PID);
    await settle();
    expect([boss.reason, sibling.ended]).toEqual([boom, [boom]]);
  });

  test("by a second reason keeps the first (104)", async () => {
    const { boss, kernel, pid } = supervise();
    let finish: () => void = () => undefined;
    kernel.send(pid("b"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.exit(boss.self, boom);
    await settle();
    kernel.exit(boss.self, "normal");
    await settle();
    finish();
    await settle();
    expect(boss.reason).toBe(boom);
  });

  test("during a strategy takes its place, and nothing starts again (104)", async () => {
    const { boss, kernel, pid } = supervise({ type: "all_for_one" });
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    kernel.exit(boss.self, boom);
    await settle();
    finish();
    await settle();
    expect([boss.reason, kernel.info().processes]).toEqual([boom, 0]);
  });

  test("answers a call together with an end for any reason, unlike an actor (104)", async () => {
    const { boss, kernel } = supervise();
    boss.answer = () => new Terminate(boom, "bye");
    expect(await kernel.call(boss.self, "end")).toBe("bye");
    await settle();
    expect(boss.reason).toBe(boom);
  });

  test("by a panic is told as one (104)", async () => {
    const { boss, kernel } = supervise();
    kernel.send(boss.self, () => {
      throw boom;
    });
    await settle();
    expect(isPanic(boss.reason as Reason)).toBe(true);
  });
});

describe("children that end all at once", () => {
  test("are all seen, though the mailbox of their supervisor is small", async () => {
    const { kernel } = stage();
    const spec = { type: "simple_one_for_one", children: three, strategy: "temporary", handleChildren: true } as const;
    const boss = bossOf(kernel.spawn(Boss, { args: [spec], mailboxLimit: 1 }) as PID);
    for (let i = 0; i < 50; i++) boss.startChild("a");
    await settle();
    for (const { pid } of boss.children()) kernel.kill(pid as PID);
    await settle();
    expect([boss.children(), boss.seen.filter((each) => each === "-a").length]).toEqual([[], 50]);
  });
});

describe("the inspection of a supervisor", () => {
  test("tells type, strategy, limits, counts and decisions, as data and as text", async () => {
    const { boss, clock, kernel, pid } = supervise({ intensity: 3, strategy: "transient" });
    kernel.exit(pid("a"), boom);
    await clock.advance(10);
    kernel.exit(pid("b"), "normal");
    await settle();
    expect(boss.supervisorInfo()).toMatchObject({
      type: "one_for_one",
      running: 2,
      disabled: 0,
      restarts: 1,
      restartsBySpec: { a: 1, b: 0, c: 0 },
      children: [
        { spec: "a", restarts: 1 },
        { spec: "b", pid: undefined },
        { spec: "c", restarts: 0 },
      ],
      decisions: [
        { child: "a", reason: boom, decision: "restart", timeMs: clock.now() - 10 },
        { child: "b", reason: "normal", decision: "leave", timeMs: clock.now() },
      ],
    });
    const shown = await kernel.inspect(boss.self);
    expect(shown).toMatchObject({ type: "one_for_one", strategy: "transient", intensity: "3", periodMs: "5000" });
    expect(shown).toMatchObject({ running: "2", restarts: "1", "restarts.a": "1", children: "3" });
    expect(shown.decisions).toMatch(/a restart: Error: boom\n.*b leave: normal$/);
  });

  test("keeps the last 50 decisions", async () => {
    const { boss, kernel, pid } = supervise({ intensity: 1_000 });
    for (let i = 0; i < 60; i++) {
      kernel.exit(pid("a"), new Error(`${i}`));
      await settle();
    }
    const decisions = boss.supervisorInfo()?.decisions ?? [];
    expect(decisions.map(({ reason }) => (reason as Error).message)).toEqual(Array.from({ length: 50 }, (_, i) => `${i + 10}`));
  });
});
