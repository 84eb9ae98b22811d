import { describe, expect, test } from "vitest";
import { Actor, child, type PID, Supervisor, type SupervisorSpec } from "../src/index.ts";
import { Boss, bossOf, supervise, three } from "./boss.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");
const alone = (more = {}) => [{ name: "a", actor: Probe, ...more }];

/** Starts only after `open` was called. */
class Slow extends Actor {
  static waiting: (() => void)[] = [];
  override init(): Promise<void> {
    return new Promise((resolve) => Slow.waiting.push(resolve));
  }
}

describe("the specification of a supervisor", () => {
  const cases: [string, unknown, string][] = [
    ["no children", { children: [] }, "actor.supervisor_spec"],
    ["no children of simple one-for-one either", { type: "simple_one_for_one", children: [] }, "actor.supervisor_spec"],
    ["a child without a name", { children: [{ name: "", actor: Probe }] }, "actor.supervisor_spec"],
    ["a child without an actor", { children: [{ name: "a" }] }, "actor.supervisor_spec"],
    ["two children of one name", { children: [...alone(), ...alone()] }, "actor.child_duplicate"],
    ["an unknown type", { type: "two_for_one", children: alone() }, "actor.supervisor_spec"],
    ["an unknown strategy", { strategy: "sometimes", children: alone() }, "actor.supervisor_spec"],
    ["an intensity below 0", { intensity: -1, children: alone() }, "actor.supervisor_spec"],
    ["a period of 0", { periodMs: 0, children: alone() }, "actor.supervisor_spec"],
    ["a key that nobody reads", { children: alone(), stratgy: "permanent" }, "actor.supervisor_spec"],
    ["a key of a child that nobody reads", { children: alone({ arg: [] }) }, "actor.supervisor_spec"],
    ["nothing at all", undefined, "actor.supervisor_spec"],
    ["an unknown strategy of a child", { children: alone({ restart: { strategy: "never" } }) }, "actor.supervisor_spec"],
    [
      "a period of a child without an intensity (105)",
      { children: alone({ restart: { periodMs: 1 } }) },
      "actor.supervisor_spec",
    ],
    [
      "disable without an intensity (105)",
      { children: alone({ restart: { onExceed: "disable", intensity: 0 } }) },
      "actor.supervisor_spec",
    ],
    ["an unknown onExceed (105)", { children: alone({ restart: { intensity: 1, onExceed: "x" } }) }, "actor.supervisor_spec"],
    [
      "restart of a child of all-for-one (105)",
      { type: "all_for_one", children: alone({ restart: {} }) },
      "actor.supervisor_spec",
    ],
    [
      "restart of a child of rest-for-one (105)",
      { type: "rest_for_one", children: alone({ restart: {} }) },
      "actor.supervisor_spec",
    ],
  ];
  test.each(cases)("with %s makes the spawn fail", (_what, spec, expected) => {
    const { kernel } = stage();
    expect(() => kernel.spawn(Boss, { args: [spec as SupervisorSpec] })).toThrow(code(expected));
    expect(kernel.info().processes).toBe(0);
  });

  test("has one-for-one, transient, five restarts in five seconds as its defaults", () => {
    const info = supervise({ handleChildren: false }).boss.supervisorInfo();
    expect(info).toMatchObject({ type: "one_for_one", strategy: "transient", intensity: 5, periodMs: 5_000 });
    expect(info).toMatchObject({ keepOrder: false, autoShutdown: true });
  });
});

describe("the start of a supervisor", () => {
  test("that a child does not survive fails with the child's error, and ends those that run already (94)", async () => {
    const { kernel } = stage();
    let first: PID | undefined;
    const fail = () => {
      throw boom;
    };
    const children = [
      child("a", Probe, { args: [(probe) => (first = probe.self)] }),
      child("b", Probe, { args: [fail] }),
      child("c", Probe, {}),
    ];
    expect(() => kernel.spawn(Boss, { args: [{ children }] })).toThrow(boom);
    await settle();
    expect(inside(first as PID).ended).toEqual([boom]);
    expect(kernel.info()).toMatchObject({ processes: 0, names: 0 });
  });

  test("links every child both ways, whatever its options say (94)", async () => {
    const options = { linkChild: false, linkParent: false } as object;
    const { kernel, boss, child: actor } = supervise({ children: alone({ options }) });
    const only = actor("a");
    only.setTrapExit(true);
    kernel.kill(boss.self);
    await settle();
    expect(only.ended).toEqual(["kill"]);
  });

  test("waits for a child whose start takes its time, and starts the next one after it (94)", async () => {
    const { kernel } = stage();
    Slow.waiting = [];
    const pending = kernel.spawn(Boss, { args: [{ children: [{ name: "a", actor: Slow }, ...three.slice(1)] }] });
    await settle();
    expect(kernel.whereIs("b")).toBeUndefined();
    Slow.waiting[0]?.();
    const boss = bossOf(await pending);
    expect(boss.children().every(({ pid }) => pid !== undefined)).toBe(true);
  });

  test("that times out leaves no child behind, not even the one that was starting (94)", async () => {
    const { kernel, clock } = stage();
    Slow.waiting = [];
    const children = [
      three[1] as { name: string; actor: typeof Probe },
      { name: "a", actor: Slow, options: { initTimeoutMs: 60_000 } },
    ];
    const pending = expect(kernel.spawn(Boss, { args: [{ children }] })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(5_000);
    await pending;
    Slow.waiting[0]?.();
    await settle();
    expect(kernel.info().processes).toBe(0);
  });

  test("is the time before which it manages no children", () => {
    const { kernel } = stage();
    class Early extends Supervisor {
      override init(): SupervisorSpec {
        this.startChild("a");
        return { children: alone() };
      }
    }
    expect(() => kernel.spawn(Early)).toThrow(code("actor.not_allowed"));
  });
});
