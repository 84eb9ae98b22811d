import { describe, expect, test } from "vitest";
import { Actor, later, type MessageResponse, PID, type Ref, Terminate } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("a call", () => {
  test("waits five seconds, or as long as it says; below a millisecond means the five seconds (40)", async () => {
    const { kernel, clock } = stage();
    const callee = kernel.spawn(Probe);
    inside(callee).answer = () => later;
    const over: string[] = [];
    for (const [name, timeoutMs] of Object.entries({ none: undefined, zero: 0, below: -5, long: 7_000 })) {
      const options = timeoutMs === undefined ? {} : { timeoutMs };
      void kernel.call(callee, 1, options).catch((error) => over.push(`${name} ${error.code}`));
    }
    await clock.advance(4_990);
    expect(over).toEqual([]);
    await clock.advance(20);
    expect(over.toSorted()).toEqual(["below actor.timeout", "none actor.timeout", "zero actor.timeout"]);
    await clock.advance(2_000);
    expect(over).toContain("long actor.timeout");
  });

  test("has an end: a time without one is actor.incorrect (40)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    await expect(kernel.call(pid, 1, { timeoutMs: Number.POSITIVE_INFINITY })).rejects.toThrow(code("actor.incorrect"));
    expect(() => inside(kernel.spawn(Probe)).sendRequest(pid, 1, { timeoutMs: Number.POSITIVE_INFINITY })).toThrow(
      code("actor.incorrect"),
    );
  });

  test("takes no late answer of an earlier one for its own (40)", async () => {
    const { kernel, clock } = stage();
    const [caller, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    const refs: [PID, Ref][] = [];
    callee.answer = (from, ref) => {
      refs.push([from, ref]);
      return later;
    };
    const first = expect(caller.call(callee.self, 1, { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(20);
    await first;
    const second = caller.call(callee.self, 2);
    await settle();
    callee.respond(...(refs[0] as [PID, Ref]), "late");
    callee.respond(...(refs[1] as [PID, Ref]), "right");
    callee.respond(...(refs[1] as [PID, Ref]), "again");
    expect(await second).toBe("right");
  });

  test("lets its caller read no other mail while it waits for it (40)", async () => {
    const { kernel } = stage();
    const [caller, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    let answer: (value: unknown) => void = () => undefined;
    callee.answer = () => new Promise((resolve) => (answer = resolve));
    kernel.send(caller.self, () => caller.call(callee.self, 1).then(() => undefined));
    kernel.send(caller.self, "urgent", "max");
    await settle();
    kernel.send(caller.self, "after", "max");
    await settle();
    expect(caller.got).toEqual(["urgent"]);
    answer(1);
    await settle();
    expect(caller.got).toEqual(["urgent", "after"]);
  });

  test("goes into the queue of its priority (40)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const order: unknown[] = [];
    inside(pid).answer = (_from, _ref, request) => void order.push(request);
    kernel.send(pid, () => void order.push("message"));
    await Promise.all([kernel.call(pid, "normal"), kernel.call(pid, "max", { priority: "max" })]);
    expect(order).toEqual(["max", "message", "normal"]);
  });

  test("with Terminate normal and no answer ends the callee without one (41)", async () => {
    const { kernel, clock } = stage();
    const pid = kernel.spawn(Probe);
    inside(pid).answer = () => new Terminate("normal");
    const silent = expect(kernel.call(pid, 1, { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(20);
    await silent;
    expect(inside(pid).ended).toEqual(["normal"]);
  });

  test("to an actor without a handler for it is reported and not answered (§4.1)", async () => {
    const { kernel, clock, reports } = stage();
    class Deaf extends Actor {}
    const pid = kernel.spawn(Deaf) as PID;
    kernel.send(pid, "x");
    const silent = expect(kernel.call(pid, "y", { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(20);
    await silent;
    expect(reports.map(({ kind }) => kind)).toEqual(["unhandled", "unhandled"]);
    expect(kernel.isAlive(pid)).toBe(true);
  });
});

describe("an answer", () => {
  test("to a requester that has ended is actor.process_unknown (§2.3)", async () => {
    const { kernel } = stage();
    const [caller, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    let asked: [PID, Ref] | undefined;
    callee.answer = (from, ref) => {
      asked = [from, ref];
      return later;
    };
    void caller.call(callee.self, 1).catch(() => undefined);
    await settle();
    kernel.kill(caller.self);
    await settle();
    expect(() => callee.respond(...(asked as [PID, Ref]), 1)).toThrow(code("actor.process_unknown"));
    expect(() => callee.respondError(...(asked as [PID, Ref]), new Error("x"))).toThrow(code("actor.process_unknown"));
  });

  test("to a call from outside that waits no more is actor.response_ignored (§2.3)", async () => {
    const { kernel, clock } = stage();
    const callee = inside(kernel.spawn(Probe));
    let asked: [PID, Ref] | undefined;
    callee.answer = (from, ref) => {
      asked = [from, ref];
      return later;
    };
    const call = expect(kernel.call(callee.self, 1, { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(20);
    await call;
    expect(() => callee.respond(...(asked as [PID, Ref]), 1)).toThrow(code("actor.response_ignored"));
  });
});

describe("a forwarded call", () => {
  test("goes to the queue of its priority, and on and on; the last one answers (§2.4)", async () => {
    const { kernel } = stage();
    const [a, b, c] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    a.answer = (from, ref, request) => {
      a.forward(b.self, from, ref, request, "max");
      return later;
    };
    b.answer = (from, ref, request) => {
      b.forward(c.self, from, ref, [request, "by b"]);
      return later;
    };
    c.answer = (from, _ref, request) => [from, request];
    kernel.send(b.self, "waits");
    expect(await kernel.call(a.self, "x")).toEqual([kernel.core, ["x", "by b"]]);
  });

  test("is refused by who is gone, ending or full (§2.4)", async () => {
    const { kernel } = stage();
    const front = inside(kernel.spawn(Probe));
    const [gone, ending, full] = [kernel.spawn(Probe), kernel.spawn(Probe), kernel.spawn(Probe, { mailboxLimit: 1 })];
    kernel.kill(gone);
    let finish: () => void = () => undefined;
    kernel.send(ending, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(ending);
    kernel.send(full, 1);
    const forwards = (to: PID) => [
      () => front.forward(to, kernel.core, kernel.makeRef(), 1),
      () => front.forwardMessage(to, kernel.core, 1),
    ];
    for (const forward of forwards(gone)) expect(forward).toThrow(code("actor.process_unknown"));
    for (const forward of forwards(ending)) expect(forward).toThrow(code("actor.process_terminated"));
    for (const forward of forwards(full)) expect(forward).toThrow(code("actor.mailbox_full"));
    for (const forward of forwards(new PID("other@host", 1_001, 1))) expect(forward).toThrow(code("actor.no_route"));
    finish();
  });
});

describe("a forwarded message", () => {
  test("comes from its original sender, in the queue of its priority (§2.4)", async () => {
    const { kernel } = stage();
    const [front, worker] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    const from: PID[] = [];
    front.forwardMessage(worker.self, kernel.core, "normal");
    front.forwardMessage(worker.self, kernel.core, (_probe: Probe, by: PID) => void from.push(by), "max");
    await settle();
    expect([worker.got, from]).toEqual([["normal"], [kernel.core]]);
  });
});

describe("a request that does not wait", () => {
  test("brings the callee's error, or its end as a timeout; several at once keep apart (§2.3)", async () => {
    const { kernel, clock } = stage();
    const [asker, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    callee.answer = (from, ref, request) => {
      if (request === "error") callee.respondError(from, ref, new Error("no"));
      return request === "answer" ? 42 : later;
    };
    for (const request of ["silence", "error", "answer"]) {
      asker.sendRequest(callee.self, request, { label: request, timeoutMs: 30 });
    }
    await clock.advance(40);
    const got = asker.got as MessageResponse[];
    expect(got.map(({ label, result, error }) => [label, result, error?.message])).toEqual([
      ["error", undefined, "no"],
      ["answer", 42, undefined],
      ["silence", undefined, expect.stringContaining("no answer")],
    ]);
  });

  test("comes back in the queue of its priority (§2.3)", async () => {
    const { kernel } = stage();
    const asker = kernel.spawn(Probe);
    let finish: () => void = () => undefined;
    kernel.send(asker, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    inside(asker).sendRequest(kernel.spawn(Probe), 1, { priority: "high" });
    await settle();
    expect(kernel.processInfo(asker).mailbox).toMatchObject({ system: 1, main: 0 });
    finish();
  });

  test("is cancelled once, by whoever made it, and its process stays free meanwhile (§2.3)", async () => {
    const { kernel, clock } = stage();
    const [asker, other, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    callee.answer = () => later;
    const ref = asker.sendRequest(callee.self, 1);
    expect(() => other.cancelRequest(ref)).toThrow(code("actor.request_unknown"));
    kernel.send(asker.self, "read");
    await settle();
    expect([asker.got, kernel.processInfo(asker.self).state]).toEqual([["read"], "sleep"]);
    asker.cancelRequest(ref);
    expect(() => asker.cancelRequest(ref)).toThrow(code("actor.request_unknown"));
    await clock.advance(6_000);
    expect(asker.got).toEqual(["read"]);
  });

  test("to nobody throws, and nothing waits (§2.3)", async () => {
    const { kernel, clock } = stage();
    const asker = inside(kernel.spawn(Probe));
    expect(() => asker.sendRequest("nobody", 1)).toThrow(code("actor.process_unknown"));
    await clock.advance(6_000);
    expect(asker.got).toEqual([]);
  });
});

describe("cancelWaitResponse", () => {
  test("of an unknown process is actor.process_unknown (49)", () => {
    const { kernel } = stage();
    const gone = new PID("test@here", 9_999, kernel.info().creation);
    expect(() => kernel.cancelWaitResponse(gone, kernel.makeRef())).toThrow(code("actor.process_unknown"));
    expect(() => kernel.cancelWaitResponse(kernel.spawn(Probe), kernel.makeRef())).toThrow(code("actor.incorrect"));
  });
});

describe("a killed process that waits", () => {
  test("has its call rejected with actor.process_terminated at once (50)", async () => {
    const { kernel } = stage();
    const [caller, callee] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    callee.answer = () => later;
    const seen: unknown[] = [];
    kernel.send(caller.self, () => caller.call(callee.self, 1).catch((error) => void seen.push(error)));
    await settle();
    kernel.kill(caller.self);
    await settle();
    expect([seen, caller.ended]).toEqual([[code("actor.process_terminated")], ["kill"]]);
  });
});

describe("an inspection", () => {
  test("is urgent, gives what handleInspect gives, and knows who asks and for what (§4.1)", async () => {
    const { kernel } = stage();
    const [asker, asked] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    asked.handleInspect = (from, items) => ({ from: String(from), items: items.join("+"), got: String(asked.got.length) });
    kernel.send(asked.self, "waits");
    expect(await asker.inspect(asked.self, ["a", "b"])).toEqual({ from: String(asker.self), items: "a+b", got: "0" });
    expect(await kernel.inspect(kernel.spawn(Probe))).toEqual({});
    await expect(kernel.inspect(new PID("other@host", 1_001, 1))).rejects.toThrow(code("actor.not_allowed"));
  });
});
