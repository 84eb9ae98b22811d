import { describe, expect, test } from "vitest";
import type { Kernel, PID } from "../../src/index.ts";
import { settle } from "../probe.ts";
import { logged, Member, type Part, written } from "./fixture.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** Members of the labels, all writing to `steps`. */
const members = (steps: string[], ...labels: string[]) => labels.map((label) => ({ actor: Member, args: [{ label, steps }] }));
const state = (kernel: Kernel, name: string): string => kernel.applicationInfo(name).state;

describe("a member of the group", () => {
  const broken = new Error("broken");
  const whys = { cleanly: "normal", uncleanly: broken } as const;
  const table = [
    { mode: "temporary", how: "cleanly", isUp: true, reason: "normal", effect: "changes nothing until it was the last" },
    { mode: "temporary", how: "uncleanly", isUp: true, reason: "normal", effect: "changes nothing until it was the last" },
    { mode: "transient", how: "cleanly", isUp: true, reason: "normal", effect: "changes nothing until it was the last" },
    { mode: "transient", how: "uncleanly", isUp: false, reason: "broken", effect: "stops all, with its reason" },
    { mode: "permanent", how: "cleanly", isUp: false, reason: "normal", effect: "stops all, with its reason" },
    { mode: "permanent", how: "uncleanly", isUp: false, reason: "broken", effect: "stops all, with its reason" },
  ] as const;

  test.each(table)("that ends $how, in a $mode application, $effect (111)", async ({ mode, how, isUp, reason }) => {
    const { kernel } = logged();
    const steps: string[] = [];
    kernel.loadApplication(written("shop", steps, { group: members(steps, "a", "b"), mode }));
    await kernel.startApplication("shop");
    const [first, second] = kernel.applicationInfo("shop").members as [PID, PID];
    kernel.send(first, () => whys[how]);
    await settle();
    expect(state(kernel, "shop")).toBe(isUp ? "running" : "loaded");
    expect(kernel.isAlive(second)).toBe(isUp);
    if (isUp) kernel.send(second, () => whys[how]);
    await settle();
    expect(state(kernel, "shop")).toBe("loaded");
    expect(steps.slice(-1)).toEqual([`shop terminate ${reason}`]);
    expect(steps).toContain(`shop stop ${reason}`);
  });

  test("is judged by the mode of the start when it ends, and nobody else is", async () => {
    const { kernel } = logged();
    kernel.loadApplication(written("shop", [], { mode: "temporary" }));
    await kernel.startApplication("shop", { mode: "permanent" });
    const [member] = kernel.applicationInfo("shop").members as [PID];
    const spawned = Promise.withResolvers<PID>();
    kernel.send(member, (self: Member) => spawned.resolve(self.spawn(Member, { args: [{ label: "x", steps: [] }] }) as PID));
    kernel.kill(await spawned.promise);
    await settle();
    expect(state(kernel, "shop")).toBe("running");
    kernel.kill(member);
    await settle();
    expect(state(kernel, "shop")).toBe("loaded");
  });

  test("that ends in the turn of its start, as the last, ends the application once", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const part: Part = { label: "a", steps, begin: (member) => void kernel.send(member.self, () => "normal") };
    kernel.loadApplication(written("shop", steps, { group: [{ actor: Member, args: [part] }] }));
    await kernel.startApplication("shop");
    await settle();
    expect(state(kernel, "shop")).toBe("loaded");
    expect(steps.filter((step) => step.startsWith("shop terminate"))).toEqual(["shop terminate normal"]);
  });
});

describe("a stop", () => {
  test("calls terminate only after every process, also a detached one, has finished its own", async () => {
    const { kernel, records } = logged();
    const steps: string[] = [];
    const hold = Promise.withResolvers<void>();
    const child: Part = { label: "detached", steps, hold: hold.promise };
    const part: Part = { label: "a", steps, begin: (member) => void member.spawn(Member, { args: [child] }) };
    kernel.loadApplication(written("shop", steps, { group: [{ actor: Member, args: [part] }] }));
    await kernel.startApplication("shop");
    const stop = kernel.stopApplication("shop");
    await settle();
    expect(kernel.info().processes).toBe(0);
    expect(kernel.applicationInfo("shop")).toMatchObject({ state: "stopping", processes: 1, members: [] });
    expect(steps).not.toContain("shop terminate normal");
    hold.resolve();
    await stop;
    expect(steps.slice(-3)).toEqual(["a ends", "detached ends", "shop terminate normal"]);
    expect(records).toMatchObject([{ level: "warning", text: "processes that nobody supervises were told to end" }]);
  });

  test("that takes over its time rejects with actor.application_stopping, and goes on", async () => {
    const { kernel, clock } = logged();
    const hold = Promise.withResolvers<void>();
    const part: Part = { label: "a", steps: [], hold: hold.promise };
    kernel.loadApplication(written("shop", [], { group: [{ actor: Member, args: [part] }] }));
    await kernel.startApplication("shop");
    const stop = expect(kernel.stopApplication("shop")).rejects.toThrow(code("actor.application_stopping"));
    await clock.advance(5_000);
    await stop;
    expect(state(kernel, "shop")).toBe("stopping");
    await expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_state"));
    expect(() => kernel.unloadApplication("shop")).toThrow(code("actor.application_running"));
    hold.resolve();
    await kernel.stopApplication("shop", { timeoutMs: 60_000 });
    expect(state(kernel, "shop")).toBe("loaded");
  });

  test("takes no new process from its beginning on, while everything else may go on", async () => {
    const { kernel } = logged();
    const refused: unknown[] = [];
    const stop = async (): Promise<void> => {
      const [member] = kernel.applicationInfo("shop").members as [PID];
      kernel.send(member, (self: Member) => {
        try {
          self.spawn(Member, { args: [{ label: "late", steps: [] }] });
        } catch (error) {
          refused.push(error);
        }
      });
      await settle();
    };
    kernel.loadApplication(written("shop", [], { stop }));
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    expect(refused).toEqual([code("actor.application_stopping")]);
  });

  test("kills what has not ended when as much time as for the callback has passed", async () => {
    const { kernel, clock, records } = logged();
    const group = [{ actor: Member, name: "deaf", args: [{ label: "a", steps: [] }] }];
    kernel.loadApplication(written("shop", [], { group, stopTimeoutMs: 1_000 }));
    await kernel.startApplication("shop");
    const { promise, resolve } = Promise.withResolvers<void>();
    kernel.send("deaf", () => promise);
    await settle();
    const stop = kernel.stopApplication("shop");
    await clock.advance(1_000);
    resolve();
    await stop;
    expect(records).toMatchObject([
      { text: "processes that did not end in time were killed", fields: { processes: ["deaf"] } },
      { report: "ended", text: "ended: kill" },
    ]);
  });

  test("with force kills, without the callback stop, and still calls terminate", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const child: Part = { label: "detached", steps };
    const part: Part = { label: "a", steps, begin: (member) => void member.spawn(Member, { args: [child] }) };
    kernel.loadApplication(written("shop", steps, { group: [{ actor: Member, args: [part] }], mode: "permanent" }));
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop", { force: true });
    expect(steps.slice(4)).toEqual(["a ends", "detached ends", "shop terminate kill"]);
  });

  test("with force ends one that hangs already", async () => {
    const { kernel, clock } = logged();
    const steps: string[] = [];
    kernel.loadApplication(written("shop", steps, { stop: () => new Promise(() => undefined) }));
    await kernel.startApplication("shop");
    const stop = kernel.stopApplication("shop", { timeoutMs: 60_000 });
    await settle();
    const force = kernel.stopApplication("shop", { timeoutMs: 60_000, force: true });
    await settle();
    expect(kernel.info().processes).toBe(0);
    await clock.advance(15_000);
    await Promise.all([stop, force]);
    expect(state(kernel, "shop")).toBe("loaded");
  });
});

describe("a kernel that stops", () => {
  test("stops its applications first, the last started first, and starts none any more", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    kernel.loadApplication(written("shop", steps, { dependsOn: ["db"] }));
    kernel.loadApplication(written("db", steps));
    kernel.spawn(Member, { args: [{ label: "alone", steps }] });
    await kernel.startApplication("shop");
    steps.length = 0;
    const stop = kernel.stop();
    await expect(kernel.startApplication("db")).rejects.toThrow(code("actor.node_terminated"));
    await stop;
    expect(steps).toEqual([
      "shop stop normal",
      "shop.a ends",
      "shop terminate normal",
      "db stop normal",
      "db.a ends",
      "db terminate normal",
      "alone ends",
    ]);
    expect(() => kernel.loadApplication(written("late", []))).toThrow(code("actor.node_terminated"));
  });

  test("waits 5 s for one application, then goes on with the rest, and kills what is left", async () => {
    const { kernel, clock } = logged();
    const steps: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    kernel.loadApplication(written("db", steps));
    kernel.loadApplication(written("deaf", steps));
    await kernel.startApplication("db");
    await kernel.startApplication("deaf");
    kernel.send(kernel.applicationInfo("deaf").members[0] as PID, () => promise);
    await settle();
    const stop = kernel.stop();
    await clock.advance(4_999);
    expect(state(kernel, "db")).toBe("running");
    await clock.advance(1);
    expect(state(kernel, "db")).toBe("loaded");
    await clock.advance(10_000);
    await stop;
    resolve();
    await settle();
    expect(steps.slice(-1)).toEqual(["deaf terminate normal"]);
  });

  test("ends one that is still being started", async () => {
    const { kernel, clock } = logged();
    kernel.loadApplication(written("waits", [], { dependsOn: ["hangs"] }));
    kernel.loadApplication(written("hangs", [], { init: () => new Promise(() => undefined) }));
    const start = expect(kernel.startApplication("waits")).rejects.toMatchObject({
      code: "actor.application_depends",
      cause: { code: "actor.timeout" },
    });
    await settle();
    const stop = kernel.stop();
    await clock.advance(15_000);
    await Promise.all([start, stop]);
    expect([kernel.info().state, kernel.info().processes]).toEqual(["stopped", 0]);
  });
});
