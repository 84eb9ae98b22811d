import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Actor, type Call, createKernel, type PID, Terminate } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

class Counter extends Actor<{ add: number }, Call<"get", number>> {
  #total = 0;
  override init(start: number): void {
    this.#total = start;
  }
  override handleMessage(_from: PID, message: { add: number }): void {
    this.#total += message.add;
  }
  override handleCall(): number {
    return this.#total;
  }
}

class Slow extends Actor {
  override async init(wait: Promise<void>): Promise<void> {
    await wait;
  }
}

describe("an actor with types", () => {
  test("takes what it understands, and nothing else compiles", async () => {
    await using kernel = createKernel();
    const counter = kernel.spawn(Counter, { args: [5] });
    kernel.send(counter, { add: 2 });
    const total: number = await kernel.call(counter, "get");
    expect(total).toBe(7);
    const wrong = (): void => {
      // @ts-expect-error a message of the wrong type
      kernel.send(counter, { subtract: 2 });
      // @ts-expect-error a request that it does not answer
      void kernel.call(counter, "set");
      // @ts-expect-error an answer of another type
      const text: Promise<string> = kernel.call(counter, "get");
      // @ts-expect-error init needs a number
      kernel.spawn(Counter, { args: ["5"] });
      void text;
    };
    expect(wrong).toBeTypeOf("function");
  });
});

describe("an actor that answers with several types", () => {
  class Both extends Actor<never, Call<"number", number> | Call<"text", string>> {
    override handleCall(_from: PID, _ref: unknown, request: "number" | "text"): number | string {
      return request === "number" ? 1 : "one";
    }
  }

  test("gives each question the type of its own answer", async () => {
    await using kernel = createKernel();
    const both = kernel.spawn(Both);
    const number: number = await kernel.call(both, "number");
    const text: string = await kernel.call(both, "text");
    expect([number, text]).toEqual([1, "one"]);
  });
});

describe("a spawn", () => {
  test("whose init throws leaves nothing behind and throws the same", () => {
    const { kernel } = stage();
    const fail = () => {
      throw new Error("no");
    };
    expect(() => kernel.spawn(Probe, { name: "n", args: [fail] })).toThrow("no");
    expect(kernel.whereIs("n")).toBeUndefined();
    expect(kernel.info().processes).toBe(0);
  });

  test("under a taken name throws actor.name_taken", () => {
    const { kernel } = stage();
    kernel.spawn(Probe, { name: "n" });
    expect(() => kernel.spawn(Probe, { name: "n" })).toThrow(code("actor.name_taken"));
    expect(kernel.info().processes).toBe(1);
  });

  test("with an asynchronous init resolves after it, and times out with actor.timeout", async () => {
    const { kernel, clock } = stage();
    const pid = await kernel.spawn(Slow, { args: [Promise.resolve()] });
    expect(kernel.isAlive(pid)).toBe(true);
    const late = expect(kernel.spawn(Slow, { args: [new Promise<void>(() => undefined)] })).rejects.toThrow(
      code("actor.timeout"),
    );
    await clock.advance(5_000);
    await late;
    expect(kernel.info().processes).toBe(1);
  });

  test("lays its environment over the parent's, once", () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe, { env: { a: 1, b: 2 } });
    const child = inside(parent).spawn(Probe, { env: { B: undefined, c: 3 } });
    inside(parent).setEnv("a", 9);
    expect(["A", "b", "c"].map((name) => inside(child).env(name))).toEqual([1, undefined, 3]);
  });

  test("with linkChild tells the parent of a child that dies at once, every time", async () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    inside(parent).setTrapExit(true);
    for (let i = 0; i < 1_000; i++) kernel.kill(inside(parent).spawn(Probe, { linkChild: true }));
    await settle();
    expect(inside(parent).got).toHaveLength(1_000);
  });
});

describe("an end", () => {
  test("has the returned or thrown reason, and a terminate", async () => {
    const { kernel } = stage();
    const returned = kernel.spawn(Probe);
    const thrown = kernel.spawn(Probe);
    kernel.send(returned, () => "shutdown");
    kernel.send(thrown, () => {
      throw new Terminate("normal");
    });
    await settle();
    expect([inside(returned).ended, inside(thrown).ended]).toEqual([["shutdown"], ["normal"]]);
  });

  test("by a kill waits for the running callback, and what it does meanwhile is not allowed", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    let finish: () => void = () => undefined;
    kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    kernel.kill(pid);
    expect(() => inside(pid).send(pid, 1)).toThrow(code("actor.not_allowed"));
    expect(kernel.processInfo(pid).state).toBe("zombie");
    finish();
    await settle();
    expect(inside(pid).ended).toEqual(["kill"]);
  });

  test("of a call with Terminate normal answers first, with another reason not at all", async () => {
    const { kernel, clock } = stage();
    const first = kernel.spawn(Probe);
    const second = kernel.spawn(Probe);
    inside(first).answer = () => new Terminate("normal", 1);
    inside(second).answer = () => new Terminate("shutdown", 1);
    expect(await kernel.call(first, "x")).toBe(1);
    const silent = expect(kernel.call(second, "x")).rejects.toThrow(code("actor.timeout"));
    await clock.advance(5_010);
    await silent;
    expect(kernel.info().processes).toBe(0);
  });

  test("of the kernel ends every process with shutdown, and refuses what comes later", async () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    const child = inside(parent).spawn(Probe);
    inside(child).setTrapExit(true);
    await kernel.stop();
    expect([inside(parent).ended, inside(child).ended]).toEqual([["shutdown"], ["shutdown"]]);
    expect(() => kernel.spawn(Probe)).toThrow(code("actor.node_terminated"));
    expect(() => kernel.send(parent, 1)).toThrow(code("actor.node_terminated"));
  });
});

describe("a listener of reports that throws", () => {
  test("stops nothing but itself", async () => {
    let told = 0;
    const onReport = () => {
      told++;
      throw new Error("bad listener");
    };
    const kernel = createKernel({ onReport });
    for (const pid of [kernel.spawn(Probe), kernel.spawn(Probe)]) kernel.exit(pid, new Error("boom"));
    await settle();
    expect([told, kernel.info().processes]).toEqual([1, 0]);
  });
});

describe("an exit for a full urgent queue", () => {
  test("is refused with actor.mailbox_full", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe, { mailboxLimit: 1 });
    kernel.exit(pid, "normal");
    expect(() => kernel.exit(pid, "normal")).toThrow(code("actor.mailbox_full"));
    await settle();
    expect(kernel.isAlive(pid)).toBe(false);
  });
});

describe("mail to a live process", () => {
  test("is neither lost nor reordered, per sender and queue", async () => {
    const priority = fc.constantFrom("normal" as const, "high" as const, "max" as const);
    const mail = fc.array(fc.tuple(fc.nat(2), priority, fc.boolean()), { maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(mail, async (sends) => {
        const { kernel } = stage();
        const target = kernel.spawn(Probe);
        inside(target).react = (message) => ((message as number[])[2] ? Promise.resolve() : undefined);
        const senders = [kernel.spawn(Probe), kernel.spawn(Probe), kernel.spawn(Probe)];
        sends.forEach(([who, queue, slow], index) => {
          inside(senders[who] as PID).send(target, [`${who}${queue}`, index, slow], queue);
        });
        for (let turn = 0; turn < 20; turn++) await settle();
        const got = inside(target).got as [string, number, boolean][];
        expect(got).toHaveLength(sends.length);
        for (const key of new Set(got.map(([name]) => name))) {
          const order = got.filter(([name]) => name === key).map(([, index]) => index);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a flood of mail between two actors", () => {
  test("does not keep the event loop from its timers", async () => {
    const kernel = createKernel();
    const ping = kernel.spawn(Probe);
    let rounds = 0;
    const again = (): void => {
      rounds++;
      inside(ping).send(ping, again);
    };
    kernel.send(ping, again);
    await new Promise((resolve) => setTimeout(resolve, 0));
    await settle();
    kernel.kill(ping);
    expect(rounds).toBeGreaterThan(0);
  });
});
