import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ChildInfo, type PID, type Reason, Supervisor, type SupervisorSpec } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");
const three = ["a", "b", "c"].map((name) => ({ name, actor: Probe }));

let last: Boss;
class Boss extends Supervisor {
  readonly seen: string[] = [];
  reason: Reason | undefined;
  override init(spec: SupervisorSpec): SupervisorSpec {
    last = this;
    return spec;
  }
  override handleChildStart(name: string): void {
    this.seen.push(`+${name}`);
  }
  override handleChildTerminate(name: string): void {
    this.seen.push(`-${name}`);
  }
  override terminate(reason: Reason): void {
    this.reason = reason;
  }
}

function supervise(spec: Partial<SupervisorSpec> = {}) {
  const on = stage();
  on.kernel.spawn(Boss, { args: [{ children: three, handleChildren: true, ...spec }] });
  const boss = last;
  const pid = (name: string): PID => on.kernel.whereIs(name) as PID;
  return { ...on, boss, pid, pids: () => three.map(({ name }) => pid(name)) };
}

describe("94 a supervisor", () => {
  test("starts its children under their names in order, and refuses wrong starts", async () => {
    const { boss, pid, kernel } = supervise();
    await settle();
    expect(boss.seen).toEqual(["+a", "+b", "+c"]);
    expect(() => boss.startChild("a")).toThrow(code("actor.child_running"));
    expect(() => boss.startChild("x")).toThrow(code("actor.child_unknown"));
    boss.disableChild("a");
    await settle();
    expect(kernel.whereIs("a")).toBeUndefined();
    expect(() => boss.startChild("a")).toThrow(code("actor.child_disabled"));
    boss.enableChild("a");
    expect(pid("a")).toBeDefined();
  });
});

describe("95 addChild", () => {
  test("appends and starts; a second child of the name is actor.child_duplicate", () => {
    const { boss, pid } = supervise();
    boss.addChild({ name: "d", actor: Probe });
    expect(boss.children().map(({ spec }) => spec)).toEqual(["a", "b", "c", "d"]);
    expect(pid("d")).toBeDefined();
    expect(() => boss.addChild({ name: "d", actor: Probe })).toThrow(code("actor.child_duplicate"));
  });
});

describe("97 all-for-one", () => {
  test("stops the siblings, last to first with keepOrder, and starts all in order", async () => {
    const { boss, kernel, pids } = supervise({ type: "all_for_one", keepOrder: true });
    const before = pids();
    kernel.exit(before[1] as PID, boom);
    await settle();
    expect(boss.seen).toEqual(["+a", "+b", "+c", "-b", "-c", "-a", "+a", "+b", "+c"]);
    for (const pid of before) expect(inside(pid).ended).toEqual([boom]);
    expect(pids()).not.toContain(undefined);
  });
});

describe("98 rest-for-one", () => {
  test("restarts only the later siblings along", async () => {
    const { kernel, pids } = supervise({ type: "rest_for_one" });
    const before = pids();
    kernel.kill(before[1] as PID);
    await settle();
    const after = pids();
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(after[2]).not.toBe(before[2]);
  });
});

describe("one-for-one", () => {
  test("restarts only the child that ended", async () => {
    const { kernel, pids } = supervise();
    const before = pids();
    kernel.kill(before[1] as PID);
    await settle();
    const after = pids();
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(after[1]?.id).toBeGreaterThan(before[1]?.id as number);
  });

  test("ends every sibling and itself when restarts exceed the intensity", async () => {
    const { boss, kernel, pid } = supervise({ intensity: 2 });
    const sibling = inside(pid("a"));
    for (let i = 0; i < 3; i++) {
      kernel.kill(pid("b"));
      await settle();
    }
    expect(boss.reason).toEqual(code("actor.exceeded"));
    expect(sibling.ended).toEqual([code("actor.exceeded")]);
    expect(kernel.info().processes).toBe(0);
  });
});

describe("99 a significant child", () => {
  const children = [{ name: "a", actor: Probe, significant: true }, ...three.slice(1)];
  const cases: [SupervisorSpec["strategy"], Reason, boolean][] = [
    ["transient", "normal", true],
    ["transient", boom, false],
    ["temporary", boom, true],
    ["permanent", "normal", false],
  ];
  test.each(cases)("under %s that ends with %s ends the supervisor: %s", async (strategy, reason, isOver) => {
    const { boss, kernel, pid } = supervise({ children, strategy: strategy as "transient" });
    kernel.exit(pid("a"), reason);
    await settle();
    expect(boss.reason).toBe(isOver ? reason : undefined);
    expect(kernel.info().processes).toBe(isOver ? 0 : 4);
  });
});

describe("101 automatic shutdown", () => {
  test.each([true, false])("ends the supervisor after its last child only while it is on: %s", async (autoShutdown) => {
    const { boss, kernel, pids } = supervise({ autoShutdown });
    for (const pid of pids()) kernel.exit(pid, "normal");
    await settle();
    expect(boss.reason).toBe(autoShutdown ? "normal" : undefined);
  });
});

describe("102 simple one-for-one", () => {
  test("starts instances on demand; each restarts with its own arguments", async () => {
    const seen: number[] = [];
    const { boss, kernel } = supervise({ type: "simple_one_for_one" });
    expect(kernel.info().processes).toBe(1);
    for (const n of [1, 2]) boss.startChild("a", () => seen.push(n));
    expect(boss.children()).toHaveLength(2);
    kernel.kill(boss.children()[1]?.pid as PID);
    await settle();
    expect(seen).toEqual([1, 2, 2]);
    expect(boss.children()).toHaveLength(2);
  });
});

describe("103 while a strategy is at work", () => {
  test("management is refused with actor.supervisor_strategy_active", async () => {
    const { boss, kernel, pid } = supervise({ type: "all_for_one" });
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    expect(() => boss.startChild("a")).toThrow(code("actor.supervisor_strategy_active"));
    finish();
    await settle();
    expect(boss.seen).toEqual(["+a", "+b", "+c", "-a", "-b", "-c", "+a", "+b", "+c"]);
  });
});

describe("the end of a supervisor", () => {
  test("comes after that of all its children, with the same reason", async () => {
    const { boss, kernel, pids } = supervise();
    const before = pids();
    kernel.exit(boss.self, boom);
    await settle();
    for (const pid of before) expect(inside(pid).ended).toEqual([boom]);
    expect(boss.reason).toBe(boom);
  });

  test("kills a child whose urgent queue has no room for its exit", async () => {
    const children = [{ name: "a", actor: Probe, options: { mailboxLimit: 1 } }];
    const { boss, kernel, pid } = supervise({ children });
    let finish: () => void = () => undefined;
    const child = inside(pid("a"));
    kernel.send(pid("a"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.send(pid("a"), "waits", "max");
    kernel.exit(boss.self, boom);
    await settle();
    finish();
    await settle();
    expect(child.ended).toEqual(["kill"]);
    expect(boss.reason).toBe(boom);
  });

  test("by a kill takes the children along", async () => {
    const { boss, kernel } = supervise();
    kernel.kill(boss.self);
    await settle();
    expect(kernel.info().processes).toBe(0);
  });
});

describe("any order of kills and exits", () => {
  test("leaves every permanent child running, once, or nothing at all", async () => {
    const type = fc.constantFrom("one_for_one" as const, "all_for_one" as const, "rest_for_one" as const);
    const faults = fc.array(fc.tuple(fc.nat(2), fc.boolean(), fc.boolean()), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(type, fc.boolean(), fc.integer({ min: 3, max: 40 }), faults, async (kind, keepOrder, intensity, list) => {
        const { boss, kernel, pid } = supervise({ type: kind, keepOrder, intensity, strategy: "permanent" });
        for (const [which, isKill, waits] of list) {
          const target = pid(["a", "b", "c"][which] as string);
          if (target !== undefined && kernel.isAlive(target)) isKill ? kernel.kill(target) : kernel.exit(target, "normal");
          if (waits) await settle();
        }
        await settle();
        const running = boss.children().map(({ pid: child }: ChildInfo) => child);
        expect(kernel.info().processes).toBe(boss.reason === undefined ? 4 : 0);
        if (boss.reason === undefined) expect(running).toEqual(["a", "b", "c"].map(pid));
      }),
      { numRuns: 100 },
    );
  });
});
