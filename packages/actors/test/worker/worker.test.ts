import { readdirSync, readFileSync } from "node:fs";
import { MetanodeError } from "@metanode/core/errors";
import { describe, expect, test } from "vitest";
import { type Alias, createKernel, type KernelReport, MessageDown, type PidOf, type Reason } from "../../src/index.ts";
import { createWorker, MessageWorker, transfer, type WorkerOptions } from "../../src/worker/index.ts";
import type { api, Order, Start } from "../fixtures/all-round-worker.ts";
import type { api as deaf } from "../fixtures/deaf-worker.ts";
import { until } from "../fixtures/until.ts";
import { code } from "../meta/recorder.ts";
import { inside, Probe, settle, stage } from "../probe.ts";

const file = (name: string): URL => new URL(`../fixtures/${name}.ts`, import.meta.url);
let names = 0;

/** How many threads of this process have the name. */
function threadsNamed(name: string): number {
  return readdirSync("/proc/self/task").filter((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, "utf8").startsWith(name);
    } catch {
      return false; // it has just ended
    }
  }).length;
}

type Options = Partial<WorkerOptions<{ heard: unknown }, Start>> & { init?: Start["init"]; mailboxLimit?: number };

/** A worker with the actor that it belongs to, which monitors it. */
function openWorker({ init, mailboxLimit = 0, ...options }: Options = {}, staged?: ReturnType<typeof stage>) {
  const reports: KernelReport[] = staged?.reports ?? [];
  const kernel = staged?.kernel ?? createKernel({ onReport: (report) => reports.push(report) });
  const parent = inside(kernel.spawn(Probe));
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const name = `w${process.pid}-${names++}`;
  const start: Start = init === undefined ? { gate } : { gate, init };
  const worker = parent.spawnMeta(createWorker<typeof api>(file("all-round-worker"), { start, name, ...options }), {
    mailboxLimit,
  });
  parent.monitor(worker);
  return {
    kernel,
    parent,
    worker,
    reports,
    name,
    tell(...orders: Order[]): void {
      for (const order of orders) kernel.send(worker, order);
    },
    heard: () => parent.got.flatMap((message) => (message instanceof MessageWorker ? [message.message.heard] : [])),
    wake: () => {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
    /** Waits until the worker and its thread have ended, and gives the reason. */
    async reason(): Promise<Reason> {
      const down = await until("it is down", () => parent.got.find((message) => message instanceof MessageDown));
      await until("its thread is gone", () => kernel.metas().length === 0 && threadsNamed(name) === 0);
      return down.reason;
    },
  };
}

describe("a worker", () => {
  test("answers calls in its thread, and sends to the actor that it belongs to", async () => {
    const { kernel, parent, worker, tell, heard } = openWorker({ tag: "t" });
    expect(await kernel.call(worker, { ask: "echo", value: new Map([[1, "one"]]) })).toEqual(new Map([[1, "one"]]));
    tell({ do: "note", value: 1 });
    await until("it was heard", () => heard().length === 1);
    expect(parent.got).toEqual([new MessageWorker(worker as Alias<never, never>, "t", { heard: 1 })]);
    await kernel.stop();
  });

  test("handles its mail one by one, in order, also where handlers wait for something", async () => {
    const { kernel, worker, tell, heard } = openWorker({ maxInFlight: 3 });
    for (let i = 0; i < 50; i++) tell({ do: i % 3 === 0 ? "slowly" : "note", value: i });
    expect(await kernel.call(worker, { ask: "notes" })).toHaveLength(33);
    await until("all was heard", () => heard().length === 50);
    expect(heard()).toEqual(Array.from({ length: 50 }, (_, index) => index));
    await kernel.stop();
  });

  test("keeps mail until its init is through", async () => {
    const { kernel, tell, heard } = openWorker({ init: "slow" });
    tell({ do: "note", value: "mail" });
    await until("both were heard", () => heard().length === 2);
    expect(heard()).toEqual(["slow init", "mail"]);
    await kernel.stop();
  });

  test("rejects the call of a request that its handler throws at, with code and details, and lives on", async () => {
    const { kernel, worker } = openWorker();
    const fail = (how: "code" | "foreign" | "function" | "value") => kernel.call(worker, { ask: "fail", how });
    await expect(fail("code")).rejects.toMatchObject({ code: "actor.exceeded", message: "too much", details: { limit: 3 } });
    await expect(fail("foreign")).rejects.toMatchObject({ code: "core.internal", message: "out of range" });
    await expect(fail("function")).rejects.toMatchObject({ message: expect.stringMatching(/could not be cloned/) });
    expect(await fail("value")).toMatchObject({ code: "actor.exceeded", message: "as a value" });
    expect(await kernel.call(worker, { ask: "echo", value: 1 })).toBe(1);
    await kernel.stop();
  });

  test("gives the thread an error with its code", async () => {
    const { kernel, worker } = openWorker();
    expect(await kernel.call(worker, new MetanodeError("actor.exceeded", "there"))).toBe(true);
    await kernel.stop();
  });

  test("moves what is to be transferred, there and back", async () => {
    const { kernel, worker } = openWorker();
    const bytes = new ArrayBuffer(1_000);
    const answer = (await kernel.call(worker, transfer({ ask: "fill" as const, bytes }, [bytes]))) as ArrayBuffer;
    expect([bytes.byteLength, answer.byteLength, new Uint8Array(answer)[999]]).toEqual([0, 1_000, 7]);
    await kernel.stop();
  });

  test("reports a message that cannot be copied, and rejects such a request with actor.incorrect", async () => {
    const { kernel, worker, tell, reports } = openWorker();
    tell({ do: "note", value: () => undefined });
    await expect(kernel.call(worker, { ask: "echo", value: () => undefined })).rejects.toThrow(code("actor.incorrect"));
    expect(reports).toMatchObject([{ kind: "unhandled", text: expect.stringContaining("cannot be copied") }]);
    await kernel.stop();
  });

  test("without handlers refuses calls with actor.unsupported and reports messages", async () => {
    const { kernel, parent, reports } = openWorker();
    const worker = parent.spawnMeta(createWorker<typeof deaf>(file("deaf-worker")));
    kernel.send(worker as Alias, "anybody?");
    await expect(kernel.call(worker as Alias, "anybody?")).rejects.toThrow(code("actor.unsupported"));
    expect(reports).toMatchObject([{ kind: "unhandled" }]);
    await kernel.stop();
  });

  test("reports what the thread posts past it", async () => {
    const { kernel, worker, tell, reports } = openWorker();
    tell({ do: "post" });
    await until("both are reported", () => reports.length === 2);
    expect(reports).toMatchObject([{ kind: "unhandled", error: "not of the worker" }, { kind: "meta" }]);
    expect(await kernel.call(worker, { ask: "echo", value: 1 })).toBe(1);
    await kernel.stop();
  });

  test("tells of itself in an inspection", async () => {
    const { kernel, worker, name } = openWorker({ tag: "t" });
    expect(await kernel.inspect(worker)).toMatchObject({ name, tag: "t", state: "starting", calls: "0" });
    await kernel.call(worker, { ask: "echo", value: 1 });
    const about = await kernel.inspect(worker);
    expect(about).toMatchObject({ state: "ready", inFlight: "0", thread: expect.stringMatching(/^\d+$/) });
    expect(about.file).toMatch(/all-round-worker\.ts$/);
    await kernel.stop();
  });

  test("answers nobody who has ended or stopped to wait, and goes on", async () => {
    const staged = stage();
    const { kernel, worker, wake, heard, tell } = openWorker({ maxInFlight: 1 }, staged);
    const other = inside(kernel.spawn(Probe));
    tell({ do: "block" });
    await until("it blocks", () => heard().includes("blocking"));
    other.call(worker, { ask: "notes" }).catch(() => undefined);
    const late = expect(kernel.call(worker, { ask: "notes" }, { timeoutMs: 10 })).rejects.toThrow(code("actor.timeout"));
    await staged.clock.advance(20);
    await late;
    kernel.kill(other.self);
    wake();
    expect(await kernel.call(worker, { ask: "echo", value: "alive" })).toBe("alive");
    await kernel.stop();
  });
});

describe("a worker that blocks", () => {
  test("leaves the kernel responsive, and answers when it is woken", async () => {
    const { kernel, parent, worker, wake, heard } = openWorker();
    const answer = kernel.call(worker, { ask: "block" }, { timeoutMs: 60_000 });
    kernel.send(worker, { do: "note", value: "later" });
    const other = kernel.spawn(Probe);
    for (let i = 0; i < 100; i++) expect(await kernel.call(other, i)).toBe(i);
    expect(await kernel.inspect(worker)).toMatchObject({ inFlight: "2", calls: "1" });
    expect([heard(), kernel.metaInfo(worker).state, kernel.isAlive(parent.self)]).toEqual([[], "sleep", true]);
    wake();
    expect(await answer).toBe("woken");
    await until("the rest was heard", () => heard().includes("later"));
    await kernel.stop();
  });

  test("is freed by an exit, which takes its thread", async () => {
    const { kernel, worker, tell, heard, reason, name } = openWorker();
    tell({ do: "block" });
    await until("it blocks", () => heard().includes("blocking"));
    expect(threadsNamed(name)).toBe(1);
    kernel.exitMeta(worker, "shutdown");
    expect(await reason()).toBe("shutdown");
    expect(heard()).toEqual(["blocking"]);
  });

  test("is freed by the end of its process, and by the stop of the kernel", async () => {
    const first = openWorker();
    first.tell({ do: "block" });
    await until("it blocks", () => first.heard().includes("blocking"));
    first.kernel.kill(first.parent.self);
    await until("its thread is gone", () => first.kernel.metas().length === 0 && threadsNamed(first.name) === 0);
    const second = openWorker();
    second.tell({ do: "block" });
    await until("it blocks", () => second.heard().includes("blocking"));
    await second.kernel.stop();
    expect([second.kernel.metas(), threadsNamed(second.name)]).toEqual([[], 0]);
  });

  test("lets mail wait in its mailbox, where the limit counts, and an exit overtakes it", async () => {
    const { kernel, worker, tell, heard, reason } = openWorker({ maxInFlight: 2, mailboxLimit: 3 });
    tell({ do: "block" });
    await until("it blocks", () => heard().includes("blocking"));
    tell({ do: "note", value: 1 });
    await settle();
    tell({ do: "note", value: 2 }); // the handler waits for room with this one
    await settle();
    expect(kernel.metaInfo(worker)).toMatchObject({ state: "running", mailbox: { main: 0 } });
    tell({ do: "note", value: 3 }, { do: "note", value: 4 }, { do: "note", value: 5 });
    expect(() => tell({ do: "note", value: 6 })).toThrow(code("actor.meta_mailbox_full"));
    kernel.exitMeta(worker, "normal");
    expect(await reason()).toBe("normal");
    expect(heard()).toEqual(["blocking"]);
  });
});

describe("the end of a worker", () => {
  const orders: [string, Order, unknown][] = [
    ["the reason that a handler returns", { do: "end", reason: "normal" }, "normal"],
    ["the error that a handler returns, with its code", { do: "end", reason: "error" }, code("actor.exceeded")],
    ["the reason that a handler throws", { do: "end", reason: "thrown" }, "shutdown"],
    ["normal when the thread exits with 0", { do: "exit", code: 0 }, "normal"],
    ["actor.worker_failed when it exits otherwise", { do: "exit", code: 3 }, code("actor.worker_failed")],
    ["actor.panic when a handler throws", { do: "throw" }, code("actor.panic")],
    ["actor.panic when nobody catches what it throws", { do: "throw later" }, code("actor.panic")],
    ["actor.panic when it sends what cannot be copied", { do: "send a function" }, code("actor.panic")],
  ];
  test.each(orders)("has %s, and the thread is gone", async (_title, order, expected) => {
    const { tell, reason, heard } = openWorker();
    tell({ do: "note", value: "before" }, order);
    expect(await reason()).toEqual(expected);
    expect(heard()).toEqual(["before"]);
  });

  test("by a throw has what was thrown as its cause, with code and details", async () => {
    const { tell, reason } = openWorker();
    tell({ do: "throw" });
    expect(await reason()).toMatchObject({ cause: { code: "actor.incorrect", details: { at: "thread" } } });
    const uncaught = openWorker();
    uncaught.tell({ do: "throw later" });
    expect(await uncaught.reason()).toMatchObject({ cause: { name: "RangeError", message: "nobody catches this" } });
  });

  test("by the limit of its memory is actor.worker_failed, and the rest of the process lives", async () => {
    const { tell, reason, kernel, parent } = openWorker({ resourceLimits: { maxOldGenerationSizeMb: 16 } });
    tell({ do: "swallow memory" });
    expect(await reason()).toMatchObject({ code: "actor.worker_failed", message: expect.stringContaining("memory") });
    expect(kernel.isAlive(parent.self)).toBe(true);
  });

  test("by the answer of a call gives the answer first if it is normal, and none otherwise", async () => {
    const normal = openWorker();
    expect(await normal.kernel.call(normal.worker, { ask: "fail", how: "normal" })).toBe("bye");
    expect(await normal.reason()).toBe("normal");
    const staged = stage();
    const other = openWorker({}, staged);
    const silent = expect(other.kernel.call(other.worker, { ask: "fail", how: "reason" })).rejects.toThrow(code("actor.timeout"));
    expect(await other.reason()).toBe("shutdown");
    await staged.clock.advance(5_010);
    await silent;
  });

  test("comes when what it sends cannot be delivered", async () => {
    const { tell, reason } = openWorker({ process: "nobody" });
    tell({ do: "note", value: 1 });
    expect(await reason()).toEqual(code("actor.process_unknown"));
  });

  test.each([
    ["throws", "throw", code("actor.panic")],
    ["gives a reason back", "reason", "shutdown"],
    ["exits", "exit", code("actor.start_failed")],
  ] as const)("comes when its init %s", async (_title, init, expected) => {
    expect(await openWorker({ init }).reason()).toEqual(expected);
  });

  test("leaves no thread after a dozen workers, ended in all manners", async () => {
    const { kernel, parent } = openWorker();
    const owner = inside(kernel.spawn(Probe));
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const name = `many${process.pid}`;
    const workers = Array.from({ length: 12 }, (_, index) =>
      (index % 2 === 0 ? parent : owner).spawnMeta(createWorker<typeof api>(file("all-round-worker"), { start: { gate }, name })),
    );
    for (const [index, worker] of workers.entries()) {
      if (index % 3 === 0) kernel.send(worker, { do: "block" });
      if (index % 5 === 1) kernel.exitMeta(worker, "normal");
    }
    await until("three block", () => parent.got.length + owner.got.length === 3);
    expect(threadsNamed(name)).toBeGreaterThan(2);
    kernel.kill(owner.self);
    await kernel.stop();
    expect([threadsNamed(name), kernel.metas()]).toEqual([0, []]);
  });
});

describe("a worker that cannot be started", () => {
  const start: Start = { gate: new Int32Array(1) };
  test.each([
    ["has no file", () => createWorker<typeof api>(file("no-such-file"), { start })],
    ["has a file that serves nothing", () => createWorker<typeof api>(file("no-worker"), { start })],
    ["has a file of another kind", () => createWorker<typeof api>(new URL("https://localhost/worker.ts"), { start })],
    ["is given what cannot be copied", () => createWorker<typeof api>(file("all-round-worker"), { start: (() => 1) as never })],
  ])("since it %s ends with actor.start_failed", async (_title, build) => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    parent.monitor(parent.spawnMeta(build()));
    await until("it is down", () => parent.got.length === 1);
    expect(parent.got).toMatchObject([{ reason: code("actor.start_failed") }]);
    expect(kernel.metas()).toEqual([]);
  });

  test.each([{ maxInFlight: 0 }, { maxInFlight: 1.5 }, { timeout: 1 }])(
    "%j are options refused with actor.incorrect",
    (options) => {
      expect(() => createWorker(file("deaf-worker"), options as never)).toThrow(code("actor.incorrect"));
    },
  );

  test("a path instead of a URL is refused with actor.incorrect", () => {
    expect(() => createWorker("./worker.ts" as never)).toThrow(code("actor.incorrect"));
  });
});

describe("the types of a worker", () => {
  test("let through what its file says, and nothing else compiles", async () => {
    const { kernel, worker } = openWorker();
    const echoed: unknown = await kernel.call(worker, { ask: "echo", value: 1 });
    const notes: readonly unknown[] = await kernel.call(worker, { ask: "notes" });
    const wrong = (): void => {
      // @ts-expect-error a message that it does not understand
      kernel.send(worker, { do: "dance" });
      // @ts-expect-error a request that it does not answer
      void kernel.call(worker, { ask: "dance" });
      // @ts-expect-error an answer of another type
      const text: Promise<string> = kernel.call(worker, { ask: "notes" });
      // @ts-expect-error it wants something to begin with
      createWorker<typeof api>(file("all-round-worker"));
      // @ts-expect-error it wants something else to begin with
      createWorker<typeof api>(file("all-round-worker"), { start: { gate: 5 } });
      // @ts-expect-error what it sends is no number
      const listener: PidOf<Probe> & { accepts?: (message: MessageWorker<number>) => void } = worker;
      void [text, listener];
    };
    expect([echoed, notes, typeof wrong]).toEqual([1, [], "function"]);
    await kernel.stop();
  });
});
