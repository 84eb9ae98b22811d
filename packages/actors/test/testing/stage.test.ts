import { readFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import {
  Actor,
  type Call,
  type Ended,
  later,
  MetaBehaviour,
  type MetaProcess,
  type PID,
  type Ref,
  Supervisor,
  Terminate,
} from "../../src/index.ts";
import { OPERATIONS, type Operation } from "../../src/testing/actions.ts";
import { createStage } from "../../src/testing/index.ts";
import { Counter, Watcher, Worker } from "./actors.ts";

/** The text of what `run` throws. */
function thrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect((error as Error).name).toBe("AssertionError");
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

/** Asks a mailer, and tries again later. */
class Shop extends Actor<string, Call<string, unknown>> {
  #mailer: PID | undefined;
  #customer: PID | undefined;

  override init(mailer?: PID): void {
    this.#mailer = mailer;
  }

  override async handleMessage(from: PID, order: string): Promise<void> {
    this.#customer ??= from;
    try {
      const isSent = await this.call(this.#mailer as PID<unknown, Call<string, boolean>>, order);
      this.send(this.#customer, { order, isSent });
    } catch (error) {
      this.sendAfter(this.self, order, 1_000);
      this.setEnv("LAST_ERROR", error);
    }
  }

  override handleCall(_from: PID, _ref: Ref, what: string): unknown {
    if (what === "end") return new Terminate("normal", "bye");
    throw new Error(`what is ${what}?`);
  }
}

describe("the counter of the README, on a stage", () => {
  test("runs as it does anywhere: it counts what it is told and answers what it is asked", async () => {
    await using stage = createStage();
    const counter = await stage.spawn(Counter, { args: [40] });
    await counter.tell({ add: 1 });
    await counter.tell({ add: 1 });
    expect([await counter.ask("total"), await counter.ask("messages")]).toEqual([42, 2]);
    // @ts-expect-error: no such message
    if (stage.actions.length > 0) await counter.tell({ ad: 1 });
    expect(counter.instance).toBeInstanceOf(Counter);
    expect(stage.actions).toEqual([]);
    expect(counter.reason).toBeUndefined();
  });

  test("keeps its name for people", async () => {
    await using stage = createStage();
    const counter = await stage.spawn(Counter, { args: [1] });
    expect(stage.kernel.processInfo(counter.address).behaviour).toBe("Counter");
  });
});

describe("the watcher of the README, on a stage", () => {
  test("spawns and monitors a worker, hands jobs on, and replaces one that fails", async () => {
    await using stage = createStage();
    const watcher = await stage.spawn(Watcher);
    const [first] = watcher.should("spawn", { actor: Worker }, 1);
    const pid = first?.gave as PID<string>;
    watcher.should("monitor", { to: pid as PID }, 1);
    await watcher.tell("first");
    watcher.should("send", { to: pid as PID, message: "first" }, 1);
    expect((stage.of(pid).instance as Worker).done).toEqual(["first"]);
    const replaced = watcher.ask("replaced");
    await watcher.tell("bad");
    expect(await replaced).toContain("cannot do that");
    stage.of(pid).shouldHaveEnded("actor.panic");
    watcher.should("spawn", {}, 2);
    watcher.should("respond", { value: (text: unknown) => String(text).includes("cannot do that") }, 1);
    watcher.shouldNot("exit");
  });

  test("works with stand-ins in the place of its workers", async () => {
    await using stage = createStage();
    const workers = stage.standInFor(Worker);
    const watcher = await stage.spawn(Watcher);
    await watcher.tell("bad");
    expect(workers.messages).toEqual(["bad"]);
    stage.kernel.exit(workers.pid, new Error("gone"));
    await stage.settle();
    expect(workers.addresses).toHaveLength(2);
    expect(workers.spawned).toEqual([[], []]);
    await watcher.tell("good");
    watcher.should("send", { to: workers.addresses[1] as PID, message: "good" }, 1);
  });

  test("meets the failures that a test plans: a spawn that fails after the first makes the watcher panic", async () => {
    await using stage = createStage();
    stage.fail("spawn", { after: 1, error: "actor.node_terminated" });
    const watcher = await stage.spawn(Watcher);
    await watcher.tell("bad");
    watcher.shouldHaveEnded("actor.panic");
    watcher.shouldHaveEnded((reason) => ((reason as Error).cause as { code: string }).code === "actor.node_terminated");
  });
});

describe("an operation that fails on purpose", () => {
  test("fails for its first calls only, and comes as a rejection where it gives a promise", async () => {
    await using stage = createStage();
    stage.fail("call", { first: 2, error: "actor.timeout" });
    const mailer = stage.standIn("mailer").answer("tea", true);
    const shop = await stage.spawn(Shop, { args: [mailer.pid] });
    stage.standIn("customer").send(shop.address, "tea");
    await stage.settle();
    shop.should("sendAfter", { to: shop.address as PID, delayMs: 1_000, message: "tea" }, 1);
    expect(mailer.requests).toEqual([]);
    await stage.advance(1_000);
    await stage.advance(1_000);
    expect(mailer.requests).toEqual(["tea"]);
    expect(shop.did("call").map(({ threw, gave }) => [(threw as { code?: string })?.code, gave])).toEqual([
      ["actor.timeout", undefined],
      ["actor.timeout", undefined],
      [undefined, true],
    ]);
    shop.should("send", { message: { order: "tea", isSent: true } }, 1);
  });

  test("fails always, or for what a pattern means, until the plan is taken back", async () => {
    await using stage = createStage();
    const sink = stage.standIn("sink");
    const probe = await stage.spawn(Sender);
    const always = stage.fail("send");
    await probe.tell(() => probe.instance.send("sink", 1));
    probe.shouldHaveEnded("actor.panic");
    always();
    const next = await stage.spawn(Sender);
    stage.fail("send", { when: { message: (value) => Number(value) > 5 }, error: new RangeError("too much") });
    await next.tell(() => next.instance.send("sink", 5));
    expect(sink.messages).toEqual([5]);
    await next.tell(() => next.instance.send("sink", 6));
    expect(sink.messages).toEqual([5]);
    next.shouldHaveEnded((reason) => ((reason as Error).cause as Error).name === "RangeError");
  });
});

/** Does what it is told. */
class Sender extends Actor<() => unknown> {
  override handleMessage(_from: PID, job: () => unknown): Ended {
    return job() as Ended;
  }
}

describe("a stand-in", () => {
  test("answers what it was told to answer, the last word counting, and refuses the rest in words", async () => {
    await using stage = createStage();
    const boom = new Error("boom");
    const stand = stage
      .standIn()
      .answer(
        (value: unknown) => typeof value === "number",
        (value: number) => value * 2,
      )
      .answer(7, "seven")
      .answer("bad", boom)
      .answer("never", later);
    const caller = stage.standIn("caller");
    expect(await caller.call(stand.pid, 4)).toBe(8);
    expect(await caller.call(stand.pid, 7)).toBe("seven");
    await expect(caller.call(stand.pid, "bad")).rejects.toBe(boom);
    const unanswered = expect(caller.call(stand.pid, "never", { timeoutMs: 50 })).rejects.toMatchObject({
      code: "actor.timeout",
    });
    await stage.advance(100);
    await unanswered;
    await expect(caller.call(stand.pid, { to: stand.pid })).rejects.toThrow(/has no answer to \{ to: stand-in 1 <.*> \}/);
    expect(stand.requests).toHaveLength(5);
  });

  test("sends in its own name, so that what comes back is seen", async () => {
    await using stage = createStage();
    const customer = stage.standIn("customer");
    const mailer = stage.standIn("mailer").answer("tea", false);
    const shop = await stage.spawn(Shop, { args: [mailer.pid] });
    customer.send(shop.address, "tea");
    await stage.settle();
    expect(customer.received).toEqual([{ kind: "message", from: shop.address, value: { order: "tea", isSent: false } }]);
  });

  test("takes no part in what an actor under test subscribes to", async () => {
    await using stage = createStage();
    const token = stage.kernel.registerEvent("news");
    const sender = await stage.spawn(Sender);
    await sender.tell(() => void sender.instance.monitorEvent("news"));
    sender.should("monitorEvent", { event: "news" }, 1);
    stage.kernel.sendEvent("news", token, "hello");
    await stage.settle();
    expect(stage.reports.map(({ text }) => text)).toEqual([expect.stringContaining("unhandled event")]);
  });
});

describe("an assertion that does not hold", () => {
  test("says what was expected, how often it was done, and everything that was done", async () => {
    await using stage = createStage();
    stage.standIn("sink");
    const sender = await stage.spawn(Sender);
    await sender.tell(() => sender.instance.send("sink", { n: 1, from: sender.address }));
    await sender.tell(() => sender.instance.setEnv("A", undefined));
    const text = thrown(() => sender.should("send", { to: "sink", message: { n: 2 } }, 2));
    const name = `Sender ${sender.address}`;
    expect(text.split("\n")).toEqual([
      `expected ${name} to send { to: 'sink', message: { n: 2 } } 2 times, it did so never`,
      "what it did:",
      `  ${name} send { to: 'sink', message: { n: 1, from: ${name} } }`,
      `  ${name} setEnv { name: 'A' }`,
    ]);
    expect(thrown(() => sender.shouldNot("setEnv"))).toMatch(/to setEnv never, it did so once\n/);
    expect(thrown(() => sender.should("spawn"))).toMatch(/to spawn at least once, it did so never\n/);
    expect(thrown(() => sender.shouldHaveEnded())).toMatch(/^expected Sender <.*> to have ended, it lives\n/);
    await sender.tell(() => "shutdown");
    sender.shouldHaveEnded("shutdown");
    sender.shouldHaveEnded();
    expect(thrown(() => sender.shouldHaveEnded("normal"))).toMatch(/ended with 'normal', it ended with 'shutdown'\n/);
  });

  test("says so when nothing was done", async () => {
    await using stage = createStage();
    const sender = await stage.spawn(Sender);
    expect(thrown(() => sender.should("link"))).toMatch(/\nit did nothing$/);
  });
});

describe("the end of an actor under test", () => {
  test("has the reason that it gave, that somebody gave it, or that a throw gave it", async () => {
    await using stage = createStage();
    const shop = await stage.spawn(Shop, {});
    expect(await shop.ask("end")).toBe("bye");
    shop.shouldHaveEnded("normal");
    const killed = await stage.spawn(Shop, {});
    stage.kernel.kill(killed.address);
    await stage.settle();
    killed.shouldHaveEnded("kill");
    const broken = await stage.spawn(Shop, {});
    const asked = expect(broken.ask("this", { timeoutMs: 10 })).rejects.toMatchObject({ code: "actor.timeout" });
    await stage.advance(100);
    await asked;
    broken.shouldHaveEnded("actor.panic");
  });

  test("in its start makes the spawn reject, and what it did is still known", async () => {
    class Broken extends Actor {
      override init(): void {
        this.send("sink", "last words");
        throw new Error("no start");
      }
    }
    await using stage = createStage();
    stage.standIn("sink");
    await expect(stage.spawn(Broken)).rejects.toThrow("no start");
    expect(stage.actions).toMatchObject([{ kind: "send", message: "last words" }]);
  });
});

describe("what an actor under test logs", () => {
  test("is one of the things that it does, also of a meta-process, and what the kernel reports is not", async () => {
    await using stage = createStage();
    const sender = await stage.spawn(Sender);
    await sender.tell(() => sender.instance.log.info("sold", { tea: 2, error: new Error("late") }));
    await sender.tell(() => sender.instance.log.trace("quietly"));
    const [sold] = sender.should("log", { level: "info", text: "sold", fields: { tea: 2 } }, 1);
    expect(sold?.error).toMatchObject({ message: "late" });
    sender.should("log", { level: "trace", text: (text) => text.startsWith("quiet") }, 1);
    expect(thrown(() => sender.shouldNot("log", { level: "info" }))).toMatch(
      /log \{ level: 'info', text: 'sold', fields: \{ tea: 2 \}, error: Error: late \}/,
    );
    const greeter = await stage.spawnMeta(new Greeter());
    await greeter.tell("hello");
    greeter.should("log", { text: "greeting" }, 1);
    stage.kernel.kill(sender.address);
    await stage.settle();
    sender.should("log", {}, 2);
    expect(stage.reports).toMatchObject([{ kind: "ended" }]);
  });
});

describe("a supervisor on a stage", () => {
  class Top extends Supervisor {
    override init() {
      return { children: [{ name: "worker", actor: Worker }], strategy: "permanent", intensity: 1 } as const;
    }
  }

  test("is seen starting its children, and starting them again; they are recorded as well", async () => {
    await using stage = createStage();
    const top = await stage.spawn(Top);
    const [first] = top.should("spawn", { actor: Worker }, 1);
    stage.kernel.send("worker", "bad");
    await stage.settle();
    stage.of(first?.gave as PID).shouldHaveEnded("actor.panic");
    top.should("spawn", { actor: Worker }, 2);
    stage.kernel.send("worker", "bad");
    await stage.settle();
    top.shouldHaveEnded("actor.exceeded");
  });

  test("asks stand-ins to end when it is asked itself", async () => {
    await using stage = createStage();
    const workers = stage.standInFor(Worker);
    const top = await stage.spawn(Top);
    stage.kernel.exit(top.address, "shutdown");
    await stage.settle();
    top.should("sendExit", { to: workers.pid, reason: "shutdown" }, 1);
    top.shouldHaveEnded("shutdown");
  });

  test("kills a child that has no room for the question", async () => {
    await using stage = createStage();
    const top = await stage.spawn(Top);
    const [worker] = top.should("spawn", { options: (options) => options?.name === "worker" }, 1);
    stage.fail("sendExit", { error: "actor.mailbox_full" });
    stage.kernel.exit(top.address, "shutdown");
    await stage.settle();
    top.should("kill", { to: worker?.gave as PID }, 1);
    stage.of(worker?.gave as PID).shouldHaveEnded("kill");
  });
});

/** Listens, and tells its process of each connection. */
class Listening extends MetaBehaviour<"close", Call<"port", number>> {
  #server!: Server;

  override start(meta: MetaProcess): Promise<void> {
    return new Promise((resolve) => {
      this.#server = createServer((socket) => {
        meta.send(meta.parent, "connected");
        meta.sendPriority = "high";
        socket.end();
      });
      this.#server.listen(0, "127.0.0.1", () => meta.report("listening"));
      this.#server.once("close", () => resolve());
    });
  }

  override handleMessage(): Ended {
    return "normal";
  }

  override handleCall(): number {
    return (this.#server.address() as { port: number }).port;
  }

  override terminate(): void {
    this.#server.close();
  }
}

/** Hands on what it gets. */
class Greeter extends MetaBehaviour<string> {
  readonly #end = Promise.withResolvers<void>();
  #meta!: MetaProcess;

  override init(meta: MetaProcess): void {
    this.#meta = meta;
  }
  override start(): Promise<void> {
    return this.#end.promise;
  }
  override handleMessage(_from: PID, greeting: string): void {
    this.#meta.log.debug("greeting");
    this.#meta.send(this.#meta.parent, greeting);
  }
  override terminate(): void {
    this.#end.resolve();
  }
}

class Owner extends Actor<unknown> {
  override init(): void {
    this.spawnMeta(new Listening());
  }
}

describe("a meta-process on a stage", () => {
  test("is seen doing what a real socket brings about, and so is its end", async () => {
    await using stage = createStage();
    const owner = stage.standIn("owner");
    const listening = await stage.spawnMeta(new Listening(), { owner });
    await listening.until("report", { text: "listening" });
    const port = await listening.ask("port");
    connect(port, "127.0.0.1").resume();
    await listening.until("send", { to: owner.pid, message: "connected" });
    await stage.settle();
    expect(owner.messages).toEqual(["connected"]);
    const nothing = listening.until("send", { message: "more" });
    const told = expect(nothing).rejects.toThrow(
      /^Listening Alias#<.*> ended before it did send \{ message: 'more' \}\nwhat it did:/,
    );
    await listening.tell("close");
    listening.shouldHaveEnded("normal");
    await told;
  });

  test("gets its failures, too", async () => {
    await using stage = createStage();
    stage.fail("send", { error: "actor.mailbox_full" });
    const greeter = await stage.spawnMeta(new Greeter());
    await greeter.tell("hello");
    greeter.should("send", { message: "hello" }, 1);
    greeter.shouldHaveEnded("actor.panic");
  });

  test("of an actor is recorded like its children, and can be a stand-in", async () => {
    await using stage = createStage();
    const owner = await stage.spawn(Owner);
    const [real] = owner.should("spawnMeta", { behaviour: (one) => one instanceof Listening }, 1);
    expect(stage.of(real?.gave as never).instance).toBeInstanceOf(Listening);
    const metas = stage.standInFor(Listening).answer("port", 80);
    const second = await stage.spawn(Owner);
    const alias = second.did("spawnMeta")[0]?.gave as never;
    expect(await stage.kernel.call(alias, "port" as never)).toBe(80);
    expect(metas.requests).toEqual(["port"]);
    expect(metas.addresses).toEqual([alias]);
    stage.kernel.exit(second.address, "shutdown");
    await stage.settle();
    expect(stage.kernel.metas()).toHaveLength(1);
  });
});

describe("a stage", () => {
  test("sees every operation that an actor has, so that none is missed when one is added", () => {
    const callbacks = ["constructor", "init", "terminate", "isAlive", "now", "env"];
    const names = Object.getOwnPropertyNames(Actor.prototype).filter((name) => {
      const isMethod = typeof Object.getOwnPropertyDescriptor(Actor.prototype, name)?.value === "function";
      return isMethod && !name.startsWith("handle") && !callbacks.includes(name);
    });
    expect(names.filter((name) => !(name in OPERATIONS))).toEqual([]);
    // None of the arguments either: one with a default value does not count.
    const methods = Actor.prototype as unknown as Record<string, { length: number }>;
    const isShort = (name: string): boolean => OPERATIONS[name as Operation].length < (methods[name]?.length ?? 0);
    expect(names.filter(isShort)).toEqual([]);
  });

  test("moves timers only when the test moves its clock, and leaves none behind", async () => {
    const stage = createStage();
    const sink = stage.standIn("sink");
    const sender = await stage.spawn(Sender);
    await sender.tell(() => void sender.instance.sendEvery("sink", "tick", 100));
    await stage.advance(99);
    expect(sink.messages).toEqual([]);
    await stage.advance(201);
    expect(sink.messages).toEqual(["tick", "tick", "tick"]);
    await stage[Symbol.asyncDispose]();
    expect(stage.clock.pendingTimers).toBe(0);
    expect(stage.kernel.info().state).toBe("stopped");
  });

  test("knows nothing of what was not spawned on it", async () => {
    await using stage = createStage();
    expect(() => stage.of(stage.standIn("a").pid)).toThrow(/is a stand-in/);
    expect(() => stage.standInFor(Worker).pid).toThrow(/nothing was spawned in the place of Worker/);
  });

  test("imports neither a server nor the processors of core", () => {
    const files = ["actions", "faults", "index", "journal", "recorder", "stage", "stand-in", "subject"];
    const sources = files.map((file) => readFileSync(new URL(`../../src/testing/${file}.ts`, import.meta.url), "utf8")).join("");
    const found = [...sources.matchAll(/from "(@[^"]+)"/g)].map(([, name]) => name);
    expect([...new Set(found)].toSorted()).toEqual(["@metanode/core/clock", "@metanode/core/testing/clock"]);
  });
});
