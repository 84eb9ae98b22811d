import { describe, expect, test } from "vitest";
import { Alias, later, MetaBehaviour, type PID, type Ref, Terminate } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { code, Recorder } from "./recorder.ts";

const boom = new Error("boom");

/** A parent with one meta-process that has begun. */
async function begun(meta: Recorder, options?: { mailboxLimit?: number }) {
  const staged = stage();
  const parent = inside(staged.kernel.spawn(Probe));
  const other = inside(staged.kernel.spawn(Probe));
  const alias = parent.spawnMeta(meta, options);
  await settle();
  return { ...staged, parent, other, alias };
}

/** Keeps the handler busy with its first message until `release`. */
function blocked() {
  const gate = Promise.withResolvers<void>();
  const meta = new Recorder({ react: (message) => (message === "block" ? gate.promise : undefined) });
  return { meta, release: () => gate.resolve() };
}

describe("mail to a meta-process", () => {
  test("reaches handleMessage with the PID of the sender (2), and a call is answered with the same value (1)", async () => {
    const meta = new Recorder();
    const { kernel, other, alias } = await begun(meta);
    expect(await kernel.call(alias, "ping-pong")).toBe("ping-pong");
    expect(await other.call(alias, "ping-pong")).toBe("ping-pong");
    other.send(alias, "hello");
    await settle();
    expect([meta.froms, meta.got]).toEqual([[other.self], ["hello"]]);
  });

  test("comes in the order of sending, whatever its priority (21)", async () => {
    const meta = new Recorder();
    const { other, alias } = await begun(meta);
    other.send(alias, 1);
    other.send(alias, 2, "max");
    other.send(alias, 3, "high");
    other.send(alias, 4);
    other.call(alias, 5, { priority: "max" }).catch(() => undefined);
    other.send(alias, 6, "max");
    await settle();
    expect(meta.got).toEqual([1, 2, 3, 4, 6]);
    expect(meta.calls.slice(2)).toEqual(["message", "message", "message", "message", "call", "message"]);
  });

  test("is overtaken by an exit, all but the message in progress (22)", async () => {
    const { meta, release } = blocked();
    const { other, alias } = await begun(meta);
    other.send(alias, "block");
    for (let i = 0; i < 100; i++) other.send(alias, i);
    await settle();
    other.sendExitMeta(alias, boom);
    await settle();
    expect(meta.ended).toEqual([]);
    release();
    await settle();
    expect([meta.got, meta.ended]).toEqual([["block"], [boom]]);
  });

  test("is overtaken by an inspection too, which is looked for before every message", async () => {
    const { meta, release } = blocked();
    const { kernel, alias } = await begun(meta);
    kernel.send(alias, "block");
    kernel.send(alias, 1);
    await settle();
    const inspected = kernel.inspect(alias);
    kernel.send(alias, 2);
    release();
    await inspected;
    await settle();
    expect(meta.calls.slice(2)).toEqual(["message", "inspect", "message", "message"]);
  });

  test("over the limit is refused with actor.meta_mailbox_full, while an exit still fits (23)", async () => {
    const { meta, release } = blocked();
    const { kernel, other, alias } = await begun(meta, { mailboxLimit: 2 });
    other.send(alias, "block");
    await settle();
    other.send(alias, 1);
    other.send(alias, 2);
    expect(() => other.send(alias, 3)).toThrow(code("actor.meta_mailbox_full"));
    expect(() => other.send(alias, 3, "max")).toThrow(code("actor.meta_mailbox_full"));
    await expect(other.call(alias, 3)).rejects.toThrow(code("actor.meta_mailbox_full"));
    expect(kernel.metaInfo(alias).mailbox).toEqual({ main: 2, system: 0 });
    other.sendExitMeta(alias, boom);
    kernel.inspect(alias).catch(() => undefined);
    expect(() => other.sendExitMeta(alias, boom)).toThrow(code("actor.meta_mailbox_full"));
    await expect(kernel.inspect(alias)).rejects.toThrow(code("actor.mailbox_full"));
    release();
    await settle();
    expect(meta.ended).toEqual([boom]);
  });

  test("has no fallback", async () => {
    const { meta } = blocked();
    const { kernel } = stage();
    const fallback = inside(kernel.spawn(Probe, { name: "fallback" }));
    const parent = inside(kernel.spawn(Probe, { mailboxLimit: 1, fallback: { name: "fallback" } }));
    const alias = parent.spawnMeta(meta, { mailboxLimit: 1 });
    kernel.send(alias, 1);
    expect(() => kernel.send(alias, 2)).toThrow(code("actor.meta_mailbox_full"));
    await settle();
    expect(fallback.got).toEqual([]);
  });

  test("is handled one at a time, beside start (25)", async () => {
    let running = 0;
    let most = 0;
    const meta = new Recorder({
      react: async () => {
        most = Math.max(most, ++running);
        await settle();
        running--;
      },
    });
    const { kernel, other, alias } = await begun(meta);
    meta.answer = () => meta.react(undefined, other.self);
    meta.describe = async () => {
      await meta.react(undefined, other.self);
      return {};
    };
    for (let i = 0; i < 5; i++) {
      other.send(alias, i);
      other.call(alias, i).catch(() => undefined);
      kernel.inspect(alias).catch(() => undefined);
    }
    for (let i = 0; i < 40; i++) await settle();
    expect(meta.calls.filter((call) => call !== "init" && call !== "start")).toHaveLength(15);
    expect([most, running]).toEqual([1, 0]);
  });

  test("is handled while start is busy, and start goes on while a handler is stuck", async () => {
    const { meta, release } = blocked();
    const rounds: number[] = [];
    const go = Promise.withResolvers<void>();
    meta.work = async () => {
      await go.promise;
      rounds.push(meta.got.length);
      await meta.over.promise;
    };
    const { other, alias, kernel } = await begun(meta);
    other.send(alias, 1);
    await settle();
    other.send(alias, "block");
    await settle();
    expect(kernel.metaInfo(alias).state).toBe("running");
    go.resolve();
    await settle();
    expect(rounds).toEqual([2]);
    release();
    await settle();
    expect(kernel.metaInfo(alias).state).toBe("sleep");
  });

  test("of a flood leaves other meta-processes and timers their turn", async () => {
    const { kernel, parent, alias } = await begun(new Recorder());
    const flooded = new Recorder({ react: () => parent.send(flood, 1) });
    const flood = parent.spawnMeta(flooded);
    kernel.send(flood, 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(await kernel.call(alias, "calm")).toBe("calm");
    kernel.exitMeta(flood, "normal");
    await settle();
    expect(flooded.got.length).toBeGreaterThan(1_000);
    expect(flooded.ended).toEqual(["normal"]);
  });
});

describe("a call to a meta-process", () => {
  test("is answered with a value, with an error as a value, and with nothing as a value", async () => {
    const meta = new Recorder();
    const { kernel, alias } = await begun(meta);
    expect(await kernel.call(alias, 1)).toBe(1);
    expect(await kernel.call(alias, boom)).toBe(boom);
    expect(await kernel.call(alias, undefined)).toBeUndefined();
    expect(await kernel.call(alias, "normal")).toBe("normal");
    expect(meta.ended).toEqual([]);
  });

  test("is answered later by ref, with a value or with an error, also outside of a handler", async () => {
    const asked: [PID, Ref][] = [];
    const meta = new Recorder({
      answer: (from, ref) => {
        asked.push([from, ref]);
        return later;
      },
    });
    const { other, alias } = await begun(meta);
    const answers = Promise.allSettled([other.call(alias, 1), other.call(alias, 2)]);
    await settle();
    const [[from, first] = [], [, second] = []] = asked as [[PID, Ref], [PID, Ref]];
    meta.meta.respond(from as PID, first as Ref, "yes");
    meta.meta.respondError(from as PID, second as Ref, boom);
    expect(await answers).toEqual([
      { status: "fulfilled", value: "yes" },
      { status: "rejected", reason: boom },
    ]);
  });

  test("with a value and normal is answered, then ends it", async () => {
    const meta = new Recorder({ answer: () => new Terminate("normal", "bye") });
    const { kernel, alias } = await begun(meta);
    expect(await kernel.call(alias, 1)).toBe("bye");
    await settle();
    expect(meta.ended).toEqual(["normal"]);
  });

  const silent: [string, Terminate, unknown][] = [
    ["normal and no value", new Terminate("normal"), "normal"],
    ["a value and another reason", new Terminate(boom, "lost"), boom],
    ["another reason", new Terminate(boom), boom],
  ];
  test.each(silent)("that gives back %s ends it without an answer", async (_title, given, reason) => {
    const meta = new Recorder({ answer: () => given });
    const { kernel, clock, alias } = await begun(meta);
    const call = expect(kernel.call(alias, 1)).rejects.toThrow(code("actor.timeout"));
    await clock.advance(5_010);
    await call;
    expect(meta.ended).toEqual([reason]);
  });

  test("of a meta-process that was written without handlers gets no answer, and that is reported", async () => {
    const { kernel, clock, parent, reports } = await begun(new Recorder());
    class Silent extends MetaBehaviour<unknown, { request: unknown; answer: unknown }> {
      override start(): Promise<void> {
        return new Promise(() => undefined);
      }
      override terminate(): void {
        // It never ends in this test.
      }
    }
    const alias = parent.spawnMeta(new Silent());
    kernel.send(alias, "what?");
    const call = expect(kernel.call(alias, 1)).rejects.toThrow(code("actor.timeout"));
    await clock.advance(5_010);
    await call;
    expect(reports.map((report) => report.kind)).toEqual(["unhandled", "unhandled"]);
  });
});

describe("an inspection of a meta-process", () => {
  test("gives what handleInspect does, with the PID that asks and the items (3)", async () => {
    const seen: unknown[] = [];
    const meta = new Recorder({
      describe: (from, items) => {
        seen.push(from, items);
        return { listener: "127.0.0.1:80" };
      },
    });
    const { kernel, other, alias } = await begun(meta);
    expect(await other.inspect(alias, ["listener"])).toEqual({ listener: "127.0.0.1:80" });
    expect(await kernel.inspect(alias)).toEqual({ listener: "127.0.0.1:80" });
    expect(seen).toEqual([other.self, ["listener"], kernel.core, []]);
    meta.describe = () => undefined;
    expect(await kernel.inspect(alias)).toEqual({});
  });

  test("of an unknown alias, or the alias of a process, fails with actor.meta_unknown, of another node with actor.not_allowed", async () => {
    const { kernel, other, alias } = await begun(new Recorder());
    const own = other.createAlias();
    const unknown = new Alias(alias.node, 99_999, alias.creation);
    await expect(kernel.inspect(own)).rejects.toThrow(code("actor.meta_unknown"));
    await expect(other.inspect(unknown)).rejects.toThrow(code("actor.meta_unknown"));
    await expect(other.inspect(new Alias("far@away", 1, 1))).rejects.toThrow(code("actor.not_allowed"));
  });
});

describe("the information about a meta-process", () => {
  test("has its address, parent, counters, queues, limit, priority, uptime and state", async () => {
    const { meta, release } = blocked();
    const { kernel, clock, parent, other, alias } = await begun(meta, { mailboxLimit: 9 });
    await clock.advance(1_500);
    other.send(alias, 1);
    other.send(alias, "block");
    other.send(alias, 2);
    await settle();
    meta.meta.send(other.self, "out");
    meta.meta.sendPriority = "high";
    expect(kernel.metaInfo(alias)).toEqual({
      application: undefined,
      logLevel: "info",
      alias,
      parent: parent.self,
      behaviour: "Recorder",
      state: "running",
      messagesIn: 2,
      messagesOut: 1,
      mailbox: { main: 1, system: 0 },
      mailboxLimit: 9,
      priority: "high",
      uptimeMs: 1_500,
    });
    expect(kernel.processInfo(parent.self).metas).toEqual([String(alias)]);
    release();
  });

  test("has -1 for no limit, and normal for a priority that there is not", async () => {
    const { kernel, parent } = await begun(new Recorder());
    const alias = parent.spawnMeta(new Recorder(), { priority: "urgent" as never });
    expect(kernel.metaInfo(alias)).toMatchObject({ mailboxLimit: -1, priority: "normal", state: "created" });
  });

  test("of an unknown alias fails with actor.process_unknown, of the alias of a process with actor.meta_unknown", async () => {
    const { kernel, other, alias } = await begun(new Recorder());
    const own = other.createAlias();
    expect(() => kernel.metaInfo(own)).toThrow(code("actor.meta_unknown"));
    expect(() => kernel.metaInfo(new Alias(alias.node, 99_999, alias.creation))).toThrow(code("actor.process_unknown"));
  });

  test("counts what comes in and goes out for its process too", async () => {
    const meta = new Recorder();
    const { kernel, parent, other, alias } = await begun(meta);
    other.send(alias, 1);
    other.send(alias, 2);
    await settle();
    meta.meta.send(other.self, 1);
    meta.meta.sendRequest(other.self, 1);
    await settle();
    expect(kernel.metaInfo(alias)).toMatchObject({ messagesIn: 3, messagesOut: 2 });
    expect(kernel.processInfo(parent.self)).toMatchObject({ messagesIn: 3, messagesOut: 2 });
    kernel.exitMeta(alias, "normal");
    await settle();
    expect(kernel.processInfo(parent.self).messagesIn).toBe(4);
  });
});

describe("an exit to a meta-process", () => {
  test("needs a reason, with actor.incorrect, and the alias of a meta-process, with actor.meta_unknown (31)", async () => {
    const { kernel, other, alias } = await begun(new Recorder());
    const own = other.createAlias();
    expect(() => other.sendExitMeta(alias, undefined as never)).toThrow(code("actor.incorrect"));
    expect(() => other.sendExitMeta(alias, null as never)).toThrow(code("actor.incorrect"));
    expect(() => other.sendExitMeta(own, "normal")).toThrow(code("actor.meta_unknown"));
    expect(() => kernel.exitMeta(other.self as never, "normal")).toThrow(code("actor.incorrect"));
    expect(() => other.sendExitMeta(new Alias(alias.node, 99_999, alias.creation), "normal")).toThrow(
      code("actor.alias_unknown"),
    );
    expect(() => other.sendExitMeta(new Alias("far@away", alias.id, alias.creation), "normal")).toThrow(
      code("actor.alias_unknown"),
    );
  });

  test("can be sent by any process of the node, also in its terminate, and ends it whatever the reason", async () => {
    const metas = [new Recorder(), new Recorder()];
    const { kernel, parent, other } = await begun(new Recorder());
    const [first, second] = metas.map((meta) => parent.spawnMeta(meta));
    other.sendExitMeta(first as Alias, "normal");
    other.terminate = () => other.sendExitMeta(second as Alias, boom);
    kernel.exit(other.self, "normal");
    await settle();
    expect(metas.map((meta) => meta.ended)).toEqual([["normal"], [boom]]);
  });

  test("later looks at the alias now and again then, can be cancelled, and is lost on one that has ended", async () => {
    const meta = new Recorder();
    const { kernel, clock, other, alias } = await begun(meta);
    expect(() => other.sendExitMetaAfter(other.createAlias(), "normal", 10)).toThrow(code("actor.meta_unknown"));
    expect(other.sendExitMetaAfter(alias, "normal", 10)()).toBe(true);
    const cancel = other.sendExitMetaAfter(alias, boom, 10);
    other.sendExitMetaAfter(alias, "kill", 20);
    await clock.advance(20);
    expect([meta.ended, cancel(), kernel.metas()]).toEqual([[boom], false, []]);
  });
});
