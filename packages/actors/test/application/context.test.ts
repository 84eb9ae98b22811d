import { describe, expect, test } from "vitest";
import { createKernel, type Kernel, type PID } from "../../src/index.ts";
import { inside, Probe, settle } from "../probe.ts";
import { logged, Member, type Part, written } from "./fixture.ts";

const code = (value: string) => expect.objectContaining({ code: value });

const state = (kernel: Kernel, name: string): string => kernel.applicationInfo(name).state;

describe("a callback", () => {
  test("that takes over 15 s is told to give up: init fails the start, the others are passed over", async () => {
    const { kernel, clock, records } = logged();
    const never = new Promise<void>(() => undefined);
    const aborted: unknown[] = [];
    kernel.loadApplication(
      written("slow", [], {
        init: ({ signal }) => {
          signal.addEventListener("abort", () => aborted.push(signal.reason));
          return never;
        },
      }),
    );
    const start = expect(kernel.startApplication("slow")).rejects.toThrow(code("actor.timeout"));
    await clock.advance(14_999);
    expect(aborted).toEqual([]);
    await clock.advance(1);
    await start;
    expect(aborted).toEqual([code("actor.timeout")]);
    expect(state(kernel, "slow")).toBe("loaded");

    kernel.loadApplication(written("shop", [], { start: () => never, stop: () => never, terminate: () => never }));
    const up = kernel.startApplication("shop");
    await clock.advance(15_000);
    await up;
    const down = kernel.stopApplication("shop", { timeoutMs: 60_000 });
    await clock.advance(15_000);
    expect(kernel.info().processes).toBe(0);
    expect(state(kernel, "shop")).toBe("stopping");
    await clock.advance(15_000);
    await down;
    expect(records.map(({ source, text, error }) => [source.kind, text, (error as { code?: string }).code])).toEqual([
      ["application", "start of the application failed", "actor.timeout"],
      ["application", "stop of the application failed", "actor.timeout"],
      ["application", "terminate of the application failed", "actor.timeout"],
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("has budgets of its own where the specification gives some", async () => {
    const { kernel, clock } = logged();
    kernel.loadApplication(written("shop", [], { init: () => new Promise(() => undefined), initTimeoutMs: 10 }));
    const start = expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.timeout"));
    await clock.advance(10);
    await start;
  });

  test("that throws in start or terminate is logged, and changes nothing else", async () => {
    const { kernel, records } = logged();
    const fail = () => {
      throw new Error("oh");
    };
    kernel.loadApplication(written("shop", [], { start: fail, terminate: fail }));
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    expect(state(kernel, "shop")).toBe("loaded");
    expect(records).toMatchObject([
      { level: "error", source: { kind: "application", name: "shop" }, error: { message: "oh" } },
      { level: "error", text: "terminate of the application failed" },
    ]);
  });
});

describe("a process of an application", () => {
  test("carries its name, and so does whatever it spawns, at any depth (112)", async () => {
    const { kernel } = logged();
    const seen: (string | undefined)[] = [];
    const leaf: Part = { label: "leaf", steps: [], begin: (member) => void seen.push(member.application) };
    const branch: Part = { label: "branch", steps: [], begin: (member) => void member.spawn(Member, { args: [leaf] }) };
    const root: Part = { label: "root", steps: [], begin: (member) => void member.spawn(Member, { args: [branch] }) };
    kernel.loadApplication(written("shop", [], { group: [{ actor: Member, name: "root", args: [root] }] }));
    await kernel.startApplication("shop");
    kernel.spawn(Member, { args: [{ ...leaf, label: "outside" }] });
    expect(seen).toEqual(["shop", undefined]);
    expect(kernel.processes().map((pid) => kernel.processInfo(pid).application)).toEqual(["shop", "shop", "shop", undefined]);
    const info = kernel.applicationInfo("shop");
    expect(info).toMatchObject({
      name: "shop",
      mode: "temporary",
      state: "running",
      requestedBy: "test@here",
      processes: 3,
      members: [{ id: 1_001 }],
      tree: [
        { name: "root", behaviour: "Member", state: "sleep", children: [{ children: [{ pid: { id: 1_003 }, children: [] }] }] },
      ],
    });
    expect(kernel.processInfo(info.members[0] as PID)).toMatchObject({ parent: kernel.core, leader: kernel.core });
  });

  test("begins with the variables of the kernel, under those of the specification, the start and the member", async () => {
    const kernel = createKernel({ env: { a: "kernel", b: "kernel", c: "kernel", d: "kernel", e: "kernel" } });
    const seen: unknown[] = [];
    const part: Part = {
      label: "a",
      steps: [],
      begin: (member) => void seen.push(["a", "B", "c", "d", "e"].map((name) => member.env(name))),
    };
    kernel.loadApplication(
      written("shop", [], {
        env: { B: "spec", c: "spec", d: "spec" },
        group: [{ actor: Member, args: [part], options: { env: { d: "member", e: undefined } } }],
      }),
    );
    await kernel.startApplication("shop", { env: { C: "start", d: "start" } });
    expect(seen).toEqual([["kernel", "spec", "start", "member", undefined]]);
    await kernel.stop();
  });

  test("logs from the level of its application on", async () => {
    const { kernel } = logged();
    kernel.loadApplication(written("shop", [], { logLevel: "error" }));
    await kernel.startApplication("shop");
    const [member] = kernel.applicationInfo("shop").members as [PID];
    expect(kernel.processInfo(member).logLevel).toBe("error");
  });
});

describe("the event core", () => {
  test("tells when an application has started and stopped, with its reason, also those who come later", async () => {
    const { kernel } = logged();
    const watcher = kernel.spawn(Probe);
    inside(watcher).monitorEvent("core");
    kernel.loadApplication(written("shop", []));
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    await settle();
    const told = [
      { kind: "application_started", name: "shop" },
      { kind: "application_stopped", name: "shop", reason: "normal" },
    ];
    expect(inside(watcher).got.map((event) => (event as { message: unknown }).message)).toEqual(told);
    const late = kernel.spawn(Probe);
    expect(
      inside(late)
        .linkEvent("core")
        .map(({ message }) => message),
    ).toEqual(told);
  });
});
