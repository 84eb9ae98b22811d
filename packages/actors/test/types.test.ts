import { describe, expect, test } from "vitest";
import {
  Actor,
  type Alias,
  type Call,
  child,
  createKernel,
  type PID,
  type PidOf,
  type ProcessName,
  type Ref,
  Supervisor,
  type SupervisorSpec,
} from "../src/index.ts";

type Message = { add: number };
type Question = Call<"total", number> | Call<{ reset: boolean }, string>;

class Counter extends Actor<Message, Question> {
  #total = 0;
  override init(start: number): void {
    this.#total = start;
  }
  override handleMessage(_from: PID, { add }: Message): void {
    this.#total += add;
  }
  override handleCall(_from: PID, _ref: Ref, request: "total" | { reset: boolean }): number | string {
    if (request === "total") return this.#total;
    this.#total = 0;
    return "reset";
  }
}

class Easy extends Actor<string> {
  override init(_wordy = false): void {
    // Nothing to prepare.
  }
}

/** Every call in here is for the compiler; none runs. */
class Sender extends Actor<string> {
  send1(counter: PidOf<Counter>, name: ProcessName<Message, Question>, alias: Alias<Message, Question>): void {
    this.send(counter, { add: 1 });
    this.send(name, { add: 1 });
    this.send(alias, { add: 1 });
    this.send("by name", "a name alone has no types");
    // @ts-expect-error no such message
    this.send(counter, { ad: 1 });
    // @ts-expect-error no such message, by name
    this.send(name, "add");
    // @ts-expect-error no such message, by alias
    this.send(alias, { add: "1" });
    this.sendAfter(counter, { add: 1 }, 10);
    // @ts-expect-error no such message, later
    this.sendAfter(counter, { add: "1" }, 10);
    this.sendEvery(counter, { add: 1 }, 10, "high");
    // @ts-expect-error no such message, again and again
    this.sendEvery(counter, 1, 10);
    // @ts-expect-error no such priority
    this.send(counter, { add: 1 }, "urgent");
  }

  async call1(counter: PidOf<Counter>, from: PID, ref: Ref): Promise<void> {
    const total: number = await this.call(counter, "total");
    const text: string = await this.call(counter, { reset: true });
    // @ts-expect-error the answer to this question is a number
    const wrong: string = await this.call(counter, "total");
    // @ts-expect-error no such question
    await this.call(counter, "totel");
    // @ts-expect-error a message is no question
    await this.call(counter, { add: 1 });
    this.sendRequest(counter, "total", { label: "t" });
    // @ts-expect-error no such question, without waiting
    this.sendRequest(counter, { reset: 1 });
    this.forward(counter, from, ref, "total", "high");
    // @ts-expect-error no such question, handed on
    this.forward(counter, from, ref, "sum");
    this.forwardMessage(counter, from, { add: 1 });
    // @ts-expect-error no such message, handed on
    this.forwardMessage(counter, from, { sub: 1 });
    void [total, text, wrong];
  }

  spawn1(): void {
    const counter: PID<Message, Question> = this.spawn(Counter, { args: [1] });
    this.spawn(Easy);
    this.spawn(Easy, { args: [true], name: "easy" });
    // @ts-expect-error init needs a number
    this.spawn(Counter);
    // @ts-expect-error init needs a number, and this is none
    this.spawn(Counter, { args: ["1"] });
    // @ts-expect-error init takes one argument
    this.spawn(Counter, { args: [1, 2] });
    // @ts-expect-error no such option
    this.spawn(Counter, { args: [1], mailbox: 3 });
    // @ts-expect-error a supervisor cannot be sent what it does not understand
    this.send(this.spawn(Top) as PidOf<Top>, 1);
    void counter;
  }
}

class Top extends Supervisor<"stop", Call<"size", number>> {
  override init(): SupervisorSpec {
    return {
      children: [
        child("counter", Counter, { args: [1], significant: true }),
        child("easy", Easy),
        child("wordy", Easy, { args: [true], restart: { intensity: 1 } }),
        // @ts-expect-error init needs a number
        child("counter", Counter),
        // @ts-expect-error init needs a number, and this is none
        child("counter", Counter, { args: ["1"] }),
        // @ts-expect-error no such setting
        child("easy", Easy, { restarts: 1 }),
        // @ts-expect-error a child is linked in any case
        child("easy", Easy, { options: { linkChild: false } }),
        // @ts-expect-error no such strategy
        { name: "easy", actor: Easy, restart: { strategy: "sometimes" } },
      ],
    };
  }
}

describe("types", () => {
  test("let the compiler refuse what an actor does not understand, wherever it is sent", async () => {
    // The lines above are checked by tsc. What they say about good mail is true at run time as well.
    await using kernel = createKernel();
    const counter = kernel.spawn(Counter, { args: [40] });
    kernel.send(counter, { add: 2 });
    const total: number = await kernel.call(counter, "total");
    expect([total, await kernel.call(counter, { reset: true })]).toEqual([42, "reset"]);
    expect(() => {
      // @ts-expect-error an actor that has no name is sent to by its address only
      kernel.send(Counter, { add: 1 });
    }).toThrow(expect.objectContaining({ code: "actor.unsupported" }));
    expect([Sender, Top]).toHaveLength(2);
  });

  test("check the arguments of a child against the init of its actor", () => {
    expect(child("counter", Counter, { args: [1], significant: true })).toEqual({
      name: "counter",
      actor: Counter,
      args: [1],
      significant: true,
    });
    expect(child("easy", Easy)).toEqual({ name: "easy", actor: Easy });
  });
});
