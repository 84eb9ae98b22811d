import { describe, expect, test } from "vitest";
import { child, type PID, type Reason } from "../src/index.ts";
import { Boss, bossOf, supervise, three } from "./boss.ts";
import { inside, Probe, settle } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");
const alone = (more = {}) => [{ name: "a", actor: Probe, ...more }];

describe("a strategy", () => {
  const reasons: Reason[] = ["normal", "shutdown", "kill", boom];
  const cases = (["transient", "temporary", "permanent"] as const).flatMap((strategy) =>
    reasons.map((reason): [string, Reason, boolean] => [
      strategy,
      reason,
      strategy === "permanent" || (strategy === "transient" && (reason === "kill" || reason === boom)),
    ]),
  );
  test.each(cases)("%s after an end by %s restarts the child: %s (96)", async (strategy, reason, isRestarted) => {
    const { kernel, pid, running } = supervise({ strategy: strategy as "transient" });
    const before = pid("b");
    reason === "kill" ? kernel.kill(before) : kernel.exit(before, reason);
    await settle();
    expect(running()).toEqual(isRestarted ? ["a", "b", "c"] : ["a", "c"]);
    expect(pid("b")).not.toBe(before);
  });

  test("of a child goes before that of its supervisor (105)", async () => {
    const children = [
      { name: "a", actor: Probe, restart: { strategy: "temporary" } as const },
      { name: "b", actor: Probe, restart: { strategy: "permanent" } as const },
      { name: "c", actor: Probe },
    ];
    const { kernel, pid, running } = supervise({ children });
    kernel.kill(pid("a"));
    kernel.exit(pid("b"), "normal");
    kernel.kill(pid("c"));
    await settle();
    expect(running()).toEqual(["b", "c"]);
  });

  test("restarts with the arguments of the last start, which replaced those of the specification (102)", async () => {
    const seen: number[] = [];
    const mark = (n: number) => () => void seen.push(n);
    const { boss, kernel, pid } = supervise({ children: [...three.slice(1), child("a", Probe, { args: [mark(1)] })] });
    kernel.exit(pid("a"), "normal");
    await settle();
    boss.startChild("a", mark(2));
    kernel.kill(pid("a"));
    await settle();
    expect(seen).toEqual([1, 2, 2]);
  });

  test("starts a killed supervisor again after its children have gone, also those that it had started again", async () => {
    const team = { name: "team", actor: Boss, args: [{ children: three }] };
    const { boss, kernel, pid, running } = supervise({ children: [team] });
    kernel.kill(pid("b"));
    await settle();
    const before = [pid("a"), pid("b"), pid("c")];
    kernel.kill(pid("team"));
    await settle();
    expect([boss.reason, running()]).toEqual([undefined, ["team"]]);
    for (const old of before) expect(kernel.isAlive(old)).toBe(false);
    for (const { pid: now } of bossOf(pid("team")).children()) expect(kernel.isAlive(now as PID)).toBe(true);
  });

  test("that cannot start a child again ends the supervisor with the child's error", async () => {
    let starts = 0;
    const once = () => {
      if (starts++ > 0) throw boom;
    };
    const { boss, kernel, child: actor, pid } = supervise({ children: [child("x", Probe, { args: [once] }), ...three] });
    const sibling = actor("a");
    kernel.kill(pid("x"));
    await settle();
    expect(boss.reason).toBe(boom);
    expect(sibling.ended).toEqual([boom]);
    expect(kernel.info().processes).toBe(0);
  });
});

describe("all-for-one", () => {
  test("starts siblings again that had ended cleanly before (97)", async () => {
    const { kernel, pid, running } = supervise({ type: "all_for_one" });
    kernel.exit(pid("a"), "normal");
    await settle();
    expect(running()).toEqual(["b", "c"]);
    kernel.kill(pid("b"));
    await settle();
    expect(running()).toEqual(["a", "b", "c"]);
  });

  test("gives the siblings the reason of the child that ended, all at once without keepOrder (97)", async () => {
    const { kernel, pid, child: actor } = supervise({ type: "all_for_one" });
    const siblings = [actor("a"), actor("c")];
    const finish: (() => void)[] = [];
    for (const each of siblings) kernel.send(each.self, () => new Promise<void>((resolve) => finish.push(resolve)));
    await settle();
    kernel.exit(pid("b"), boom);
    await settle();
    expect(siblings.map(({ self }) => kernel.processInfo(self).mailbox.urgent)).toEqual([1, 1]);
    for (const each of finish) each();
    await settle();
    expect(siblings.map(({ ended }) => ended)).toEqual([[boom], [boom]]);
  });

  test("with keepOrder asks the next sibling only after the last has ended (97)", async () => {
    const { kernel, pid, child: actor } = supervise({ type: "all_for_one", keepOrder: true });
    const [a, c] = [actor("a"), actor("c")];
    let finish: () => void = () => undefined;
    kernel.send(c.self, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.exit(pid("b"), boom);
    await settle();
    expect([kernel.processInfo(c.self).mailbox.urgent, a.ended]).toEqual([1, []]);
    finish();
    await settle();
    expect([c.ended, a.ended]).toEqual([[boom], [boom]]);
  });

  test("counts siblings that end meanwhile as stopped, not as restarts of their own (97)", async () => {
    const { boss, kernel, pid, running } = supervise({ type: "all_for_one", intensity: 1 });
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    kernel.kill(pid("c"));
    finish();
    await settle();
    expect(running()).toEqual(["a", "b", "c"]);
    expect(boss.supervisorInfo()?.restarts).toBe(1);
  });

  test("leaves a disabled child down", async () => {
    const { boss, kernel, pid, running } = supervise({ type: "all_for_one" });
    boss.disableChild("a");
    await settle();
    kernel.kill(pid("b"));
    await settle();
    expect(running()).toEqual(["b", "c"]);
  });
});

describe("rest-for-one", () => {
  test("restarts more when an earlier child ends while later ones are being stopped (98)", async () => {
    const { kernel, pid, running, child: actor } = supervise({ type: "rest_for_one" });
    const before = ["a", "b", "c"].map(pid);
    let finish: () => void = () => undefined;
    kernel.send(pid("c"), () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    const between = actor("b");
    kernel.kill(pid("b"));
    await settle();
    kernel.kill(pid("a"));
    await settle();
    finish();
    await settle();
    expect(running()).toEqual(["a", "b", "c"]);
    expect(["a", "b", "c"].map(pid).filter((now) => before.includes(now))).toEqual([]);
    expect(between.ended).toEqual(["kill"]);
  });
});

describe("restart intensity", () => {
  test("allows its number of restarts within the period, and one more is too many (100)", async () => {
    const { boss, clock, kernel, pid } = supervise({ intensity: 2, periodMs: 1_000 });
    for (let i = 0; i < 6; i++) {
      kernel.kill(pid("a"));
      await clock.advance(501);
    }
    expect(boss.reason).toBeUndefined();
    kernel.kill(pid("a"));
    await settle();
    kernel.kill(pid("b"));
    await settle();
    expect(boss.reason).toEqual(code("actor.exceeded"));
  });

  test("of 0 allows none (100)", async () => {
    const { boss, kernel, pid } = supervise({ intensity: 0 });
    kernel.kill(pid("a"));
    await settle();
    expect(boss.reason).toEqual(code("actor.exceeded"));
  });

  test.each(["one_for_one", "all_for_one", "rest_for_one", "simple_one_for_one"] as const)(
    "of %s, when it is exceeded, ends all with an error that wraps the reason of the child (100)",
    async (type) => {
      const { boss, kernel } = supervise({ type, intensity: 0 });
      if (type === "simple_one_for_one") for (const name of ["a", "b"]) boss.startChild(name);
      const [first, second] = boss.children().map(({ pid }) => pid as PID) as [PID, PID];
      const sibling = inside(second);
      kernel.exit(first, boom);
      await settle();
      expect(boss.reason).toEqual(expect.objectContaining({ code: "actor.exceeded", cause: boom }));
      expect(sibling.ended).toEqual([boss.reason]);
      expect(kernel.info().processes).toBe(0);
    },
  );
});

describe("a limit of a child's own (105)", () => {
  const limited = (more = {}) => [
    { name: "a", actor: Probe, restart: { intensity: 1, periodMs: 1_000, ...more } },
    { name: "b", actor: Probe },
  ];

  test("that is exceeded ends the supervisor unless it says otherwise", async () => {
    const { boss, kernel, pid } = supervise({ children: limited() });
    for (let i = 0; i < 2; i++) {
      kernel.kill(pid("a"));
      await settle();
    }
    expect(boss.reason).toEqual(code("actor.exceeded"));
  });

  test("disables only that child if it says so; enableChild revives it with a new count", async () => {
    const { boss, kernel, pid, running } = supervise({ children: limited({ onExceed: "disable" }) });
    for (let i = 0; i < 2; i++) {
      kernel.kill(pid("a"));
      await settle();
    }
    expect(running()).toEqual(["b"]);
    expect(boss.children()[0]).toMatchObject({ spec: "a", isDisabled: true, pid: undefined });
    boss.enableChild("a");
    kernel.kill(pid("a"));
    await settle();
    expect(running()).toEqual(["a", "b"]);
    kernel.kill(pid("a"));
    await settle();
    expect(running()).toEqual(["b"]);
    expect(boss.reason).toBeUndefined();
  });

  test("forgets what is older than its period", async () => {
    const { boss, clock, kernel, pid, running } = supervise({ children: limited({ onExceed: "disable" }) });
    for (let i = 0; i < 4; i++) {
      kernel.kill(pid("a"));
      await clock.advance(1_001);
    }
    expect(running()).toEqual(["a", "b"]);
    expect(boss.supervisorInfo()?.restartsBySpec).toEqual({ a: 4, b: 0 });
  });

  test("counts besides that of the supervisor, which still takes everybody", async () => {
    const { boss, kernel, pid } = supervise({ children: limited({ intensity: 9, onExceed: "disable" }), intensity: 1 });
    for (let i = 0; i < 2; i++) {
      kernel.kill(pid("a"));
      await settle();
    }
    expect(boss.reason).toEqual(code("actor.exceeded"));
  });

  test("that disables the last child ends the supervisor, unless it stays up on purpose", async () => {
    for (const autoShutdown of [true, false]) {
      const { boss, kernel, pid } = supervise({
        children: limited({ onExceed: "disable" }).slice(0, 1),
        strategy: "permanent",
        autoShutdown,
      });
      for (let i = 0; i < 2; i++) {
        kernel.exit(pid("a"), boom);
        await settle();
      }
      expect(boss.reason).toBe(autoShutdown ? boom : undefined);
    }
  });

  test("with simple one-for-one counts for each instance, which is given up, and the others go on", async () => {
    const { boss, kernel } = supervise({ type: "simple_one_for_one", children: limited({ onExceed: "disable" }), intensity: 99 });
    for (let i = 0; i < 3; i++) boss.startChild("a");
    const pids = (): PID[] => boss.children().map(({ pid }) => pid as PID);
    for (const each of pids()) kernel.kill(each);
    await settle();
    expect(boss.children().map(({ restarts }) => restarts)).toEqual([1, 1, 1]);
    kernel.kill(pids()[1] as PID);
    await settle();
    expect(pids()).toHaveLength(2);
    boss.startChild("a");
    expect(boss.children().map(({ restarts }) => restarts)).toEqual([1, 1, 0]);
  });
});

describe("automatic shutdown", () => {
  test("waits for the last child, and takes its reason (101)", async () => {
    const { boss, kernel, pid } = supervise({ strategy: "temporary" });
    kernel.exit(pid("a"), "normal");
    kernel.kill(pid("b"));
    await settle();
    expect(boss.reason).toBeUndefined();
    kernel.exit(pid("c"), boom);
    await settle();
    expect(boss.reason).toBe(boom);
  });

  test("comes also when the last child was disabled, and never with simple one-for-one (101)", async () => {
    const one = supervise({ children: alone() });
    one.boss.disableChild("a");
    await settle();
    expect(one.boss.reason).toBe("shutdown");
    const simple = supervise({ type: "simple_one_for_one", strategy: "temporary" });
    simple.kernel.kill(simple.boss.startChild("a") as PID);
    await settle();
    expect([simple.boss.reason, simple.boss.children()]).toEqual([undefined, []]);
  });
});

describe("a significant child", () => {
  test("is not significant for simple one-for-one, nor while it is disabled (99)", async () => {
    const children = alone({ significant: true });
    const simple = supervise({ type: "simple_one_for_one", children });
    simple.kernel.exit(simple.boss.startChild("a") as PID, "normal");
    await settle();
    expect(simple.boss.reason).toBeUndefined();
    const named = supervise({ children: [...children, ...three.slice(1)] });
    named.boss.disableChild("a");
    await settle();
    expect([named.boss.reason, named.running()]).toEqual([undefined, ["b", "c"]]);
  });

  test("takes its siblings along with its own reason (99)", async () => {
    const { boss, kernel, pid, child: actor } = supervise({ children: [...alone({ significant: true }), ...three.slice(1)] });
    const siblings = [actor("b"), actor("c")];
    kernel.exit(pid("a"), "shutdown");
    await settle();
    expect([boss.reason, ...siblings.map(({ ended }) => ended[0])]).toEqual(["shutdown", "shutdown", "shutdown"]);
  });
});
