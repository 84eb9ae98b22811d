import type { Clock, Timer } from "@metanode/core/clock";
import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { createKernel, MessageExit, type PID } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** A clock whose timers fire 25 ms late, as they do on a busy machine. */
class LateClock implements Clock {
  readonly inner = new VirtualClock(0);
  now(): number {
    return this.inner.now();
  }
  setTimer(delayMs: number, callback: () => void): Timer {
    return this.inner.setTimer(delayMs + 25, callback);
  }
}

describe("a message that is sent later", () => {
  test("comes after its time, with the priority of the moment it was scheduled, or its own (47)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    const probe = inside(pid);
    probe.setSendPriority("high");
    probe.sendAfter(pid, "high", 10);
    probe.setSendPriority("normal");
    probe.sendAfter(pid, "max", 10, "max");
    await clock.advance(9);
    expect(kernel.info().timers).toBe(2);
    let finish: () => void = () => undefined;
    kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    await clock.advance(1);
    expect(kernel.processInfo(pid).mailbox).toMatchObject({ urgent: 1, system: 1, main: 0 });
    finish();
    await settle();
    expect([probe.got, kernel.info().timers]).toEqual([["max", "high"], 0]);
  });

  test("comes though its sender has ended, with the sender's PID (47)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    const sender = kernel.spawn(Probe);
    const from: PID[] = [];
    inside(sender).sendAfter(pid, (_probe: Probe, by: PID) => void from.push(by), 10);
    kernel.kill(sender);
    await clock.advance(10);
    expect(from).toEqual([sender]);
  });

  test("is lost in silence if nobody is there by then (47)", async () => {
    const { kernel, clock } = stage();
    const probe = inside(kernel.spawn(Probe));
    probe.sendAfter("nobody", 1, 10);
    probe.sendExitAfter(kernel.spawn(Probe), "normal", 10);
    await clock.advance(10);
    expect(kernel.info()).toMatchObject({ processes: 1, timers: 0 });
  });

  test("needs a time (47)", () => {
    const probe = inside(stage().kernel.spawn(Probe));
    for (const wrong of [-1, Number.NaN]) expect(() => probe.sendAfter(probe.self, 1, wrong)).toThrow(code("actor.incorrect"));
  });
});

describe("an exit that is sent later", () => {
  test("ends its target then, unless it is cancelled (47)", async () => {
    const { kernel, clock } = stage();
    const [sender, target] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    target.setTrapExit(true);
    const cancel = sender.sendExitAfter(target.self, "normal", 10);
    sender.sendExitAfter(target.self, "shutdown", 10);
    expect([cancel(), cancel()]).toEqual([true, false]);
    await clock.advance(10);
    expect(target.got).toEqual([new MessageExit("pid", sender.self, "shutdown")]);
  });

  test("is refused at once where an exit is (67)", () => {
    const { kernel } = stage();
    const probe = inside(kernel.spawn(Probe));
    expect(() => probe.sendExitAfter(probe.self, "normal", 10)).toThrow(code("actor.not_allowed"));
    expect(() => probe.sendExitAfter(kernel.spawn(Probe), undefined as never, 10)).toThrow(code("actor.incorrect"));
  });
});

describe("a message that is sent again and again (48)", () => {
  test("keeps to the rate of its first moment and drops what was missed", async () => {
    const clock = new LateClock();
    const kernel = createKernel({ clock });
    const pid = kernel.spawn(Probe);
    const times: number[] = [];
    const stop = inside(pid).sendEvery(pid, () => void times.push(clock.now()), 10);
    await clock.inner.advance(140);
    expect(times).toEqual([35, 65, 95, 125]);
    expect([stop(), stop()]).toEqual([true, false]);
    await clock.inner.advance(100);
    expect([times.length, clock.inner.pendingTimers]).toEqual([4, 0]);
  });

  test("survives deliveries that fail, and has a priority of its own", async () => {
    const { kernel, clock } = stage();
    const probe = inside(kernel.spawn(Probe));
    probe.sendEvery("later", "tick", 10, "max");
    await clock.advance(25);
    const pid = kernel.spawn(Probe, { name: "later" });
    let finish: () => void = () => undefined;
    kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
    await clock.advance(10);
    expect(kernel.processInfo(pid).mailbox.urgent).toBe(1);
    finish();
    await settle();
    expect(inside(pid).got).toEqual(["tick"]);
  });

  test("needs a period over 0", () => {
    const probe = inside(stage().kernel.spawn(Probe));
    for (const wrong of [0, -1, Number.NaN]) expect(() => probe.sendEvery(probe.self, 1, wrong)).toThrow(code("actor.incorrect"));
  });
});
