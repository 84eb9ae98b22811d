import { describe, expect, test } from "vitest";
import { Alias, later, type MessageResponse, PID, ProcessName } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("37 a send to nobody", () => {
  test("throws actor.process_unknown for a PID, a name and an alias", () => {
    const { kernel } = stage();
    const gone: PID = new PID("test@here", 9, kernel.info().creation);
    for (const to of [gone, "nobody", new ProcessName("nobody"), new Alias("test@here", 9, kernel.info().creation)]) {
      expect(() => kernel.send(to as PID, 1)).toThrow(code("actor.process_unknown"));
    }
  });
});

describe("38 a call", () => {
  test("finds its target by PID, name and alias", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "echo" });
    const alias = inside(pid).createAlias();
    expect(await kernel.call(pid, 1)).toBe(1);
    expect(await kernel.call("echo", 2)).toBe(2);
    expect(await kernel.call(alias, 3)).toBe(3);
  });

  test("that is forwarded is answered by another process", async () => {
    const { kernel } = stage();
    const worker = kernel.spawn(Probe);
    const front = kernel.spawn(Probe);
    inside(worker).answer = () => "from the worker";
    inside(front).answer = (from, ref, request) => {
      inside(front).forward(worker, from, ref, request);
      return later;
    };
    expect(await kernel.call(front, "x")).toBe("from the worker");
  });

  test("is answered later by any process", async () => {
    const { kernel } = stage();
    const other = kernel.spawn(Probe);
    const callee = kernel.spawn(Probe);
    inside(callee).answer = (from, ref) => {
      inside(callee).send(other, () => inside(other).respond(from, ref, "late"));
      return later;
    };
    expect(await kernel.call(callee, "x")).toBe("late");
  });

  test("without an answer ends with actor.timeout after its time", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    inside(callee).answer = () => later;
    const call = expect(kernel.call(callee, "x", { timeoutMs: 100 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(120);
    await call;
  });
});

describe("39 a call to nobody", () => {
  test("rejects with actor.process_unknown at once", async () => {
    await expect(stage().kernel.call("nobody", 1)).rejects.toThrow(code("actor.process_unknown"));
  });
});

describe("41 an answer with an error", () => {
  test("by respondError is what the call rejects with", async () => {
    const { kernel } = stage();
    const callee = kernel.spawn(Probe);
    inside(callee).answer = (from, ref) => {
      inside(callee).respondError(from, ref, new Error("no"));
      return later;
    };
    await expect(kernel.call(callee, 1)).rejects.toThrow("no");
  });

  test("as a result is an ordinary value", async () => {
    const { kernel } = stage();
    const callee = kernel.spawn(Probe);
    inside(callee).answer = () => new Error("a value");
    expect(await kernel.call(callee, 1)).toBeInstanceOf(Error);
  });
});

describe("42 a process that calls itself", () => {
  test("is refused by PID, name and alias", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { name: "me" });
    const alias = inside(pid).createAlias();
    for (const to of [pid, "me", alias]) {
      await expect(inside(pid).call(to as PID, 1)).rejects.toThrow(code("actor.not_allowed"));
    }
  });
});

describe("43 the mailbox", () => {
  test("gives max before high before normal, each in order", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    for (const message of ["a", "b", "c"]) kernel.send(pid, message);
    kernel.send(pid, "max", "max");
    kernel.send(pid, "high", "high");
    await settle();
    expect(inside(pid).got).toEqual(["max", "high", "a", "b", "c"]);
  });

  test("looks at its queues anew after each message", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    inside(pid).react = (message) => (message === "a" ? kernel.send(pid, "urgent", "max") : undefined);
    kernel.send(pid, "a");
    kernel.send(pid, "b");
    await settle();
    expect(inside(pid).got).toEqual(["a", "urgent", "b"]);
  });

  test("refuses mail over its limit, for each queue by itself", () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    kernel.send(pid, 1);
    expect(() => kernel.send(pid, 2)).toThrow(code("actor.mailbox_full"));
    kernel.send(pid, 3, "high");
  });

  test("waits while a callback's promise is open", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    let finish: () => void = () => undefined;
    inside(pid).react = (message) => (message === "slow" ? new Promise<void>((resolve) => (finish = resolve)) : undefined);
    kernel.send(pid, "slow");
    kernel.send(pid, "next");
    await settle();
    expect(inside(pid).got).toEqual(["slow"]);
    finish();
    await settle();
    expect(inside(pid).got).toEqual(["slow", "next"]);
  });
});

describe("45 a fallback", () => {
  test("gets what does not fit, from the original sender, but no calls and no mail to itself", async () => {
    const { kernel } = stage();
    const spare = kernel.spawn(Probe, { name: "spare" });
    const pid = kernel.spawn(Probe, { mailboxLimit: 1, fallback: { name: "spare", tag: "t" } });
    kernel.send(pid, 1);
    kernel.send(pid, 2);
    expect(() => inside(pid).send(pid, 4)).toThrow(code("actor.mailbox_full"));
    await expect(kernel.call(pid, 3)).rejects.toThrow(code("actor.mailbox_full"));
    await settle();
    expect(inside(spare).got).toMatchObject([{ pid, tag: "t", message: 2 }]);
  });
});

describe("46 a message to itself in init", () => {
  test("is handled right after init", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { args: [(probe) => inside(probe.self).send(probe.self, "hello")] });
    await settle();
    expect(inside(pid).got).toEqual(["hello"]);
  });
});

describe("47 sendAfter", () => {
  test("is cancelled with true before it fires and with false after", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    const first = inside(pid).sendAfter(pid, "first", 10);
    const second = inside(pid).sendAfter(pid, "second", 10);
    expect(first()).toBe(true);
    await clock.advance(10);
    expect(second()).toBe(false);
    expect(inside(pid).got).toEqual(["second"]);
  });

  test("sendEvery keeps its rate and stops with its owner", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    const owner = kernel.spawn(Probe);
    inside(owner).sendEvery(pid, "tick", 10);
    await clock.advance(35);
    kernel.kill(owner);
    await clock.advance(50);
    expect(inside(pid).got).toEqual(["tick", "tick", "tick"]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("49 cancelWaitResponse", () => {
  test("ends the wait with actor.canceled; another ref is actor.incorrect", async () => {
    const { kernel } = stage();
    const callee = kernel.spawn(Probe);
    const caller = kernel.spawn(Probe);
    let seen: import("../src/index.ts").Ref | undefined;
    inside(callee).answer = (_from, ref) => {
      seen = ref;
      return later;
    };
    const call = expect(inside(caller).call(callee, 1)).rejects.toThrow(code("actor.canceled"));
    await settle();
    if (seen === undefined) throw new Error("the call did not arrive");
    const ref = seen;
    expect(() => kernel.cancelWaitResponse(callee, ref)).toThrow(code("actor.incorrect"));
    kernel.cancelWaitResponse(caller, ref);
    await call;
    expect(() => kernel.cancelWaitResponse(caller, ref)).toThrow(code("actor.incorrect"));
  });
});

describe("50 a killed process that waits", () => {
  test("ends at once", async () => {
    const { kernel } = stage();
    const callee = kernel.spawn(Probe);
    const caller = kernel.spawn(Probe);
    inside(callee).answer = () => later;
    kernel.send(caller, () => inside(caller).call(callee, 1));
    await settle();
    expect(kernel.processInfo(caller).state).toBe("wait_response");
    kernel.kill(caller);
    await settle();
    expect(inside(caller).ended).toEqual(["kill"]);
  });
});

describe("54 an important answer that nobody waits for", () => {
  test("throws actor.response_ignored; a plain one is dropped", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    const caller = kernel.spawn(Probe);
    const answers: (() => void)[] = [];
    inside(callee).answer = (from, ref) => {
      answers.push(() => inside(callee).respond(from, ref, 1));
      answers.push(() => inside(callee).respond(from, ref, 1, { important: true }));
      return later;
    };
    const call = expect(inside(caller).call(callee, 1, { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(20);
    await call;
    answers[0]?.();
    expect(answers[1]).toThrow(code("actor.response_ignored"));
  });
});

describe("a request that does not wait", () => {
  test("brings exactly one response, with its label", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    const asker = kernel.spawn(Probe);
    const ref = inside(asker).sendRequest(callee, "x", { label: "mine" });
    await clock.advance(10_000);
    expect(inside(asker).got).toEqual([{ ref, from: callee, label: "mine", result: "x", error: undefined }]);
  });

  test("brings actor.timeout if no answer comes, and nothing once it is cancelled", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    const asker = kernel.spawn(Probe);
    inside(callee).answer = () => later;
    inside(asker).sendRequest(callee, "x", { timeoutMs: 50 });
    inside(asker).cancelRequest(inside(asker).sendRequest(callee, "y", { timeoutMs: 50 }));
    await clock.advance(100);
    expect(inside(asker).got).toHaveLength(1);
    expect((inside(asker).got[0] as MessageResponse).error).toEqual(code("actor.timeout"));
  });
});
