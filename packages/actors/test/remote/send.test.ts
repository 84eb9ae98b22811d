import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Alias, createMemoryLinks, type Link, later, PID, ProcessName, type Ref, Terminate } from "../../src/index.ts";
import { inside, Probe } from "../probe.ts";
import { greetOnly, join, node, pair, quiet } from "./cluster.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** A probe on the second node and one on the first. */
async function two(network = {}) {
  const [a, b] = await pair(network);
  const far = b.kernel.spawn(Probe, { name: "far" });
  const near = a.kernel.spawn(Probe);
  return { a, b, far, near: inside(near), pid: near };
}

describe("a message to another node", () => {
  test("arrives by PID, name and alias, from its sender, as a copy", async () => {
    const { a, b, far, near, pid } = await two();
    const senders: PID[] = [];
    inside(far).handleMessage = (from, message) => {
      senders.push(from);
      inside(far).got.push(message);
    };
    const message = { list: [1, { deep: true }] };
    for (const to of [far, new ProcessName("far", "b@here"), inside(far).createAlias()]) near.send(to, message);
    a.kernel.send(far, "from the kernel");
    await quiet();
    expect(inside(far).got).toEqual([message, message, message, "from the kernel"]);
    expect(inside(far).got[0]).not.toBe(message);
    expect(senders).toEqual([pid, pid, pid, a.kernel.core]);
    expect(b.kernel.info().creation).not.toBe(a.kernel.info().creation);
  });

  test("overtakes by its priority what waits there", async () => {
    const { far, near } = await two();
    near.send(far, "normal");
    near.send(far, "high", "high");
    near.send(far, "max", "max");
    near.setSendPriority("max");
    near.send(far, "max by default");
    await quiet();
    expect(inside(far).got).toEqual(["max", "max by default", "high", "normal"]);
  });

  test("keeps the order of its sender, whatever its size and however it is compressed", async () => {
    const { a, far } = await two();
    const sender = inside(a.kernel.spawn(Probe, { compression: { thresholdBytes: 1_024 } }));
    const sizes = fc.sample(fc.nat(20_000), { numRuns: 200, seed: 5 });
    for (const [n, size] of sizes.entries()) sender.send(far, { n, filler: "x".repeat(size) });
    await quiet();
    expect(inside(far).got.map((got) => (got as { n: number }).n)).toEqual(sizes.map((_, n) => n));
  });

  test("of a process with compression crosses as fewer bytes", async () => {
    const { a, far, near } = await two();
    const packed = inside(a.kernel.spawn(Probe, { compression: { type: "zlib" } }));
    const bytes = (): number => a.kernel.nodes()[0]?.bytesOut ?? 0;
    const before = bytes();
    near.send(far, "abc".repeat(5_000));
    await quiet();
    const plain = bytes() - before;
    packed.send(far, "abc".repeat(5_000));
    await quiet();
    expect(plain).toBeGreaterThan(15_000);
    expect(bytes() - before - plain).toBeLessThan(500);
    expect(inside(far).got).toEqual(["abc".repeat(5_000), "abc".repeat(5_000)]);
  });

  test("compressed below 1,024 bytes is an incorrect option, as is a level that zlib does not have", () => {
    const { kernel } = node("x");
    for (const compression of [{ thresholdBytes: 1_023 }, { level: 10 }, { type: "lzw" as never }]) {
      expect(() => kernel.spawn(Probe, { compression })).toThrow(code("actor.incorrect"));
    }
  });

  test("that cannot be sent throws at once: a function, too many bytes for the receiver, an address of an earlier life", async () => {
    const b = node("b", { maxMessageBytes: 1_000 });
    const a = node("a");
    await join(a, b);
    const far = b.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe, { compression: {} }));
    expect(() => near.send(far, () => 1)).toThrow(code("actor.not_sendable"));
    expect(() => near.send(far, "x".repeat(1_001))).toThrow(code("actor.too_large"));
    near.send(far, "x".repeat(900));
    expect(() => near.send(new PID("b@here", far.id, far.creation - 1), 1)).toThrow(code("actor.incarnation"));
    expect(() => near.send(new Alias("b@here", 5, far.creation - 1), 1)).toThrow(code("actor.incarnation"));
    await quiet();
    expect(inside(far).got).toEqual(["x".repeat(900)]);
    expect(a.kernel.processInfo(near.self as PID).messagesOut).toBe(1);
  });

  test("to a node without a way throws actor.no_route", () => {
    const probe = inside(node("a").kernel.spawn(Probe));
    expect(() => probe.send(new ProcessName("x", "z@nowhere"), 1)).toThrow(code("actor.no_route"));
    expect(() => probe.sendExit(new PID("z@nowhere", 1_001, 1), "normal")).toThrow(code("actor.no_route"));
  });

  test("sent by a timer, once or at a rate, arrives too", async () => {
    const { a, far, near } = await two();
    near.sendAfter(far, "once", 10);
    near.sendEvery(far, "tick", 10);
    near.sendAfter(far, () => 1, 10);
    await a.clock.advance(25);
    await quiet();
    expect(inside(far).got).toEqual(["once", "tick", "tick"]);
  });

  test("that does not fit into the mailbox goes to the fallback there, as from its sender", async () => {
    const { b, near } = await two();
    const spare = b.kernel.spawn(Probe, { name: "spare" });
    const full = b.kernel.spawn(Probe, { mailboxLimit: 1, fallback: { name: "spare", tag: "t" } });
    for (const n of [1, 2, 3]) near.send(full, n);
    await quiet();
    expect(inside(full).got).toEqual([1]);
    expect(inside(spare).got).toMatchObject([{ pid: full, tag: "t", message: 2 }, { message: 3 }]);
  });
});

describe("an exit signal to another node", () => {
  test("ends the process with the same error, known by its code", async () => {
    const { b, far, near } = await two();
    const boom = Object.assign(new Error("boom"), { code: "shop.sold_out" });
    near.sendExit(far, boom);
    await quiet();
    expect(b.kernel.isAlive(far)).toBe(false);
    expect(inside(far).ended).toMatchObject([{ code: "shop.sold_out", message: "boom" }]);
  });

  test("can be trapped, also one of the other kernel", async () => {
    const { a, far, near, pid } = await two();
    inside(far).setTrapExit(true);
    near.sendExit(far, "normal");
    near.sendExitAfter(far, "shutdown", 5);
    a.kernel.exit(far, "kill");
    await a.clock.advance(5);
    await quiet();
    expect(inside(far).got).toMatchObject([
      { kind: "pid", target: pid, reason: "normal" },
      { target: a.kernel.core, reason: "kill" },
      { target: pid, reason: "shutdown" },
    ]);
  });
});

describe("what is for the own node only", () => {
  test("is refused elsewhere: kill, inspection, the exit of a meta-process, information", async () => {
    const { a, far, near } = await two();
    const alias = inside(far).createAlias();
    expect(() => a.kernel.kill(far)).toThrow(code("actor.not_allowed"));
    expect(() => a.kernel.processInfo(far)).toThrow(code("actor.not_allowed"));
    expect(() => near.sendExitMeta(alias, "normal")).toThrow(code("actor.alias_unknown"));
    await expect(near.inspect(far)).rejects.toEqual(code("actor.not_allowed"));
    await expect(a.kernel.inspect(alias)).rejects.toEqual(code("actor.not_allowed"));
  });
});

describe("an important message", () => {
  test("to nobody rejects with actor.process_unknown, where a plain one says nothing (51)", async () => {
    const { a, b, near } = await two();
    const creation = b.kernel.info().creation;
    for (const to of [new PID("b@here", 77, creation), new ProcessName("nobody", "b@here"), new Alias("b@here", 77, creation)]) {
      near.send(to, 1);
      await expect(near.sendImportant(to, 1)).rejects.toEqual(code("actor.process_unknown"));
      await expect(a.kernel.sendImportant(to, 1)).rejects.toEqual(code("actor.process_unknown"));
    }
  });

  test("resolves when it is in the mailbox, before it is handled (52)", async () => {
    const { far, near } = await two();
    const release = Promise.withResolvers<undefined>();
    inside(far).react = () => release.promise;
    await near.sendImportant(far, "first");
    await near.sendImportant(far, "second");
    expect(inside(far).got).toEqual(["first"]);
    release.resolve(undefined);
    await quiet();
    expect(inside(far).got).toEqual(["first", "second"]);
  });

  test("to a full mailbox rejects with actor.mailbox_full, and that of a meta-process with its own code (53)", async () => {
    const { b, near } = await two();
    const release = Promise.withResolvers<undefined>();
    const full = b.kernel.spawn(Probe, { mailboxLimit: 1 });
    inside(full).react = () => release.promise;
    await near.sendImportant(full, 1);
    await near.sendImportant(full, 2);
    await expect(near.sendImportant(full, 3)).rejects.toEqual(code("actor.mailbox_full"));
    release.resolve(undefined);
  });

  test("to a node that does not take such is actor.unsupported, as is an important call (55)", async () => {
    const b = node("b", { flags: { importantDelivery: false } });
    const a = node("a");
    await join(a, b);
    const far = b.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe));
    await expect(near.sendImportant(far, 1)).rejects.toEqual(code("actor.unsupported"));
    await expect(near.call(far, 1, { important: true })).rejects.toEqual(code("actor.unsupported"));
    await expect(near.call(far, 1)).resolves.toBe(1);
    near.setImportantDelivery(true);
    expect(() => near.send(far, 1)).toThrow(code("actor.unsupported"));
  });

  test("on the own node is like any other", async () => {
    const { near, pid } = await two();
    await near.sendImportant(pid, 1);
    await expect(near.sendImportant("nobody", 1)).rejects.toEqual(code("actor.process_unknown"));
  });

  test("that a node does not confirm times out after 5 seconds", async () => {
    const a = node("a");
    const [left, right] = createMemoryLinks();
    await Promise.all([a.kernel.connect(left), greetOnly(right, "mute@here")]);
    const waiting = inside(a.kernel.spawn(Probe)).sendImportant(new ProcessName("x", "mute@here"), 1);
    const outcome = waiting.catch((error) => error);
    await a.clock.advance(5_008);
    expect(await outcome).toEqual(code("actor.timeout"));
  });

  test("is what a process that wants important delivery sends: people are told of what did not arrive", async () => {
    const { a, near } = await two();
    near.setImportantDelivery(true);
    near.send(new ProcessName("nobody", "b@here"), 1);
    await expect(near.call(new ProcessName("nobody", "b@here"), 1)).rejects.toEqual(code("actor.process_unknown"));
    await quiet();
    expect(a.reports).toContainEqual(expect.objectContaining({ kind: "undelivered", error: code("actor.process_unknown") }));
  });
});

describe("a call to another node", () => {
  test("is answered by PID, name and alias, at once or later, and by error", async () => {
    const { far, near } = await two();
    const alias = inside(far).createAlias();
    for (const to of [far, new ProcessName("far", "b@here"), alias]) {
      expect(await near.call(to, { ping: 1 })).toEqual({ ping: 1 });
    }
    inside(far).answer = () => undefined;
    expect(await near.call(far, 1)).toBeUndefined();
    inside(far).answer = (from, ref) => {
      inside(far).send(far, () => inside(far).respond(from, ref, "later"));
      return later;
    };
    expect(await near.call(far, 1)).toBe("later");
    inside(far).answer = (from, ref) => {
      inside(far).respondError(from, ref, Object.assign(new Error("no"), { code: "shop.sold_out" }));
      return later;
    };
    await expect(near.call(far, 1)).rejects.toEqual(code("shop.sold_out"));
  });

  test("whose callee ends with an answer gets it, without one waits for its timeout", async () => {
    const { a, b, far, near } = await two();
    inside(far).answer = () => new Terminate("normal", "bye");
    expect(await near.call(far, 1)).toBe("bye");
    await quiet();
    expect(b.kernel.isAlive(far)).toBe(false);
    const outcome = near.call(far, 1, { timeoutMs: 100 }).catch((error) => error);
    await a.clock.advance(120);
    expect(await outcome).toEqual(code("actor.timeout"));
  });

  test("to nobody fails at once if it is important, else by its timeout (56)", async () => {
    const { a, b, near } = await two();
    const to = new ProcessName("nobody", "b@here");
    await expect(near.call(to, 1, { important: true })).rejects.toEqual(code("actor.process_unknown"));
    const full = b.kernel.spawn(Probe, { mailboxLimit: 1 });
    const release = Promise.withResolvers<undefined>();
    inside(full).react = () => release.promise;
    await near.sendImportant(full, 1);
    await near.sendImportant(full, 2);
    await expect(near.call(full, 1, { important: true })).rejects.toEqual(code("actor.mailbox_full"));
    release.resolve(undefined);
    const outcome = near.call(to, 1, { timeoutMs: 100 }).catch((error) => error);
    await a.clock.advance(120);
    expect(await outcome).toEqual(code("actor.timeout"));
  });

  test("with a request that cannot be sent rejects, as does one whose answer cannot be", async () => {
    const { b, far, near } = await two();
    await expect(near.call(far, () => 1)).rejects.toEqual(code("actor.not_sendable"));
    inside(far).answer = () => () => 1;
    await expect(near.call(far, 1)).rejects.toEqual(code("actor.not_sendable"));
    expect(b.kernel.isAlive(far)).toBe(true);
    expect(b.reports).toContainEqual(expect.objectContaining({ kind: "undelivered" }));
  });

  test("leaves nothing behind, and its late answer wakes nobody", async () => {
    const { a, far, near, pid } = await two();
    let answer: (() => unknown) | undefined;
    inside(far).answer = (from, ref) => {
      answer = () => inside(far).respond(from, ref, "late");
      return later;
    };
    const outcome = near.call(far, 1, { timeoutMs: 50 }).catch((error) => error);
    await quiet();
    await a.clock.advance(60);
    expect(await outcome).toEqual(code("actor.timeout"));
    answer?.();
    await quiet();
    expect(a.kernel.processInfo(pid).state).toBe("sleep");
  });

  test("that does not wait is answered by one response", async () => {
    const { far, near } = await two();
    const ref = near.sendRequest(far, "q", { label: "l" });
    near.sendRequest(new ProcessName("nobody", "b@here"), 1, { important: true, label: "none" });
    const gone = near.sendRequest(far, "cancelled");
    near.cancelRequest(gone);
    await quiet();
    expect(near.got).toHaveLength(2);
    expect(near.got).toContainEqual({ ref, from: far, label: "l", result: "q", error: undefined });
    expect(near.got).toContainEqual(expect.objectContaining({ label: "none", error: code("actor.process_unknown") }));
  });

  test("is forwarded to a third node, which answers the caller by a way of its own (54)", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(b, c), join(c, a)]);
    const worker = c.kernel.spawn(Probe);
    inside(worker).answer = (_from, _ref, request) => ({ request, by: "c" });
    const middle = b.kernel.spawn(Probe);
    inside(middle).answer = (from, ref, request) => {
      inside(middle).forward(worker, from, ref, request);
      return later;
    };
    expect(await a.kernel.call(middle, "work")).toEqual({ request: "work", by: "c" });
    expect(await inside(a.kernel.spawn(Probe)).call(middle, "work")).toEqual({ request: "work", by: "c" });
  });

  test("that comes back to the node of its caller is answered there", async () => {
    const { a, b, near } = await two();
    const home = a.kernel.spawn(Probe);
    inside(home).answer = () => "home";
    const away = b.kernel.spawn(Probe);
    inside(away).answer = (from, ref, request) => {
      inside(away).forward(home, from, ref, request);
      return later;
    };
    expect(await near.call(away, 1)).toBe("home");
  });

  test("on one node may be answered by another one, to which PID and ref have travelled", async () => {
    const { a, far, near } = await two();
    const local = a.kernel.spawn(Probe);
    inside(local).answer = (from, ref) => {
      inside(local).send(far, { from, ref });
      return later;
    };
    inside(far).react = (message) => {
      const { from, ref } = message as { from: PID; ref: Ref };
      inside(far).respond(from, ref, "from afar");
    };
    expect(await near.call(local, 1)).toBe("from afar");
  });
});

describe("an important answer", () => {
  test("resolves when the caller has it, by value, by error, later and by a third node (54)", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(b, c), join(c, a)]);
    const caller = inside(a.kernel.spawn(Probe));
    const callee = inside(b.kernel.spawn(Probe));
    const third = inside(c.kernel.spawn(Probe));
    const given: unknown[] = [];
    const answers: ((from: PID, ref: Ref) => unknown)[] = [
      (from, ref) => callee.respond(from, ref, "value", { important: true }),
      (from, ref) => callee.respondError(from, ref, new Error("refused"), { important: true }),
      (from, ref) => third.respond(from, ref, "third", { important: true }),
    ];
    callee.answer = (from, ref) => {
      given.push(answers.shift()?.(from, ref));
      return later;
    };
    expect(await caller.call(callee.self as PID, 1)).toBe("value");
    await expect(caller.call(callee.self as PID, 1)).rejects.toThrow("refused");
    expect(await caller.call(callee.self as PID, 1)).toBe("third");
    for (const answer of given) expect(answer).toBeInstanceOf(Promise);
    await Promise.all(given);
  });

  test("to a caller that no longer waits is actor.response_ignored, to one that is gone actor.process_unknown (54)", async () => {
    const { a, far, near, pid } = await two();
    const asked: { from: PID; ref: Ref }[] = [];
    inside(far).answer = (from, ref) => {
      asked.push({ from, ref });
      return later;
    };
    const outcome = near.call(far, 1, { timeoutMs: 10 }).catch((error) => error);
    await quiet();
    await a.clock.advance(20);
    expect(await outcome).toEqual(code("actor.timeout"));
    const [{ from, ref } = { from: pid, ref: undefined as never }] = asked;
    await expect(inside(far).respond(from, ref, 1, { important: true })).rejects.toEqual(code("actor.response_ignored"));
    a.kernel.kill(pid);
    await expect(inside(far).respond(from, ref, 1, { important: true })).rejects.toEqual(code("actor.process_unknown"));
    expect(inside(far).respond(from, ref, 1)).toBeUndefined();
  });

  test("is what a process that wants important delivery gives, without waiting: people are told of what is ignored", async () => {
    const { a, b, far, near, pid } = await two();
    inside(far).setImportantDelivery(true);
    const asked: { from: PID; ref: Ref }[] = [];
    inside(far).answer = (from, ref) => {
      asked.push({ from, ref });
      return later;
    };
    near.call(far, 1).catch(() => undefined);
    await quiet();
    a.kernel.kill(pid);
    const [{ from, ref } = { from: pid, ref: undefined as never }] = asked;
    expect(inside(far).respond(from, ref, 1)).toBeUndefined();
    await quiet();
    expect(b.reports).toContainEqual(expect.objectContaining({ kind: "undelivered", error: code("actor.process_unknown") }));
  });

  test("that cannot be sent throws, and the caller can still be answered", async () => {
    const { far, near } = await two();
    inside(far).answer = (from, ref) => {
      expect(() => inside(far).respond(from, ref, () => 1)).toThrow(code("actor.not_sendable"));
      inside(far).respond(from, ref, "well then");
      return later;
    };
    expect(await near.call(far, 1)).toBe("well then");
  });
});

describe("a wait of a process for another node", () => {
  test("ends with its process: a killed waiter is not kept", async () => {
    const { a, near, pid, far } = await two();
    inside(far).answer = () => later;
    const ends: unknown[] = [];
    near.react = async () => {
      await near.call(far, 1).catch((error) => ends.push(error));
    };
    a.kernel.send(pid, "go");
    await quiet();
    expect(a.kernel.processInfo(pid).state).toBe("wait_response");
    a.kernel.kill(pid);
    await quiet();
    expect(ends).toEqual([code("actor.process_terminated")]);
    expect(near.ended).toEqual(["kill"]);
  });
});

describe("mail for a node that does not read", () => {
  test("is refused with actor.link_full once too much of it waits, and flows again when the node reads on", async () => {
    const [left, right] = createMemoryLinks();
    const stall = { isOn: false, resume: () => undefined as unknown };
    // A link whose other end takes nothing while it is stalled.
    const slow: Link = {
      maxBatchBytes: left.maxBatchBytes,
      isTrusted: true,
      listen: (events) => {
        left.listen(events);
        stall.resume = () => events.onDrain();
      },
      send: (batch) => left.send(batch) && !stall.isOn,
      close: (error) => left.close(error),
    };
    const a = node("a", { maxOutgoingBytes: 200_000 });
    const b = node("b");
    await Promise.all([a.kernel.connect(slow), b.kernel.connect(right)]);
    const far = b.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe));
    stall.isOn = true;
    let sent = 0;
    const flood = (): void => {
      for (; sent < 1_000; sent++) near.send(far, { n: sent, filler: "x".repeat(1_000) });
    };
    expect(flood).toThrow(code("actor.link_full"));
    expect(sent).toBeLessThan(400);
    expect(a.kernel.nodes()[0]?.waitingBytes).toBeLessThan(280_000);
    await expect(near.call(far, 1)).rejects.toEqual(code("actor.link_full"));
    await expect(near.sendImportant(far, 1)).rejects.toEqual(code("actor.link_full"));
    await expect(near.monitor(far)).rejects.toEqual(code("actor.link_full"));
    stall.isOn = false;
    stall.resume();
    await quiet();
    near.send(far, { n: sent });
    await quiet();
    expect(inside(far).got.map((got) => (got as { n: number }).n)).toEqual(Array.from({ length: sent + 1 }, (_, n) => n));
  });
});
