import { describe, expect, test } from "vitest";
import { Actor, type Alias, MessageDown, MessageExit, type PID, type Reason, Terminate } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { code, Recorder } from "./recorder.ts";

const boom = new Error("boom");

/** A parent with one meta-process that a trapping process links and another monitors. */
async function watched(meta: Recorder) {
  const staged = stage();
  const { kernel } = staged;
  const parent = kernel.spawn(Probe);
  const [linked, monitoring] = [kernel.spawn(Probe), kernel.spawn(Probe)];
  inside(linked).setTrapExit(true);
  const alias = inside(parent).spawnMeta(meta);
  inside(linked).link(alias);
  inside(monitoring).monitor(alias);
  await settle();
  return { ...staged, parent, alias, told: () => [...inside(linked).got, ...inside(monitoring).got] };
}

describe("the end of a meta-process", () => {
  const ends: [string, Partial<Recorder>, Reason | ReturnType<typeof code>][] = [
    ["with normal when start returns (10)", { work: () => undefined }, "normal"],
    ["with the reason that start returns (10)", { work: () => boom }, boom],
    ["with the reason that start throws in a Terminate (10)", { work: () => Promise.reject(new Terminate(boom)) }, boom],
    ["with actor.panic when start throws (11)", { work: () => Promise.reject(boom) }, code("actor.panic")],
    [
      "with actor.panic when start throws at once (11)",
      {
        work: () => {
          throw boom;
        },
      },
      code("actor.panic"),
    ],
  ];
  test.each(ends)("comes %s, and watchers and terminate see the same, once", async (_title, changes, reason) => {
    const meta = new Recorder(changes);
    const { alias, told, kernel } = await watched(meta);
    expect(meta.ended).toEqual([reason]);
    expect(told()).toEqual([
      new MessageExit("alias", alias, reason as Reason),
      new MessageDown("alias", alias, reason as Reason),
    ]);
    expect(kernel.metas()).toEqual([]);
  });

  const handlers: [string, (meta: Recorder, kernel: ReturnType<typeof stage>["kernel"], alias: Alias) => void, unknown][] = [
    ["the reason that a handler returns, normal too", (_m, kernel, alias) => kernel.send(alias, () => "normal"), "normal"],
    ["the reason that a handler rejects with", (_m, k, alias) => k.send(alias, () => Promise.reject(new Terminate(boom))), boom],
    [
      "actor.panic when a handler throws (13)",
      (_m, kernel, alias) =>
        kernel.send(alias, () => {
          throw boom;
        }),
      code("actor.panic"),
    ],
    ["actor.panic when a handler rejects (13)", (_m, k, alias) => k.send(alias, () => Promise.reject(boom)), code("actor.panic")],
    [
      "actor.panic when a call's handler throws",
      (meta, kernel, alias) => {
        meta.answer = () => {
          throw boom;
        };
        kernel.call(alias, 1).catch(() => undefined);
      },
      code("actor.panic"),
    ],
    [
      "actor.panic when an inspection throws",
      (meta, kernel, alias) => {
        meta.describe = () => {
          throw boom;
        };
        kernel.inspect(alias).catch(() => undefined);
      },
      code("actor.panic"),
    ],
    ["exactly the reason of an exit (5)", (_m, kernel, alias) => kernel.exitMeta(alias, boom), boom],
  ];
  test.each(handlers)("has %s, and terminate runs once", async (_title, act, reason) => {
    const meta = new Recorder();
    const { alias, told, kernel } = await watched(meta);
    act(meta, kernel, alias);
    await settle();
    expect(meta.ended).toEqual([reason]);
    expect(told().map((message) => (message as MessageExit).reason)).toEqual([reason, reason]);
    expect(kernel.metas()).toEqual([]);
  });

  test("is told to a process that links the alias and traps exits (7)", async () => {
    const meta = new Recorder();
    const { alias, told, kernel } = await watched(meta);
    kernel.exitMeta(alias, boom);
    await settle();
    expect(told()[0]).toEqual(new MessageExit("alias", alias, boom));
  });

  test("has the reason of the first of two exits, and one terminate (18)", async () => {
    const meta = new Recorder();
    const { alias, kernel } = await watched(meta);
    kernel.exitMeta(alias, boom);
    kernel.exitMeta(alias, "shutdown");
    await settle();
    expect(meta.ended).toEqual([boom]);
  });

  test("has been told to watchers, and the alias is gone, when terminate runs (19)", async () => {
    const seen: unknown[] = [];
    const meta = new Recorder();
    const { alias, kernel, parent } = await watched(meta);
    meta.close = () => {
      seen.push(meta.meta.signal.aborted, kernel.info().aliases);
      try {
        inside(parent).send(alias, 1);
      } catch (error) {
        seen.push(error);
      }
      seen.push(kernel.processes().map((pid) => kernel.processInfo(pid).mailbox));
      meta.over.resolve(undefined);
    };
    kernel.exitMeta(alias, "normal");
    await settle();
    const idle = { urgent: 0, system: 0, main: 0, log: 0 };
    expect(seen).toEqual([true, 0, code("actor.process_unknown"), [idle, { ...idle, urgent: 1 }, { ...idle, system: 1 }]]);
  });

  test("makes its alias unknown to sends, calls, exits, links and monitors (17)", async () => {
    const { alias, kernel, parent } = await watched(new Recorder({ work: () => undefined }));
    expect(() => kernel.send(alias, 1)).toThrow(code("actor.process_unknown"));
    await expect(kernel.call(alias, 1)).rejects.toThrow(code("actor.process_unknown"));
    expect(() => kernel.exitMeta(alias, "normal")).toThrow(code("actor.alias_unknown"));
    expect(() => inside(parent).link(alias)).toThrow(code("actor.alias_unknown"));
    expect(() => inside(parent).monitor(alias)).toThrow(code("actor.alias_unknown"));
    expect(() => inside(parent).deleteAlias(alias)).toThrow(code("actor.alias_unknown"));
    expect(() => inside(parent).sendExitMetaAfter(alias, "normal", 1)).toThrow(code("actor.alias_unknown"));
  });

  test("drops the mail that waits, and what a handler does afterwards changes nothing", async () => {
    const handling = Promise.withResolvers<Reason>();
    const meta = new Recorder({ react: () => handling.promise });
    const { alias, kernel } = await watched(meta);
    for (const message of [1, 2, 3]) kernel.send(alias, message);
    await settle();
    meta.over.resolve(undefined); // start returns while a handler runs
    await settle();
    handling.resolve(boom);
    await settle();
    expect([meta.got, meta.ended]).toEqual([[1], ["normal"]]);
  });

  test("is reported, unless it was normal or shutdown", async () => {
    const { kernel, reports } = stage();
    const parent = inside(kernel.spawn(Probe));
    for (const reason of ["normal", "shutdown", boom] as Reason[]) {
      kernel.exitMeta(parent.spawnMeta(new Recorder()), reason);
    }
    await settle();
    expect(reports).toMatchObject([{ kind: "ended", pid: parent.self, error: boom }]);
  });

  test("goes on when terminate throws or rejects, after a panic as well, and that is reported", async () => {
    const { kernel, reports } = stage();
    const parent = inside(kernel.spawn(Probe));
    const fail = (): never => {
      throw boom;
    };
    for (const close of [fail, () => Promise.reject(boom)]) parent.spawnMeta(new Recorder({ work: fail, close }));
    await settle();
    expect(reports.map((report) => report.kind).toSorted()).toEqual(["ended", "ended", "terminate_failed", "terminate_failed"]);
    expect(kernel.metas()).toEqual([]);
    expect(kernel.isAlive(parent.self)).toBe(true);
  });
});

describe("the end of the parent of a meta-process", () => {
  const parents = [
    ["an exit, bare of any wrapping (9)", (parent: PID, by: Probe) => by.sendExit(parent, boom), boom],
    ["a kill (30)", (parent: PID, by: Probe) => by.send(parent, () => "kill"), "kill"],
    ["normal", (parent: PID, by: Probe) => by.send(parent, () => "normal"), "normal"],
  ] as const;
  test.each(parents)("ends it with the reason of the parent: %s", async (_title, end, reason) => {
    const meta = new Recorder();
    const { parent, kernel, told } = await watched(meta);
    end(parent, inside(kernel.spawn(Probe)));
    await settle();
    expect(meta.ended).toEqual([reason]);
    expect(told()).toMatchObject([{ reason }, { reason }]);
    expect(kernel.metas()).toEqual([]);
  });

  test("by kill ends it with kill (30)", async () => {
    const meta = new Recorder();
    const { parent, kernel } = await watched(meta);
    kernel.kill(parent);
    await settle();
    expect(meta.ended).toEqual(["kill"]);
  });

  test("in an init that fails ends it with the error of the init, and start is not entered (29)", async () => {
    const { kernel } = stage();
    const meta = new Recorder();
    const fail = (probe: Probe): never => {
      probe.spawnMeta(meta);
      throw new Terminate(boom);
    };
    expect(() => kernel.spawn(Probe, { args: [fail] })).toThrow(boom);
    await settle();
    expect([meta.ended, meta.calls]).toEqual([[boom], ["init", "terminate"]]);
    expect([kernel.metas(), kernel.info().aliases]).toEqual([[], 0]);
  });

  test("in an init that gives an error back ends it with that error (29)", async () => {
    const { kernel } = stage();
    const meta = new Recorder();
    class Failing extends Actor {
      override init(): Error {
        this.spawnMeta(meta);
        return boom;
      }
    }
    expect(() => kernel.spawn(Failing)).toThrow(boom);
    await settle();
    expect(meta.ended).toEqual([boom]);
  });

  test("ends all its meta-processes, also those that others spawned, and even with a full queue", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const first = new Recorder();
    const second = new Recorder();
    const alias = parent.spawnMeta(first, { mailboxLimit: 1 });
    await settle();
    first.meta.spawn(second);
    await settle();
    kernel.inspect(alias).catch(() => undefined); // fills the queue of exits
    kernel.kill(parent.self);
    await settle();
    expect([first.ended, second.ended]).toEqual([["kill"], ["kill"]]);
  });

  test("waits behind a handler that is stuck, and meanwhile an exit is refused with actor.process_terminated", async () => {
    const stuck = Promise.withResolvers<void>();
    const meta = new Recorder({ react: () => stuck.promise });
    const { parent, alias, kernel } = await watched(meta);
    const other = inside(kernel.spawn(Probe));
    kernel.send(alias, "write");
    await settle();
    kernel.kill(parent);
    await settle();
    expect(meta.ended).toEqual([]);
    expect(() => other.sendExitMeta(alias, "normal")).toThrow(code("actor.process_terminated"));
    expect(() => meta.meta.sendAfter(other.self, 1, 1)).toThrow(code("actor.not_allowed"));
    expect(() => meta.meta.spawn(new Recorder())).toThrow(code("actor.not_allowed"));
    stuck.resolve();
    await settle();
    expect(meta.ended).toEqual(["kill"]);
  });
});

describe("a start that never returns", () => {
  test("is reported after five seconds, and stays on the list of its process until it does", async () => {
    const { kernel, clock, reports } = stage();
    const parent = inside(kernel.spawn(Probe));
    const meta = new Recorder({ close: () => undefined });
    const alias = parent.spawnMeta(meta);
    await settle();
    kernel.exitMeta(alias, "normal");
    await clock.advance(4_999);
    expect(reports).toEqual([]);
    await clock.advance(1);
    expect(reports).toMatchObject([{ kind: "meta_leaked", pid: parent.self, text: expect.stringContaining("start goes on") }]);
    expect(kernel.processInfo(parent.self).metas).toEqual([String(alias)]);
    meta.over.resolve(undefined);
    await settle();
    expect([kernel.processInfo(parent.self).metas, kernel.metas(), clock.pendingTimers]).toEqual([[], [], 0]);
    expect(meta.ended).toEqual(["normal"]);
  });

  test("does not keep the kernel from stopping, which says who is late", async () => {
    const { kernel, clock, reports } = stage();
    const alias = inside(kernel.spawn(Probe)).spawnMeta(new Recorder({ close: () => undefined }));
    await settle();
    const stopping = kernel.stop({ graceMs: 1_000 });
    await clock.advance(1_000);
    await stopping;
    expect(reports).toMatchObject([{ kind: "stop_late", text: expect.stringContaining(String(alias)) }]);
  });

  test("is waited for by the stop of the kernel", async () => {
    const { kernel } = stage();
    const closing = Promise.withResolvers<void>();
    const meta = new Recorder({ close: () => closing.promise });
    inside(kernel.spawn(Probe)).spawnMeta(meta);
    await settle();
    let isStopped = false;
    const stopping = kernel.stop().then(() => {
      isStopped = true;
    });
    await settle();
    expect([meta.ended, isStopped]).toEqual([["shutdown"], false]);
    meta.over.resolve(undefined);
    closing.resolve();
    await stopping;
    expect(kernel.metas()).toEqual([]);
  });

  test("whose handler is stuck at the stop of the kernel is ended with kill when the grace is over", async () => {
    const { kernel, clock } = stage();
    const meta = new Recorder({ react: () => new Promise(() => undefined) });
    const alias = inside(kernel.spawn(Probe)).spawnMeta(meta);
    kernel.send(alias, 1);
    await settle();
    const stopping = kernel.stop({ graceMs: 1_000 });
    await clock.advance(1_000);
    await stopping;
    await settle();
    expect([meta.ended, kernel.metas()]).toEqual([["kill"], []]);
  });

  test("and a terminate that never returns is reported as such", async () => {
    const { kernel, clock, reports } = stage();
    const meta = new Recorder({ work: () => undefined, close: () => new Promise(() => undefined) });
    inside(kernel.spawn(Probe)).spawnMeta(meta);
    await clock.advance(5_000);
    expect(reports).toMatchObject([{ kind: "meta_leaked", text: expect.stringContaining("terminate goes on") }]);
  });
});
