import { describe, expect, test } from "vitest";
import { type Alias, later, type PID, ProcessName, type Ref } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { code, Recorder } from "./recorder.ts";

const boom = new Error("boom");

async function begun(meta: Recorder = new Recorder()) {
  const staged = stage();
  const parent = inside(staged.kernel.spawn(Probe, { name: "parent", env: { region: "eu" } }));
  const other = inside(staged.kernel.spawn(Probe, { name: "other" }));
  const alias = parent.spawnMeta(meta);
  await settle();
  return { ...staged, parent, other, alias, meta };
}

describe("what a meta-process sends", () => {
  test("comes from the PID of its parent, to a PID, a name, a name at a node and an alias (6)", async () => {
    const { meta, parent, other } = await begun();
    const froms: PID[] = [];
    const say = (_probe: Probe, from: PID): void => void froms.push(from);
    for (const to of [other.self, "other", new ProcessName("other", "test@here"), other.createAlias()]) meta.meta.send(to, say);
    await settle();
    expect(froms).toEqual([parent.self, parent.self, parent.self, parent.self]);
  });

  test("comes to another meta-process from the PID of its parent too", async () => {
    const { meta, parent, other } = await begun();
    const sibling = new Recorder();
    meta.meta.send(other.spawnMeta(sibling), "hello");
    await settle();
    expect([sibling.froms, sibling.got]).toEqual([[parent.self], ["hello"]]);
  });

  test("can be sent in init, to the parent as well, whose mail it overtakes with priority max (27)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    kernel.send(parent.self, "waiting");
    const meta = new Recorder({ begin: (handle) => handle.send(parent.self, "urgent") });
    parent.spawnMeta(meta, { priority: "max" });
    meta.meta.sendPriority = "normal";
    meta.meta.send(parent.self, "ordinary");
    meta.meta.send(parent.self, "high", "high");
    await settle();
    expect(parent.got).toEqual(["urgent", "high", "waiting", "ordinary"]);
    expect(() => {
      meta.meta.sendPriority = "urgent" as never;
    }).toThrow(code("actor.incorrect"));
  });

  test("to a full mailbox of the parent is refused with actor.mailbox_full, without its fallback", async () => {
    const { kernel } = stage();
    const fallback = inside(kernel.spawn(Probe, { name: "fallback" }));
    const parent = inside(kernel.spawn(Probe, { mailboxLimit: 1, fallback: { name: "fallback" } }));
    const meta = new Recorder();
    parent.spawnMeta(meta);
    meta.meta.send(parent.self, 1);
    expect(() => meta.meta.send(parent.self, 2)).toThrow(code("actor.mailbox_full"));
    await settle();
    expect([parent.got, fallback.got]).toEqual([[1], []]);
  });

  test("to nobody is refused with actor.process_unknown", async () => {
    const { meta } = await begun();
    expect(() => meta.meta.send("nobody", 1)).toThrow(code("actor.process_unknown"));
  });

  test("after its end still arrives, and after the end of its parent only elsewhere", async () => {
    const { meta, kernel, parent, other, alias } = await begun();
    kernel.exitMeta(alias, "normal");
    await settle();
    meta.meta.send(parent.self, "goodbye");
    await settle();
    kernel.kill(parent.self);
    await settle();
    expect(() => meta.meta.send(parent.self, 1)).toThrow(code("actor.process_unknown"));
    meta.meta.send(other.self, "goodbye");
    await settle();
    expect([parent.got, other.got]).toEqual([["goodbye"], ["goodbye"]]);
  });
});

describe("the environment that a meta-process sees", () => {
  test("is that of its parent as it stands now (26)", async () => {
    const { meta, parent } = await begun();
    expect([meta.meta.env("Region"), meta.meta.env("zone")]).toEqual(["eu", undefined]);
    parent.setEnv("zone", 7);
    parent.setEnv("region", undefined);
    expect([meta.meta.env("REGION"), meta.meta.env("zone")]).toEqual([undefined, 7]);
    expect([...meta.meta.envList()]).toEqual([["ZONE", 7]]);
  });

  test("is empty where the parent has none", () => {
    const { kernel } = stage();
    const meta = new Recorder();
    inside(kernel.spawn(Probe)).spawnMeta(meta);
    expect([meta.meta.env("a"), [...meta.meta.envList()]]).toEqual([undefined, []]);
  });
});

describe("a timer of a meta-process", () => {
  test("sends once, later, and can be prevented until then", async () => {
    const { meta, clock, other } = await begun();
    const first = meta.meta.sendAfter(other.self, "first", 10);
    const second = meta.meta.sendAfter(other.self, "second", 10, "max");
    expect(second()).toBe(true);
    await clock.advance(10);
    expect([other.got, first(), second()]).toEqual([["first"], false, false]);
  });

  test("sends at a fixed rate, with a priority, until it is cancelled, and lives through failed deliveries", async () => {
    const { meta, clock, kernel, parent } = await begun();
    const late = inside(kernel.spawn(Probe));
    const cancel = meta.meta.sendEvery("ticks", "tick", 10, "high");
    await clock.advance(10);
    kernel.registerName("ticks", late.self);
    kernel.send(late.self, "earlier");
    await clock.advance(20);
    expect(late.got).toEqual(["earlier", "tick", "tick"]);
    expect([cancel(), cancel(), clock.pendingTimers]).toEqual([true, false, 0]);
    expect(() => meta.meta.sendEvery(parent.self, 1, 0)).toThrow(code("actor.incorrect"));
  });

  test("is dropped when the meta-process ends, and none can be set afterwards", async () => {
    const { meta, clock, kernel, other, alias } = await begun();
    meta.meta.sendAfter(other.self, 1, 10);
    meta.meta.sendEvery(other.self, 2, 10);
    kernel.exitMeta(alias, "normal");
    await settle();
    expect(clock.pendingTimers).toBe(0);
    expect(() => meta.meta.sendAfter(other.self, 1, 10)).toThrow(code("actor.not_allowed"));
    expect(() => meta.meta.sendEvery(other.self, 1, 10)).toThrow(code("actor.not_allowed"));
  });

  test("is dropped when the parent ends, even while a handler is stuck", async () => {
    const { meta, clock, kernel, parent, other, alias } = await begun();
    meta.react = () => new Promise(() => undefined);
    meta.meta.sendAfter(other.self, 1, 10);
    meta.meta.sendEvery(other.self, 2, 10);
    kernel.send(alias, "stuck");
    await settle();
    kernel.kill(parent.self);
    await settle();
    expect([meta.ended, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("that was set in an init which failed is dropped", () => {
    const { kernel, clock } = stage();
    const parent = inside(kernel.spawn(Probe));
    const begin = (handle: Recorder["meta"]): Error => {
      handle.sendAfter(parent.self, 1, 10);
      handle.sendEvery(parent.self, 1, 10);
      return boom;
    };
    expect(() => parent.spawnMeta(new Recorder({ begin }))).toThrow(boom);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a request of a meta-process", () => {
  test("is answered to its handleResponse, never to the parent: with a value, with an error, at its timeout (33)", async () => {
    const { meta, clock, parent, other } = await begun();
    other.answer = (from, ref, request) => {
      if (request === "fail") other.respondError(from, ref, boom);
      return request === "value" ? 42 : later;
    };
    const refs = ["value", "fail", "silence"].map((request) =>
      meta.meta.sendRequest(other.self, request, { label: request, timeoutMs: 100 }),
    );
    await settle();
    await clock.advance(110);
    const from = other.self;
    expect(meta.responses).toEqual([
      { ref: refs[0], from, label: "value", result: 42, error: undefined },
      { ref: refs[1], from, label: "fail", result: undefined, error: boom },
      { ref: refs[2], from, label: "silence", result: undefined, error: code("actor.timeout") },
    ]);
    expect([parent.got, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("that is cancelled gets no response (33)", async () => {
    const { meta, clock, other } = await begun();
    const ref = meta.meta.sendRequest(other.self, 1);
    meta.meta.cancelRequest(ref);
    expect(() => meta.meta.cancelRequest(ref)).toThrow(code("actor.request_unknown"));
    await clock.advance(6_000);
    expect(meta.responses).toEqual([]);
  });

  test("of another process cannot be cancelled", async () => {
    const { meta, parent, other } = await begun();
    const ref = parent.sendRequest(other.self, 1);
    expect(() => meta.meta.cancelRequest(ref)).toThrow(code("actor.request_unknown"));
  });

  test("can be made in init, in start and in a handler, and goes to a meta-process beside it too (33)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const other = kernel.spawn(Probe);
    const sibling = parent.spawnMeta(new Recorder({ answer: (from) => String(from) }));
    await settle();
    const ask = (label: string) => (): void => void meta.meta.sendRequest(sibling, label, { label });
    const meta = new Recorder({
      begin: (handle) => void handle.sendRequest(other, "init", { label: "init" }),
      work: () => {
        ask("start")();
        return meta.over.promise;
      },
      react: ask("handler"),
    });
    kernel.send(parent.spawnMeta(meta), 1);
    await settle();
    expect(meta.responses.map((response) => [response.label, response.result])).toEqual([
      ["init", "init"],
      ["start", String(parent.self)],
      ["handler", String(parent.self)],
    ]);
  });

  test("to itself or to its parent, by any address, is refused with actor.not_allowed (33)", async () => {
    const { meta, parent, alias } = await begun();
    const own = parent.createAlias();
    for (const to of [alias, parent.self, "parent", new ProcessName("parent", "test@here"), own]) {
      expect(() => meta.meta.sendRequest(to as Alias<never, { request: unknown; answer: unknown }>, 1)).toThrow(
        code("actor.not_allowed"),
      );
    }
  });

  test("that cannot be delivered throws, and nothing is left of it", async () => {
    const { meta, clock, kernel, other } = await begun();
    expect(() => meta.meta.sendRequest("nobody", 1)).toThrow(code("actor.process_unknown"));
    kernel.kill(other.self);
    expect(() => meta.meta.sendRequest(other.self, 1)).toThrow(code("actor.process_unknown"));
    await clock.advance(6_000);
    expect(meta.responses).toEqual([]);
  });

  test("answered after the end of the meta-process gives the responder actor.process_unknown (34)", async () => {
    const { meta, clock, kernel, other, alias } = await begun();
    const asked: [PID, Ref][] = [];
    other.answer = (from, ref) => {
      asked.push([from, ref]);
      return later;
    };
    meta.meta.sendRequest(other.self, 1);
    await settle();
    kernel.exitMeta(alias, "normal");
    await settle();
    const [from, ref] = asked[0] as [PID, Ref];
    expect(() => other.respond(from, ref, 1)).toThrow(code("actor.process_unknown"));
    await clock.advance(6_000);
    expect(meta.responses).toEqual([]);
    expect(() => meta.meta.sendRequest(other.self, 1)).toThrow(code("actor.not_allowed"));
    expect(() => meta.meta.respond(from, ref, 1)).toThrow(code("actor.not_allowed"));
  });
});

describe("the rest of the handle", () => {
  test("has the time of the kernel, the signal of the end, and reports what does not end it", async () => {
    const { meta, clock, kernel, parent, alias, reports } = await begun();
    let aborts = 0;
    meta.meta.signal.addEventListener("abort", () => aborts++);
    expect([meta.meta.now(), meta.meta.clock, meta.meta.id]).toEqual([clock.now(), clock, alias]);
    meta.meta.report("careful", boom);
    expect(reports).toEqual([{ kind: "meta", pid: parent.self, text: `${alias}: careful`, error: boom }]);
    kernel.exitMeta(alias, "shutdown");
    await settle();
    expect([aborts, meta.meta.signal.reason]).toEqual([1, "shutdown"]);
  });

  test("tells a handler that waits of an exit that came, and of an end without one", async () => {
    const { meta, kernel, alias, parent } = await begun();
    meta.react = () => new Promise((resolve) => meta.meta.exiting.addEventListener("abort", () => resolve(undefined)));
    kernel.send(alias, "slow");
    await settle();
    expect(meta.meta.exiting.aborted).toBe(false);
    kernel.exitMeta(alias, boom);
    expect([meta.meta.exiting.aborted, meta.meta.signal.aborted]).toEqual([true, false]);
    await settle();
    expect(meta.ended).toEqual([boom]);
    const returning = new Recorder();
    parent.spawnMeta(returning);
    const { exiting } = returning.meta;
    returning.over.resolve(undefined);
    await settle();
    expect([exiting.aborted, returning.meta.exiting]).toEqual([true, exiting]);
  });

  test("gives an aborted signal to who asks for it after the end", async () => {
    const { meta, kernel, alias } = await begun();
    kernel.exitMeta(alias, boom);
    await settle();
    expect([meta.meta.signal.aborted, meta.meta.signal.reason]).toEqual([true, boom]);
  });
});
