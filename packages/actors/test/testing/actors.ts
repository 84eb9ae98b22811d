import { Actor, type Call, later, MessageDown, type PID, type PidOf, type Ref } from "../../src/index.ts";

/* The counter and the watcher of the README. */

type Message = { add: number };
type Question = Call<"total", number> | Call<"messages", number>;

export class Counter extends Actor<Message, Question> {
  #total = 0;
  #messages = 0;

  override init(start: number) {
    this.#total = start;
  }

  override handleMessage(_from: PID, { add }: Message) {
    this.#total += add;
    this.#messages++;
  }

  override handleCall(_from: PID, _ref: Ref, question: "total" | "messages") {
    return question === "total" ? this.#total : this.#messages;
  }
}

export class Worker extends Actor<string> {
  readonly done: string[] = [];

  override handleMessage(_from: PID, job: string) {
    if (job === "bad") throw new Error("cannot do that");
    this.done.push(job);
  }
}

/** Keeps one worker running, and tells who asks why it had to be replaced. */
export class Watcher extends Actor<string | MessageDown, Call<"replaced", string>> {
  #worker: PidOf<Worker> | undefined;
  #asked: { from: PID; ref: Ref } | undefined;

  override init() {
    this.#worker = this.spawn(Worker);
    this.monitor(this.#worker);
  }

  override handleMessage(_from: PID, message: string | MessageDown) {
    if (message instanceof MessageDown) {
      this.init();
      if (this.#asked) this.respond(this.#asked.from, this.#asked.ref, String(message.reason));
    } else if (this.#worker) this.send(this.#worker, message);
  }

  override handleCall(from: PID, ref: Ref): typeof later {
    this.#asked = { from, ref };
    return later; // the answer comes when the worker is replaced
  }
}
