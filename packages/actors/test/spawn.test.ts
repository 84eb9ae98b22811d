import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { Actor, MessageExit, PID, type Reason, type SpawnOptions } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");
const fail = () => {
  throw boom;
};

/** Starts once its promise does. */
class Slow extends Actor {
  override async init(wait: Promise<unknown>, before?: (slow: Slow) => void): Promise<void> {
    before?.(this);
    await wait;
  }
}

const never = new Promise<never>(() => undefined);

describe("a spawn", () => {
  test.each([
    ["nothing to run", undefined],
    ["what is no class", { init: 1 }],
    ["a class that is no actor", class {}],
  ])("of %s is actor.incorrect (§1.4)", (_what, make) => {
    const { kernel } = stage();
    expect(() => kernel.spawn(make as never)).toThrow(code("actor.incorrect"));
    expect(kernel.info().processes).toBe(0);
  });

  test("whose constructor throws leaves nothing behind (§1.4)", () => {
    const { kernel } = stage();
    class Broken extends Actor {
      readonly value = fail();
    }
    expect(() => kernel.spawn(Broken, { name: "n" })).toThrow(boom);
    expect(kernel.info()).toMatchObject({ processes: 0, names: 0 });
  });

  test.each([
    ["an unknown option", { mailboxsize: 1 }],
    ["a mailbox limit that is no whole number", { mailboxLimit: 0.5 }],
    ["no time for its start", { initTimeoutMs: 0 }],
    ["an empty name", { name: "" }],
  ])("with %s is actor.incorrect (§1.4)", (_what, options) => {
    const { kernel } = stage();
    expect(() => kernel.spawn(Probe, options as SpawnOptions & { args?: [] })).toThrow(code("actor.incorrect"));
    expect(kernel.info().processes).toBe(0);
  });

  test("takes an unknown priority for the normal one (§1.4)", () => {
    const { kernel } = stage();
    expect(kernel.processInfo(kernel.spawn(Probe, { priority: "low" as never })).sendPriority).toBe("normal");
  });

  test("under a leader that does not exist is actor.parent_unknown, otherwise has that of its parent (§1.4)", () => {
    const { kernel } = stage();
    const leader = kernel.spawn(Probe);
    const parent = kernel.spawn(Probe, { leader });
    const child = inside(inside(parent).spawn(Probe));
    expect([child.leader, child.parent]).toEqual([leader, parent]);
    expect(inside(kernel.spawn(Probe)).leader).toBe(kernel.core);
    const gone = new PID("test@here", 9_999, kernel.info().creation);
    expect(() => kernel.spawn(Probe, { leader: gone })).toThrow(code("actor.parent_unknown"));
  });

  test("gives ids from 1001 on that only grow; the kernel has 1 (§1.1)", () => {
    const { kernel } = stage();
    expect(kernel.core.id).toBe(1);
    const first = kernel.spawn(Probe);
    kernel.kill(first);
    expect([first.id, kernel.spawn(Probe).id]).toEqual([1_001, 1_002]);
  });
});

describe("a start that fails", () => {
  test("ends what it has linked to by linkChild or linkParent, with the same error, and runs no terminate (§1.4)", async () => {
    const { kernel } = stage();
    const children: PID[] = [];
    let own: Probe | undefined;
    const begin = (probe: Probe) => {
      own = probe;
      children.push(probe.spawn(Probe, { linkChild: true }), probe.spawn(Probe, { linkParent: true }), probe.spawn(Probe));
      fail();
    };
    expect(() => kernel.spawn(Probe, { args: [begin] })).toThrow(boom);
    await settle();
    expect(children.map((pid) => inside(pid).ended)).toEqual([[boom], [boom], []]);
    expect(own?.ended).toEqual([]);
  });

  test("gives back names, aliases, events and relations (§1.4)", async () => {
    const { kernel } = stage();
    const other = kernel.spawn(Probe);
    const begin = (probe: Probe) => {
      probe.createAlias();
      probe.registerEvent("e");
      probe.monitor(other);
      fail();
    };
    expect(() => kernel.spawn(Probe, { name: "n", args: [begin] })).toThrow(boom);
    expect(kernel.info()).toMatchObject({ processes: 1, names: 0, aliases: 0, events: [{ name: "core" }] });
    kernel.spawn(Probe, { name: "n" });
  });

  test.each<[string, unknown, unknown]>([
    ["a reason", "normal", code("actor.process_terminated")],
    ["an error", boom, boom],
  ])("by %s that init returned is as good as thrown (§1.4)", (_what, given, thrown) => {
    class Returns extends Actor {
      override init(): unknown {
        return given;
      }
    }
    const { kernel } = stage();
    expect(() => kernel.spawn(Returns)).toThrow(thrown as Error);
  });

  test("by the death of the process in it is actor.process_terminated (§1.4)", async () => {
    const { kernel } = stage();
    let open: () => void = () => undefined;
    const spawned = kernel.spawn(Slow, { name: "slow", args: [new Promise<void>((resolve) => (open = resolve))] });
    kernel.kill(kernel.whereIs("slow") as PID);
    open();
    await expect(spawned).rejects.toThrow(code("actor.process_terminated"));
    expect(kernel.info()).toMatchObject({ processes: 0, names: 0 });
  });
});

describe("a start that waits", () => {
  test("may take five seconds, or as long as it says (§1.4)", async () => {
    const { kernel, clock } = stage();
    const short = kernel.spawn(Slow, { name: "short", args: [never] });
    const long = kernel.spawn(Slow, { name: "long", args: [never], initTimeoutMs: 20_000 });
    const fails = Promise.all([short, long].map((spawned) => expect(spawned).rejects.toThrow(code("actor.timeout"))));
    await clock.advance(5_000);
    expect([kernel.whereIs("short"), kernel.whereIs("long")]).toEqual([undefined, expect.any(PID)]);
    await clock.advance(15_000);
    await fails;
    expect([kernel.info().processes, clock.pendingTimers]).toEqual([0, 0]);
  });

  test("may give any thenable (§1.4)", async () => {
    class Waits extends Actor {
      override init(): PromiseLike<void> {
        return runInNewContext("Promise.resolve()"); // of another realm: no instance of our Promise
      }
    }
    const { kernel } = stage();
    expect(kernel.isAlive(await kernel.spawn(Waits))).toBe(true);
  });

  test("lets mail wait, which is read right after it, by PID, name and alias (46)", async () => {
    const { kernel } = stage();
    let open: () => void = () => undefined;
    let pid: PID<unknown, never> | undefined;
    const got: unknown[] = [];
    class Late extends Slow {
      override handleMessage(_from: PID, message: unknown): void {
        got.push(message);
      }
    }
    const wait = new Promise<void>((resolve) => (open = resolve));
    const spawned = kernel.spawn(Late, {
      name: "late",
      args: [
        wait,
        (slow) => {
          pid = slow.self;
          slow.send(slow.self, "self");
          slow.send(slow.createAlias(), "alias");
        },
      ],
    });
    kernel.send("late", "name");
    kernel.send(pid as PID<unknown, never>, "pid");
    await settle();
    expect(got).toEqual([]);
    open();
    await spawned;
    await settle();
    expect(got).toEqual(["self", "alias", "name", "pid"]);
  });

  test("whose parent ends meanwhile fails if it was to be linked to it, so that nobody is left over (§1.4)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    let open: () => void = () => undefined;
    const wait = new Promise<void>((resolve) => (open = resolve));
    const linked = expect(parent.spawn(Slow, { args: [wait], linkParent: true })).rejects.toThrow(
      code("actor.process_terminated"),
    );
    const free = parent.spawn(Slow, { args: [wait], linkChild: true });
    kernel.kill(parent.self);
    open();
    await linked;
    expect(kernel.processes()).toEqual([await free]);
  });
});

describe("linkParent and linkChild", () => {
  test("are nothing where the kernel spawns (§1.4)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { linkParent: true, linkChild: true });
    expect(kernel.processInfo(pid).links).toEqual([]);
    await kernel.stop();
  });

  test("are made by hand as well without a quarrel (§1.4)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const child = parent.spawn(Probe, { linkParent: true, args: [(probe) => probe.link(probe.parent)] });
    kernel.exit(parent.self, boom);
    await settle();
    expect(inside(child).ended).toEqual([boom]);
  });

  test("end a parent with its child's reason, unless it traps exits (68)", async () => {
    const { kernel } = stage();
    const [plain, trapping] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    trapping.setTrapExit(true);
    const children = [plain, trapping].map((parent) => parent.spawn(Probe, { linkChild: true }));
    for (const child of children) kernel.exit(child, boom);
    await settle();
    expect([plain.ended, trapping.ended]).toEqual([[boom], []]);
    expect(trapping.got).toEqual([new MessageExit("pid", children[1] as PID, boom)]);
  });

  test("tell of each of 50,000 short-lived children, into a mailbox of one place (68)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe, { mailboxLimit: 1 }));
    parent.setTrapExit(true);
    for (let i = 0; i < 50_000; i++) kernel.kill(parent.spawn(Probe, { linkChild: true }));
    while (kernel.processInfo(parent.self).mailbox.urgent > 0) await settle();
    expect(new Set(parent.got.map((exit) => (exit as MessageExit).target)).size).toBe(50_000);
    expect(kernel.info().processes).toBe(1);
  });
});

describe("100,000 processes", () => {
  test("that are killed leave nothing behind, and each who watched is told once", async () => {
    const { kernel } = stage();
    const watcher = inside(kernel.spawn(Probe));
    const reasons = new Map<Reason, number>();
    watcher.react = (message) => {
      const { reason } = message as { reason: Reason };
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    };
    const pids = Array.from({ length: 100_000 }, () => kernel.spawn(Probe));
    for (const [index, pid] of pids.entries()) if (index % 10 === 0) watcher.monitor(pid);
    for (const pid of pids) kernel.kill(pid);
    while (kernel.processInfo(watcher.self).mailbox.system > 0) await settle();
    expect([...reasons]).toEqual([["kill", 10_000]]);
    expect(kernel.processInfo(watcher.self).monitors).toEqual([]);
    await kernel.stop();
    expect(kernel.info().processes).toBe(0);
  });
});
