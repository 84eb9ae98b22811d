import { describe, expect, test } from "vitest";
import { Actor, type PID, Pool, type PoolSpec } from "../src/index.ts";
import { Book, gate, type Message, made, pooled, SlowWorker, SlowWorkers, slow, Worker, Workers } from "./pool-workers.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("a pool", () => {
  test("hands normal calls and messages to its workers in strict rotation, and keeps what has a higher priority (107)", async () => {
    const { kernel, pool, book, behaviour } = pooled({ size: 5 });
    const answers: number[] = [];
    for (let i = 0; i < 10; i++) answers.push(await kernel.call(pool, "who"));
    expect(answers).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    for (let job = 0; job < 7; job++) kernel.send(pool, { job });
    await settle();
    expect(book.done.toSorted(([, a], [, b]) => a - b).map(([worker]) => worker)).toEqual([0, 1, 2, 3, 4, 0, 1]);
    kernel.send(pool, { own: "high" }, "high");
    kernel.send(pool, { own: "max" }, "max");
    await settle();
    expect(behaviour.own).toEqual(["max", "high"]);
    expect(await kernel.call(pool, "own", { priority: "high" })).toBe("pool: own");
    expect(await kernel.call(pool, "who", { priority: "max" })).toBe("pool: who");
    expect(await kernel.call(pool, "who")).toBe(2);
  });

  test("has three workers unless it says otherwise, and hands them the original sender", async () => {
    const { kernel, pool, book } = pooled();
    const sender = kernel.spawn(Probe);
    const froms: PID[] = [];
    class Noting extends Actor<string> {
      override handleMessage(from: PID): void {
        froms.push(from);
      }
    }
    class NotingPool extends Pool<Noting> {
      override init(): PoolSpec<Noting> {
        return { worker: Noting };
      }
    }
    expect(book.pids).toHaveLength(3);
    expect((await kernel.inspect(pool)).pool_size).toBe("3");
    inside(sender).send(kernel.spawn(NotingPool), "x");
    await settle();
    expect(froms).toEqual([sender]);
  });

  test("hands on what an event publishes", async () => {
    const { kernel, book, behaviour } = pooled();
    const token = kernel.registerEvent("news");
    behaviour.linkEvent("news");
    for (const job of [7, 8]) kernel.sendEvent("news", token, job);
    await settle();
    expect(book.done).toEqual([
      [0, 7],
      [1, 8],
    ]);
  });

  test("gets the answers to its own requests itself", async () => {
    const { kernel, behaviour, book } = pooled();
    const got: unknown[] = [];
    behaviour.handleResponse = ({ result }) => void got.push(result);
    behaviour.sendRequest(kernel.spawn(Probe), "ask");
    await settle();
    expect([got, book.done]).toEqual([["ask"], []]);
  });

  test("takes its workers along at its end, which any exit is, and cannot trap exits", async () => {
    const { kernel, pool, book, behaviour } = pooled();
    expect(() => behaviour.setTrapExit(true)).toThrow(code("actor.unsupported"));
    inside(kernel.spawn(Probe)).sendExit(pool, "normal");
    await settle();
    expect(book.ended).toEqual(["normal", "normal", "normal"]);
    expect(kernel.info().processes).toBe(1);
  });

  test("cannot be a logger", () => {
    const { kernel, pool } = pooled();
    expect(() => kernel.log.addProcess("pool", pool)).toThrow(code("actor.not_allowed"));
  });

  test("is typed by its worker", async () => {
    const { kernel, pool } = pooled();
    const who: number = await kernel.call(pool, "who");
    expect(who).toBe(0);
    const wrong = (): void => {
      // @ts-expect-error no worker understands it
      kernel.send(pool, { jobs: 1 });
      // @ts-expect-error no worker answers it
      void kernel.call(pool, "where");
      // @ts-expect-error workers need their book
      const spec: PoolSpec<Worker> = { worker: Worker, args: [1] };
      // @ts-expect-error the workers start at once, so the count is no promise
      made.addWorkers(1).then();
      void spec;
    };
    expect(wrong).toBeTypeOf("function");
  });

  test.each([
    [{ size: 0 }, "size is 0"],
    [{ size: 1.5 }, "size is 1.5"],
    [{ worker: undefined }, "needs the class of its workers"],
    [{ sise: 2 }, "no option sise"],
  ])("refuses the specification %j", (spec, message) => {
    expect(() => pooled(spec as never)).toThrow(
      expect.objectContaining({ code: "actor.incorrect", message: expect.stringContaining(message) }),
    );
  });

  test("whose worker does not start does not start either, and leaves nothing", async () => {
    const { kernel } = stage();
    const book = new Book();
    book.start = () => {
      if (book.pids.length === 2) throw new Error("no third");
    };
    expect(() => kernel.spawn(Workers, { args: [{ worker: Worker, args: [book] }] })).toThrow("no third");
    await settle();
    expect(kernel.info().processes).toBe(0);
  });
});

describe("a full worker", () => {
  test("is passed over, and mail that finds no room is rejected: the caller hears of it at once (108)", async () => {
    const { kernel, pool, book, behaviour, inspect } = pooled({ size: 2, options: { mailboxLimit: 1 } });
    const { promise, open } = gate();
    for (let i = 0; i < 2; i++) kernel.send(pool, { hold: promise });
    await settle();
    kernel.send(pool, { job: 1 }); // waits at the first worker
    await settle();
    kernel.send(book.pids[1] as PID<Message, never>, { job: 2 }); // fills the second, whose turn it is
    kernel.send(pool, { job: 3 });
    const sender = kernel.spawn(Probe);
    inside(sender).send(pool, { job: 4 });
    await expect(kernel.call(pool, "who")).rejects.toThrow(code("actor.mailbox_full"));
    const seen = behaviour.rejected.map(({ kind, message, error }) => [kind, message, error]);
    expect(seen).toEqual([
      ["message", { job: 3 }, code("actor.mailbox_full")],
      ["message", { job: 4 }, code("actor.mailbox_full")],
      ["call", "who", code("actor.mailbox_full")],
    ]);
    expect(behaviour.rejected[1]?.from).toBe(sender);
    open();
    await settle();
    expect(book.done).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(await inspect()).toEqual({
      pool_size: "2",
      worker_behavior: "Worker",
      worker_mailbox_size: "1",
      worker_restarts: "0",
      messages_forwarded: "3",
      messages_unhandled: "3",
    });
  });

  test("loses its turn to the next one with room (108)", async () => {
    const { kernel, pool, book } = pooled({ size: 3, options: { mailboxLimit: 1 } });
    const { promise, open } = gate();
    kernel.send(book.pids[0] as PID<Message, never>, { hold: promise });
    await settle();
    kernel.send(book.pids[0] as PID<Message, never>, { job: 0 });
    expect([await kernel.call(pool, "who"), await kernel.call(pool, "who"), await kernel.call(pool, "who")]).toEqual([1, 2, 1]);
    open();
  });

  test("is logged as an error where the pool does not say what to do with what it rejects", async () => {
    class Plain extends Pool<Worker> {
      override init(book: Book): PoolSpec<Worker> {
        return { worker: Worker, size: 1, args: [book] };
      }
    }
    const { kernel } = stage();
    const book = new Book();
    const pool = kernel.spawn(Plain, { args: [book] });
    const logged: unknown[] = [];
    kernel.log.addLogger("test", ({ level, source, text }) => logged.push([level, String((source as { pid: PID }).pid), text]));
    kernel.kill(book.pids[0] as PID<Message, never>);
    book.start = () => {
      throw new Error("no other");
    };
    kernel.send(pool, { job: 1 });
    await settle();
    expect(logged.slice(1)).toEqual([
      ["error", String(pool), "a worker that ended could not be replaced"],
      ["error", String(pool), expect.stringMatching(/^rejected message from .*: The pool has no worker left/)],
    ]);
  });
});

describe("addWorkers and removeWorkers", () => {
  test("give how many there are, and the turns of new workers come last (108)", async () => {
    const { kernel, pool, behaviour } = pooled({ size: 2 });
    expect(await kernel.call(pool, "who")).toBe(0);
    expect(behaviour.addWorkers(2)).toBe(4);
    const turns: number[] = [];
    for (let i = 0; i < 5; i++) turns.push(await kernel.call(pool, "who"));
    expect(turns).toEqual([1, 0, 2, 3, 1]);
    expect(behaviour.removeWorkers(2)).toBe(2);
    expect([await kernel.call(pool, "who"), await kernel.call(pool, "who"), await kernel.call(pool, "who")]).toEqual([3, 1, 3]);
  });

  test("beyond what is there is actor.pool_empty, and the pool lives on (109)", async () => {
    const { kernel, pool, book, behaviour } = pooled();
    expect(() => behaviour.removeWorkers(4)).toThrow(code("actor.pool_empty"));
    await settle();
    expect(book.ended).toEqual(["normal", "normal", "normal"]);
    expect(kernel.isAlive(pool)).toBe(true);
    await expect(kernel.call(pool, "who")).rejects.toThrow(code("actor.pool_empty"));
    expect(behaviour.addWorkers(1)).toBe(1);
    expect(await kernel.call(pool, "who")).toBe(3);
  });

  test("let a worker that goes finish what it has, also with a full mailbox", async () => {
    const { kernel, pool, book, behaviour } = pooled({ size: 1, options: { mailboxLimit: 2 } });
    const { promise, open } = gate();
    kernel.send(pool, { hold: promise });
    await settle();
    for (const job of [1, 2]) kernel.send(pool, { job });
    await settle();
    expect(behaviour.removeWorkers(1)).toBe(0);
    open();
    await settle();
    expect([book.done, book.ended]).toEqual([
      [
        [0, 1],
        [0, 2],
      ],
      ["normal"],
    ]);
  });

  test("refuse what is no count, more than a hundred times the first size, and a pool that has ended", async () => {
    const { kernel, pool, behaviour } = pooled({ size: 1 });
    expect(() => behaviour.addWorkers(0)).toThrow(code("actor.incorrect"));
    expect(() => behaviour.removeWorkers(-1)).toThrow(code("actor.incorrect"));
    expect(() => behaviour.addWorkers(100)).toThrow(code("actor.incorrect"));
    expect(behaviour.addWorkers(99)).toBe(100);
    kernel.kill(pool);
    expect(() => behaviour.addWorkers(1)).toThrow(code("actor.not_allowed"));
    expect(() => behaviour.removeWorkers(1)).toThrow(code("actor.not_allowed"));
  });
});

describe("a dead worker", () => {
  test.each(["kill", "end"] as const)("after a %s is replaced at the next forward, exactly once (109)", async (how) => {
    const { kernel, pool, book, inspect } = pooled();
    if (how === "kill") kernel.kill(book.pids[0] as PID<Message, never>);
    else kernel.send(book.pids[0] as PID<Message, never>, { end: new Error("boom") });
    await settle();
    expect(kernel.info().processes).toBe(3);
    const turns: number[] = [];
    for (let i = 0; i < 6; i++) turns.push(await kernel.call(pool, "who"));
    expect(turns).toEqual([3, 1, 2, 3, 1, 2]);
    expect(kernel.info().processes).toBe(4);
    expect(await inspect()).toMatchObject({ pool_size: "3", worker_restarts: "1" });
  });

  test("is replaced though its last callback has not returned", async () => {
    const { kernel, pool, book } = pooled({ size: 1 });
    const { promise, open } = gate();
    kernel.send(pool, { hold: promise });
    await settle();
    kernel.kill(book.pids[0] as PID<Message, never>);
    expect(await kernel.call(pool, "who")).toBe(1);
    open();
    await settle();
    expect(book.ended).toEqual(["kill"]);
  });

  test("whose replacement does not start leaves the rotation", async () => {
    const { kernel, pool, book, inspect } = pooled();
    book.start = () => {
      throw new Error("no more");
    };
    kernel.kill(book.pids[1] as PID<Message, never>);
    const turns: number[] = [];
    for (let i = 0; i < 4; i++) turns.push(await kernel.call(pool, "who"));
    expect(turns).toEqual([0, 2, 0, 2]);
    expect(await inspect()).toMatchObject({ pool_size: "2", worker_restarts: "0" });
  });
});

describe("a pool of workers that take time to start", () => {
  const openSlow = async (size: number) => {
    const on = stage();
    const book = new Book();
    const pool = await on.kernel.spawn(SlowWorkers, { args: [{ worker: SlowWorker, size, args: [book] }] });
    return { ...on, book, pool, behaviour: slow };
  };

  test("starts when all of them have, and waits for those it adds", async () => {
    const { kernel, pool, behaviour } = await openSlow(2);
    expect([await kernel.call(pool, "who"), await kernel.call(pool, "who"), await kernel.call(pool, "who")]).toEqual([0, 1, 0]);
    const total: number = await behaviour.addWorkers(1);
    expect(total).toBe(3);
    expect([await kernel.call(pool, "who"), await kernel.call(pool, "who"), await kernel.call(pool, "who")]).toEqual([1, 0, 2]);
  });

  test("does without the worker that is being replaced, and waits for it where there is no other", async () => {
    const { kernel, pool, book } = await openSlow(2);
    const { promise, open } = gate();
    book.start = () => promise;
    kernel.kill(book.pids[0] as PID<Message, never>);
    expect([await kernel.call(pool, "who"), await kernel.call(pool, "who")]).toEqual([1, 1]);
    kernel.kill(book.pids[1] as PID<Message, never>);
    const waiting = [kernel.call(pool, "who"), kernel.call(pool, "who"), kernel.call(pool, "who")];
    await settle();
    expect(book.pids).toHaveLength(2);
    open();
    expect(await Promise.all(waiting)).toEqual([2, 3, 2]);
    expect(await kernel.inspect(pool)).toMatchObject({ worker_restarts: "2", pool_size: "2" });
  });

  test("rejects what waits for a replacement that does not start, and a start that takes too long leaves nothing", async () => {
    const { kernel, clock, pool, book } = await openSlow(1);
    book.start = () => new Promise(() => undefined);
    kernel.kill(book.pids[0] as PID<Message, never>);
    const waiting = expect(kernel.call(pool, "who", { timeoutMs: 60_000 })).rejects.toThrow(code("actor.pool_empty"));
    await clock.advance(5_000);
    await waiting;
    expect(kernel.info().processes).toBe(1);
  });

  test("lets a worker go that was taken out while it started", async () => {
    const { kernel, pool, book, behaviour } = await openSlow(1);
    const { promise, open } = gate();
    book.start = () => promise;
    kernel.kill(book.pids[0] as PID<Message, never>);
    const call = expect(kernel.call(pool, "who")).rejects.toThrow(code("actor.pool_empty"));
    await settle();
    expect(behaviour.removeWorkers(1)).toBe(0);
    open();
    await call;
    await settle();
    expect(book.ended).toEqual(["kill", "normal"]);
    expect(kernel.info().processes).toBe(1);
  });

  test("does not start if one of them does not, and none is left of those that start later", async () => {
    const { kernel } = stage();
    const book = new Book();
    const { promise, open } = gate();
    const starts = [() => promise, () => Promise.reject(new Error("no second")), () => promise];
    book.start = () => starts.shift()?.();
    await expect(kernel.spawn(SlowWorkers, { args: [{ worker: SlowWorker, args: [book] }] })).rejects.toThrow("no second");
    open();
    await settle();
    expect(kernel.info().processes).toBe(0);
  });

  test("does not start if one of them throws at once, and nobody is left to fail unheard", async () => {
    const { kernel } = stage();
    const { promise, open } = gate();
    let made = 0;
    class Moody extends Probe {
      override init(): void {
        if (made++ > 0) throw new Error("not today");
        // biome-ignore lint/correctness/noVoidTypeReturn: a start that sometimes takes time
        return promise as never;
      }
    }
    class Moods extends Pool<Moody> {
      override init(): PoolSpec<Moody> {
        return { worker: Moody };
      }
    }
    expect(() => kernel.spawn(Moods)).toThrow("not today");
    open();
    await settle();
    expect(kernel.info().processes).toBe(0);
  });

  test("that ends while they start leaves none of them behind", async () => {
    const { kernel } = stage();
    const book = new Book();
    const { promise, open } = gate();
    book.start = () => promise;
    const spawned = expect(kernel.spawn(SlowWorkers, { args: [{ worker: SlowWorker, args: [book] }] })).rejects.toThrow();
    kernel.kill(slow.self);
    open();
    await spawned;
    await settle();
    expect(kernel.info().processes).toBe(0);
  });
});
