import { describe, expect, test } from "vitest";
import { Alias, EventName, MessageDown, MessageExit, MessageFallback, PID, ProcessName } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const full = code("actor.mailbox_full");

describe("a message", () => {
  test("comes with the PID of its sender, in the order of sending, by every kind of address (36)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "target" });
    const from: PID[] = [];
    const seen: unknown[] = [];
    const sender = inside(kernel.spawn(Probe));
    const alias = inside(pid).createAlias();
    const addresses = [pid, "target", new ProcessName("target"), new ProcessName("target", "test@here"), alias];
    for (const [index, to] of addresses.entries()) {
      sender.send(to as PID, (_probe: Probe, by: PID) => {
        from.push(by);
        seen.push(index);
      });
    }
    await settle();
    expect([new Set(from), seen]).toEqual([new Set([sender.self]), [0, 1, 2, 3, 4]]);
  });

  test("is handed over as it is, not copied (§2.1)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const message = { deep: {} };
    kernel.send(pid, message);
    await settle();
    expect(inside(pid).got[0]).toBe(message);
  });

  test.each([
    ["an event", new EventName("e")],
    ["a number", 7],
    ["nothing", undefined],
    ["an object", {}],
  ])("to %s is actor.unsupported, as are a call, a link, a monitor and an exit (§2.1)", async (_what, to) => {
    const { kernel } = stage();
    const probe = inside(kernel.spawn(Probe));
    kernel.registerEvent("e");
    const unsupported = code("actor.unsupported");
    expect(() => kernel.send(to as never, 1)).toThrow(unsupported);
    expect(() => probe.send(to as never, 1)).toThrow(unsupported);
    await expect(kernel.call(to as never, 1)).rejects.toThrow(unsupported);
    expect(() => probe.sendRequest(to as never, 1 as never)).toThrow(unsupported);
    expect(() => probe.link(to as never)).toThrow(unsupported);
    expect(() => probe.unlink(to as never)).toThrow(unsupported);
    expect(() => probe.monitor(to as never)).toThrow(unsupported);
    expect(() => probe.sendExit(to as never, "normal")).toThrow(unsupported);
  });

  test("to another node without a way there is actor.no_route (§2.1)", () => {
    const { kernel } = stage();
    for (const to of [new PID("other@host", 1_001, 1), new ProcessName("x", "other@host"), new Alias("other@host", 1, 1)]) {
      expect(() => kernel.send(to as PID, 1)).toThrow(code("actor.no_route"));
    }
  });

  test("to an earlier life of the own node is actor.process_unknown (§1.1)", () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    expect(() => kernel.send(new PID(pid.node, pid.id, pid.creation - 1), 1)).toThrow(code("actor.process_unknown"));
    kernel.send(new PID(pid.node, pid.id, pid.creation), 1);
  });

  test("with a priority that is none is actor.incorrect (§2.1)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    const probe = inside(kernel.spawn(Probe));
    const wrong = "low" as never;
    expect(() => kernel.send(pid, 1, wrong)).toThrow(code("actor.incorrect"));
    expect(() => probe.setSendPriority(wrong)).toThrow(code("actor.incorrect"));
    expect(() => probe.sendRequest(pid, 1, { priority: wrong })).toThrow(code("actor.incorrect"));
    await expect(kernel.call(pid, 1, { priority: wrong })).rejects.toThrow(code("actor.incorrect"));
    await clock.advance(10_000);
    expect([inside(pid).got, probe.got, clock.pendingTimers]).toEqual([[], [], 0]);
  });

  test("has the priority of its sender, unless it says otherwise, also from the process to itself (§2.1)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const probe = inside(pid);
    probe.send(pid, "normal");
    probe.setSendPriority("high");
    probe.send(pid, "high");
    probe.send(pid, "max", "max");
    expect([probe.sendPriority, kernel.processInfo(pid).sendPriority]).toEqual(["high", "high"]);
    await settle();
    expect(probe.got).toEqual(["max", "high", "normal"]);
  });
});

describe("a full queue", () => {
  test("keeps out the next message by PID, name and alias, and each queue has its own limit (44)", () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "n", mailboxLimit: 1 });
    const alias = inside(pid).createAlias();
    for (const priority of ["normal", "high", "max"] as const) {
      kernel.send(pid, 1, priority);
      for (const to of [pid, "n", alias]) expect(() => kernel.send(to as PID, 2, priority)).toThrow(full);
    }
    expect(kernel.processInfo(pid)).toMatchObject({ mailboxLimit: 1, mailbox: { urgent: 1, system: 1, main: 1, log: 0 } });
    expect(kernel.processInfo(kernel.spawn(Probe)).mailboxLimit).toBe(-1);
  });

  test("keeps out a call at once, and leaves nothing that waits (44)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    const asker = inside(kernel.spawn(Probe));
    kernel.send(pid, 1);
    expect(() => asker.sendRequest(pid, 3)).toThrow(full);
    await expect(kernel.call(pid, 2)).rejects.toThrow(full);
    await clock.advance(10_000);
    expect(asker.got).toEqual([]);
  });

  test("keeps out an exit, which its sender is told; one by a link is lost in silence (44)", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    inside(pid).link(target);
    kernel.send(pid, "first", "max");
    expect(() => inside(kernel.spawn(Probe)).sendExit(pid, "normal")).toThrow(full);
    kernel.kill(target);
    await settle();
    expect([inside(pid).got, kernel.isAlive(pid)]).toEqual([["first"], true]);
  });

  test("loses an event in silence, and the event does not count it as delivered (44)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    inside(pid).monitorEvent("core");
    const token = kernel.registerEvent("e");
    inside(pid).monitorEvent("e");
    kernel.sendEvent("e", token, 1);
    kernel.sendEvent("e", token, 2);
    await settle();
    expect(inside(pid).got).toMatchObject([{ message: 1 }]);
    expect(kernel.eventInfo("e")).toMatchObject({ published: 2, delivered: 1, subscribers: 1 });
  });

  test("takes the response to the process's own request all the same, since exactly one follows (44)", async () => {
    const { kernel } = stage();
    const callee = kernel.spawn(Probe);
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    let finish: () => void = () => undefined;
    kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    inside(pid).sendRequest(callee, "x");
    kernel.send(pid, "fills");
    await settle();
    finish();
    await settle();
    expect(inside(pid).got).toMatchObject(["fills", { result: "x", error: undefined }]);
  });
});

describe("a fallback", () => {
  const chain = (names: string[]) => {
    const on = stage();
    const pids = names.map((name, index) => {
      const next = names[index + 1];
      return on.kernel.spawn(Probe, {
        name,
        mailboxLimit: 1,
        ...(next !== undefined && { fallback: { name: next, tag: name } }),
      });
    });
    return { ...on, pids };
  };

  test("keeps sender, priority, tag and the address that was used, for PID, name and alias (45)", async () => {
    const { kernel, pids } = chain(["a", "b"]);
    const [a, b] = pids as [PID, PID];
    const sender = inside(kernel.spawn(Probe));
    const alias = inside(a).createAlias();
    const targets: unknown[] = [];
    kernel.send(a, "fills", "high");
    for (const to of [a, "a", alias]) {
      inside(b).react = (message) => void targets.push(message);
      sender.send(to as PID, "over", "high");
      expect(kernel.processInfo(b).mailbox.system).toBe(1);
      // Let b read, while a stays full.
      kernel.send(b, (_probe: Probe, from: PID) => void targets.push(from), "normal");
      await settle();
      kernel.send(a, "fills", "high");
    }
    expect(targets.filter((each) => each instanceof MessageFallback)).toEqual([
      new MessageFallback(a, "a", a, "over"),
      new MessageFallback(a, "a", "a", "over"),
      new MessageFallback(a, "a", alias, "over"),
    ]);
  });

  test("chains, and the sender hears of the last that is full or missing (45)", async () => {
    const { kernel, pids } = chain(["a", "b", "c"]);
    const [a, b, c] = pids as [PID, PID, PID];
    for (const message of [1, 2, 3]) kernel.send(a, message);
    expect(() => kernel.send(a, 4)).toThrow(full);
    await settle();
    expect(inside(c).got).toEqual([new MessageFallback(b, "b", "b", new MessageFallback(a, "a", a, 3))]);
    kernel.kill(b);
    kernel.send(a, 5);
    expect(() => kernel.send(a, 6)).toThrow(code("actor.process_unknown"));
  });

  test("in a circle, or naming itself, ends as actor.mailbox_full (45)", () => {
    const { kernel } = stage();
    const own = kernel.spawn(Probe, { name: "own", mailboxLimit: 1, fallback: { name: "own" } });
    kernel.send(own, 1);
    expect(() => kernel.send(own, 2)).toThrow(full);
    const x = kernel.spawn(Probe, { name: "x", mailboxLimit: 1, fallback: { name: "y" } });
    kernel.spawn(Probe, { name: "y", mailboxLimit: 1, fallback: { name: "x" } });
    kernel.send(x, 1);
    kernel.send(x, 2);
    expect(() => kernel.send(x, 3)).toThrow(full);
  });

  test("without a limit is none (45)", () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { fallback: { name: "nobody" } });
    expect(kernel.processInfo(pid).fallback).toBeUndefined();
    for (let i = 0; i < 1_000; i++) kernel.send(pid, i);
  });
});

describe("the queues", () => {
  test("put exits into the urgent one and downs into the system one, before ordinary mail (64)", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const pid = kernel.spawn(Probe);
    inside(pid).setTrapExit(true);
    inside(pid).link(target);
    inside(pid).monitor(target);
    kernel.send(pid, "normal");
    kernel.send(pid, "max", "max");
    kernel.kill(target);
    await settle();
    expect(inside(pid).got).toEqual([
      "max",
      new MessageExit("pid", target, "kill"),
      new MessageDown("pid", target, "kill"),
      "normal",
    ]);
  });

  test("starve ordinary mail as long as a flood of higher mail goes on, and lose none of it (§1.5)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    let left = 20_000;
    kernel.send(pid, "normal");
    const again = (): void => {
      if (left-- > 0) kernel.send(pid, again, left % 2 === 0 ? "high" : "max");
      else inside(pid).got.push("flood over");
    };
    kernel.send(pid, again, "max");
    while (inside(pid).got.length < 2) await settle();
    expect(inside(pid).got).toEqual(["flood over", "normal"]);
  });

  test("let a flood at one process starve no other (§1.5)", async () => {
    const { kernel } = stage();
    const [flooded, other] = [kernel.spawn(Probe), kernel.spawn(Probe)];
    for (let i = 0; i < 200_000; i++) kernel.send(flooded, i, "max");
    kernel.send(other, "hello");
    while (inside(other).got.length === 0) await settle();
    expect(kernel.processInfo(flooded).mailbox.urgent).toBeGreaterThan(100_000);
    while (kernel.processInfo(flooded).mailbox.urgent > 0) await settle();
    expect(inside(flooded).got).toHaveLength(200_000);
  });

  test("count what came in and what went out (§1.5)", async () => {
    const { kernel } = stage();
    const [a, b] = [kernel.spawn(Probe), kernel.spawn(Probe)];
    for (let i = 0; i < 3; i++) inside(a).send(b, i);
    await inside(a).call(b, 1);
    expect(() => inside(a).send("nobody", 1)).toThrow();
    await settle();
    expect(kernel.processInfo(a)).toMatchObject({ messagesIn: 0, messagesOut: 4 });
    expect(kernel.processInfo(b)).toMatchObject({ messagesIn: 4, messagesOut: 0 });
  });
});
