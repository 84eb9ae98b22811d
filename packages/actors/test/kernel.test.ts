import { describe, expect, test } from "vitest";
import { type Alias, createKernel, EventName, type MessageDown, type PID, ProcessName, Supervisor } from "../src/index.ts";
import { Boss, supervise, three } from "./boss.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const stopped = code("actor.node_terminated");

/** Holds a process in a callback until it is let go. */
async function hold({ kernel }: { kernel: ReturnType<typeof stage>["kernel"] }, pid: PID): Promise<() => void> {
  let finish: () => void = () => undefined;
  kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
  await settle();
  return finish;
}

describe("the name of a kernel", () => {
  test.each([
    ["", "actor.incorrect"],
    ["node", "actor.incorrect"],
    ["@host", "actor.incorrect"],
    ["node@", "actor.incorrect"],
    ["a@b@c", "actor.incorrect"],
    [`${"n".repeat(250)}@host1`, "actor.name_too_long"],
  ])("cannot be %j (§1.2)", (name, expected) => {
    expect(() => createKernel({ name })).toThrow(code(expected));
  });

  test("may have 255 bytes, and an unknown option is refused (§1.2)", () => {
    const name = `${"n".repeat(250)}@host`;
    expect(createKernel({ name }).info()).toMatchObject({ node: name, state: "running", processes: 0 });
    expect(() => createKernel({ nam: "x" } as never)).toThrow(code("actor.incorrect"));
  });
});

describe("identities", () => {
  test("have a text that names the node by its checksum (§1.1)", () => {
    const { kernel } = stage();
    const { creation } = kernel.info();
    const pid = kernel.spawn(Probe);
    expect(String(pid)).toMatch(/^<[0-9A-F]{8}\.0\.1001>$/);
    const [, sum] = /^<([0-9A-F]{8})/.exec(String(pid)) as RegExpExecArray;
    expect(String(new ProcessName("x", "test@here"))).toBe(`<${sum}.x>`);
    expect(String(new EventName("x", "test@here"))).toBe(`Event#<${sum}:x>`);
    expect(String(inside(pid).createAlias())).toMatch(new RegExp(`^Alias#<${sum}\\.\\d+\\.\\d+\\.\\d+>$`));
    expect(String(kernel.makeRef())).toMatch(new RegExp(`^Ref#<${sum}\\.\\d+\\.\\d+\\.0>$`));
    expect(creation).toBe(pid.creation);
  });

  test("never repeat: refs and aliases of 300,000 allocations are all different (§1.1)", () => {
    const { kernel } = stage();
    const probe = inside(kernel.spawn(Probe));
    const seen = new Set<string>();
    for (let i = 0; i < 300_000; i++) {
      const { id } = i % 1_000 === 0 ? (probe.createAlias() as Alias) : kernel.makeRef();
      seen.add(String(id));
    }
    expect(seen.size).toBe(300_000);
  });

  test("with a deadline are alive up to it; one that is past or none is actor.incorrect (§1.1)", async () => {
    const { kernel, clock } = stage();
    const now = clock.now();
    for (const wrong of [0, -1, now - 1, Number.NaN]) expect(() => kernel.makeRef(wrong)).toThrow(code("actor.incorrect"));
    const ref = kernel.makeRef(now + 10);
    expect([ref.deadlineMs, ref.isAlive(now), ref.isAlive(now + 10), ref.isAlive(now + 11)]).toEqual([
      now + 10,
      true,
      true,
      false,
    ]);
    expect(kernel.makeRef().isAlive(now + 1e9)).toBe(true);
  });

  test("of a request carry its deadline, so that the callee can leave out what nobody waits for (§1.1)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    inside(pid).answer = (_from, ref) => [ref.deadlineMs - clock.now(), ref.isAlive(clock.now())];
    expect(await kernel.call(pid, "x", { timeoutMs: 700 })).toEqual([700, true]);
    expect(await kernel.call(pid, "x")).toEqual([5_000, true]);
  });
});

describe("names and aliases", () => {
  test("are 1 to 255 bytes long, for processes and for events (72)", () => {
    const { kernel } = stage();
    const probe = inside(kernel.spawn(Probe));
    for (const register of [(name: string) => probe.registerName(name), (name: string) => probe.registerEvent(name)]) {
      expect(() => register("ü".repeat(128))).toThrow(code("actor.name_too_long"));
      expect(() => register("")).toThrow(code("actor.incorrect"));
      register("n".repeat(255));
    }
  });

  test("a process has one name at most, and any number of aliases (72)", () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "a" });
    expect(() => inside(pid).registerName("b")).toThrow(code("actor.name_taken"));
    expect(() => kernel.registerName("a", kernel.spawn(Probe))).toThrow(code("actor.name_taken"));
    for (let i = 0; i < 10; i++) inside(pid).createAlias();
    expect(kernel.info()).toMatchObject({ names: 1, aliases: 10 });
    expect([kernel.nameOf(pid), kernel.whereIs("a"), inside(pid).name]).toEqual(["a", pid, "a"]);
    kernel.unregisterName("a");
    expect([kernel.nameOf(pid), kernel.whereIs("a")]).toEqual([undefined, undefined]);
    expect(() => kernel.unregisterName("a")).toThrow(code("actor.name_unknown"));
    inside(pid).registerName("b");
  });

  test("an alias is deleted by its owner only (72)", () => {
    const { kernel } = stage();
    const [owner, other] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    const alias = owner.createAlias();
    expect(() => other.deleteAlias(alias)).toThrow(code("actor.alias_owner"));
    owner.deleteAlias(alias);
    expect(() => owner.deleteAlias(alias)).toThrow(code("actor.alias_unknown"));
    expect(() => kernel.send(alias, 1)).toThrow(code("actor.process_unknown"));
  });
});

describe("information about the kernel", () => {
  test("gives processes page by page (§1.2)", () => {
    const { kernel } = stage();
    const pids = Array.from({ length: 10 }, () => kernel.spawn(Probe));
    kernel.kill(pids[3] as PID);
    expect(kernel.processes({ limit: 3 }).map(({ id }) => id)).toEqual([1_001, 1_002, 1_003]);
    expect(kernel.processes({ from: 1_004, limit: 2 }).map(({ id }) => id)).toEqual([1_005, 1_006]);
    expect(kernel.processes({ from: 1_009 }).map(({ id }) => id)).toEqual([1_009, 1_010]);
    expect(kernel.processes()).toHaveLength(9);
    expect(() => kernel.processes({ limit: -1 })).toThrow(code("actor.incorrect"));
  });

  test("gives the processes as trees, supervisors with what they do", async () => {
    const children = [{ name: "inner", actor: Boss, args: [{ children: three }] as never }];
    const { kernel, boss, pid } = supervise({ children });
    const lonely = kernel.spawn(Probe);
    const parent = inside(kernel.spawn(Probe, { name: "parent" }));
    const orphan = parent.spawn(Probe);
    kernel.kill(parent.self);
    kernel.send(lonely, 1);
    const tree = kernel.tree();
    expect(tree).toMatchObject([
      {
        pid: boss.self,
        behaviour: "Boss",
        supervisor: { type: "one_for_one", running: 1, children: [{ spec: "inner", pid: pid("inner") }] },
        children: [
          {
            name: "inner",
            supervisor: { running: 3 },
            children: [
              { name: "a", behaviour: "Probe", supervisor: undefined, children: [] },
              { name: "b", state: "sleep" },
              { name: "c", waiting: 0 },
            ],
          },
        ],
      },
      { pid: lonely, waiting: 1, children: [] },
      { pid: orphan, parent: parent.self },
    ]);
    expect(tree).toHaveLength(3);
    await kernel.stop();
    expect(kernel.tree()).toEqual([]);
  });

  test("gives a chain of 20,000 processes as a tree", () => {
    const { kernel } = stage();
    let pid = kernel.spawn(Probe);
    for (let i = 1; i < 20_000; i++) pid = inside(pid).spawn(Probe);
    let [node] = kernel.tree();
    let depth = 0;
    for (; node !== undefined; node = node.children[0]) depth++;
    expect(depth).toBe(20_000);
  });

  test("shows a supervisor that still starts without its data", async () => {
    let seen: unknown;
    class Slow extends Supervisor {
      override init() {
        seen = kernel.tree()[0]?.supervisor;
        return { children: three };
      }
    }
    const { kernel } = stage();
    kernel.spawn(Slow);
    expect(seen).toBeUndefined();
    expect(kernel.tree()[0]?.supervisor).toMatchObject({ running: 3 });
  });
});

describe("a stop", () => {
  test("gives every process an exit of its own parent, with shutdown, and waits for each (§1.2)", async () => {
    const on = stage();
    const parent = inside(on.kernel.spawn(Probe));
    const child = inside(parent.spawn(Probe));
    child.setTrapExit(true);
    const finish = await hold(on, child.self);
    const stopping = on.kernel.stop();
    await settle();
    expect([parent.ended, child.ended, on.kernel.info().state]).toEqual([["shutdown"], [], "stopping"]);
    expect(() => on.kernel.spawn(Probe)).toThrow(stopped);
    finish();
    await stopping;
    expect([child.ended, on.kernel.info()]).toMatchObject([["shutdown"], { state: "stopped", processes: 0, uptimeMs: 0 }]);
    expect(on.kernel.stop()).toBe(on.kernel.stop());
  });

  test("ends supervisors in order too: children first (§1.2)", async () => {
    const { kernel, boss, child } = supervise();
    const order: string[] = [];
    for (const name of ["a", "b", "c"]) {
      const probe = child(name);
      probe.terminate = () => void order.push(name);
    }
    boss.terminate = () => void order.push("boss");
    await kernel.stop();
    expect(order.at(-1)).toBe("boss");
    expect(order.toSorted()).toEqual(["a", "b", "boss", "c"]);
  });

  test("says every five seconds whom it waits for, and kills what is left after the grace (§1.2)", async () => {
    const on = stage();
    const pid = on.kernel.spawn(Probe, { name: "slow" });
    const finish = await hold(on, pid);
    on.kernel.send(pid, "waits");
    const stopping = on.kernel.stop({ graceMs: 12_000 });
    await on.clock.advance(11_000);
    const told = on.reports.filter(({ kind }) => kind === "stop_waits");
    expect(told.map(({ pid: who, text }) => [who, text])).toEqual([
      [pid, "the stop waits for slow: running, 2 messages waiting"],
      [pid, "the stop waits for slow: running, 2 messages waiting"],
    ]);
    await on.clock.advance(1_000);
    await stopping;
    expect(on.reports.at(-1)).toMatchObject({ kind: "stop_late", pid });
    finish();
    await settle();
    expect([inside(pid).ended, on.kernel.info().processes, on.clock.pendingTimers]).toEqual([["kill"], 0, 0]);
  });

  test("names the first twenty, and counts the rest (§1.2)", async () => {
    const on = stage();
    const finishes: (() => void)[] = [];
    for (let i = 0; i < 25; i++) finishes.push(await hold(on, on.kernel.spawn(Probe)));
    const stopping = on.kernel.stop();
    await on.clock.advance(5_000);
    expect(on.reports.filter(({ kind }) => kind === "stop_waits")).toHaveLength(21);
    expect(on.reports.at(-1)?.text).toBe("the stop waits for 5 more");
    for (const finish of finishes) finish();
    await stopping;
  });

  test("by force kills everything and waits for nothing (§1.2)", async () => {
    const on = stage();
    const idle = on.kernel.spawn(Probe);
    const busy = on.kernel.spawn(Probe);
    const finish = await hold(on, busy);
    on.kernel.stopForce();
    on.kernel.stopForce();
    expect(on.kernel.info().state).toBe("stopped");
    await on.kernel.stop();
    finish();
    await settle();
    expect([inside(idle).ended, inside(busy).ended, on.kernel.info().processes]).toEqual([["kill"], ["kill"], 0]);
  });

  test("by force ends a stop that is still waiting (§1.2)", async () => {
    const on = stage();
    const finish = await hold(on, on.kernel.spawn(Probe));
    const stopping = on.kernel.stop();
    await settle();
    on.kernel.stopForce();
    await stopping;
    finish();
    await settle();
    expect(on.clock.pendingTimers).toBe(0);
  });

  test("can be waited for, and with a time that is too short rejects with actor.timeout (§1.2)", async () => {
    const { kernel, clock } = stage();
    const early = expect(kernel.wait(100)).rejects.toThrow(code("actor.timeout"));
    await clock.advance(100);
    await early;
    const [inTime, atAll] = [kernel.wait(100), kernel.wait()];
    await kernel.stop();
    await Promise.all([inTime, atAll, kernel.wait()]);
    await expect(kernel.wait(100)).rejects.toThrow(stopped);
    expect(clock.pendingTimers).toBe(0);
  });

  test("makes nearly everything actor.node_terminated (§1.2)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "n" });
    const waiting = kernel.spawn(Probe);
    inside(waiting).answer = () => new Promise(() => undefined);
    const ref = kernel.makeRef();
    await kernel.stop();
    const acts: (() => unknown)[] = [
      () => kernel.spawn(Probe),
      () => kernel.send(pid, 1),
      () => kernel.send("n", 1),
      () => kernel.exit(pid, "normal"),
      () => kernel.kill(pid),
      () => kernel.processInfo(pid),
      () => kernel.registerName("x", pid),
      () => kernel.unregisterName("n"),
      () => kernel.registerEvent("e"),
      () => kernel.unregisterEvent("e"),
      () => kernel.sendEvent("e", undefined, 1),
      () => kernel.eventInfo("core"),
      () => kernel.cancelWaitResponse(pid, ref),
    ];
    for (const act of acts) expect(act).toThrow(stopped);
    await expect(kernel.call(pid, 1)).rejects.toThrow(stopped);
    await expect(kernel.inspect(pid)).rejects.toThrow(stopped);
  });

  test("ends calls from outside that still wait, with actor.node_terminated (§1.2)", async () => {
    const on = stage();
    const pid = on.kernel.spawn(Probe);
    const finish = await hold(on, pid);
    const call = expect(on.kernel.call(pid, 1, { timeoutMs: 60_000 })).rejects.toThrow(stopped);
    const stopping = on.kernel.stop();
    await settle();
    finish();
    await Promise.all([stopping, call]);
  });

  test("leaves nothing: no process, name, alias, event, relation or timer", async () => {
    const { kernel, clock } = stage();
    const [a, b] = [inside(kernel.spawn(Probe, { name: "a" })), inside(kernel.spawn(Probe, { name: "b" }))];
    a.createAlias();
    a.registerEvent("e", { bufferLimit: 3, notify: true });
    kernel.registerEvent("of the kernel");
    b.linkEvent("e");
    b.monitorEvent("of the kernel");
    b.monitor("a");
    a.sendAfter(b.self, 1, 60_000);
    a.sendEvery(b.self, 1, 1_000);
    a.sendExitAfter(b.self, "normal", 60_000);
    void a.call(b.self, () => undefined, { timeoutMs: 60_000 }).catch(() => undefined);
    expect(kernel.info()).toMatchObject({ processes: 2, names: 2, aliases: 1, timers: 2 });
    await kernel.stop();
    expect(kernel.info()).toMatchObject({ processes: 0, names: 0, aliases: 0, metas: 0, timers: 0, events: [] });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("information about a process", () => {
  test("names everything it has", async () => {
    const { kernel, clock } = stage();
    const parent = inside(kernel.spawn(Probe));
    const target = kernel.spawn(Probe);
    const pid = parent.spawn(Probe, {
      name: "n",
      mailboxLimit: 9,
      priority: "high",
      fallback: { name: "spare", tag: "t" },
      preserveMailbox: true,
    });
    const probe = inside(pid);
    const alias = probe.createAlias();
    probe.registerEvent("e");
    probe.link(target);
    probe.monitor(target);
    probe.setTrapExit(true);
    kernel.send(pid, 1, "max");
    await clock.advance(0);
    kernel.send(pid, 1, "high");
    const info = kernel.processInfo(pid);
    expect(info).toMatchObject({ pid, name: "n", behaviour: "Probe", parent: parent.self, leader: kernel.core, state: "sleep" });
    expect(info).toMatchObject({ messagesIn: 1, mailboxLimit: 9, mailbox: { system: 1 }, sendPriority: "high", trapExit: true });
    expect(info).toMatchObject({ fallback: { name: "spare", tag: "t" }, preserveMailbox: true, splitHandle: false });
    expect(info).toMatchObject({ aliases: [String(alias)], events: ["e"], links: [String(target)], monitors: [String(target)] });
    await clock.advance(250);
    expect(kernel.processInfo(pid).uptimeMs).toBe(250);
  });
});

describe("the end of a process", () => {
  test("comes in order: PID, name, aliases, events, then its terminate; and its watchers see nothing of it any more (§1.6)", async () => {
    const { kernel } = stage();
    const order: string[] = [];
    const target = inside(kernel.spawn(Probe, { name: "t" }));
    const alias = target.createAlias();
    target.registerEvent("e");
    const watcher = inside(kernel.spawn(Probe));
    watcher.monitorEvent("e");
    watcher.monitor(alias);
    watcher.monitor("t");
    watcher.monitor(target.self);
    const seen = () => [kernel.isAlive(target.self), kernel.whereIs("t"), kernel.info().aliases, kernel.info().events.length];
    watcher.react = (message) => void order.push(`${(message as MessageDown).kind} ${seen()}`);
    target.terminate = () => void order.push(`terminate ${seen()}`);
    kernel.exit(target.self, "normal");
    await settle();
    const nothing = "false,,0,1";
    expect(order).toEqual(["terminate", "pid", "name", "alias", "event"].map((each) => `${each} ${nothing}`));
    expect(watcher.got.map((message) => (message as MessageDown).kind)).toEqual(["pid", "name", "alias", "event"]);
  });

  test("is told though its terminate throws or rejects (§1.6)", async () => {
    const { kernel, reports } = stage();
    for (const fail of [() => Promise.reject(new Error("late")), () => JSON.parse("{")]) {
      const target = inside(kernel.spawn(Probe));
      const watcher = inside(kernel.spawn(Probe));
      watcher.monitor(target.self);
      target.terminate = fail as () => void;
      kernel.exit(target.self, "normal");
      await settle();
      expect(watcher.got).toHaveLength(1);
    }
    expect(reports.map(({ kind }) => kind)).toEqual(["terminate_failed", "terminate_failed"]);
  });

  test("by normal or shutdown is not reported, every other is (§1.6)", async () => {
    const { kernel, reports } = stage();
    for (const reason of ["normal", "shutdown", new Error("boom")] as const) {
      kernel.exit(kernel.spawn(Probe), reason);
      await settle();
    }
    kernel.kill(kernel.spawn(Probe));
    await settle();
    expect(reports.map(({ text }) => text)).toEqual(["ended: boom", "ended: kill"]);
  });

  test("by a handler that throws or rejects is a panic with its cause, of a message, call, event, response or inspection (§1.6)", async () => {
    const boom = new Error("boom");
    const fails = [
      () => {
        throw boom;
      },
      () => Promise.reject(boom),
    ];
    for (const fail of fails) {
      const { kernel } = stage();
      const token = kernel.registerEvent("e");
      const begin: ((probe: Probe) => void)[] = [
        (probe) => kernel.send(probe.self, fail),
        (probe) => {
          probe.answer = fail;
          void kernel.call(probe.self, 1, { timeoutMs: 1 }).catch(() => undefined);
        },
        (probe) => {
          probe.handleEvent = fail as () => never;
          probe.monitorEvent("e");
          kernel.sendEvent("e", token, 1);
        },
        (probe) => {
          probe.handleResponse = fail as () => never;
          probe.sendRequest(kernel.spawn(Probe), 1);
        },
        (probe) => {
          probe.handleInspect = fail as () => never;
          void kernel.inspect(probe.self).catch(() => undefined);
        },
      ];
      const probes = begin.map((act) => {
        const probe = inside(kernel.spawn(Probe));
        act(probe);
        return probe;
      });
      await settle();
      expect(probes.map(({ ended }) => ended)).toEqual(
        begin.map(() => [expect.objectContaining({ code: "actor.panic", cause: boom })]),
      );
    }
  });

  test("by what is neither nothing nor a reason is actor.incorrect (§4.1)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    kernel.send(pid, () => 42);
    await settle();
    expect(inside(pid).ended).toEqual([code("actor.incorrect")]);
  });

  test("in the midst of a call leaves its caller to its own timeout: nobody tells it (§2.3)", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    inside(callee).answer = () => new Promise(() => undefined);
    const call = expect(kernel.call(callee, 1, { timeoutMs: 50 })).rejects.toThrow(code("actor.timeout"));
    await settle();
    kernel.kill(callee);
    await clock.advance(60);
    await call;
  });
});
