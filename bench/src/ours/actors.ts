import { Actor, type Call, createKernel, type PID, type Ref } from "@metanode/actors";
import { type ActorWorld, lost } from "../actors.ts";

interface Work {
  readonly kind: "send" | "call";
  readonly count: number;
  /** Told how many messages the receiver has seen since the last time. */
  readonly done: (seen: number) => void;
}
type Question = Call<number, number>;

class Receiver extends Actor<number | Work["done"], Question> {
  seen = 0;

  override handleMessage(_from: PID, message: number | Work["done"]): void {
    if (typeof message === "number") this.seen++;
    else {
      message(this.seen);
      this.seen = 0;
    }
  }

  override handleCall(_from: PID, _ref: Ref, value: number): number {
    return value;
  }
}

class Sender extends Actor<Work> {
  #target: PID<number | Work["done"], Question> | undefined;

  override init(target: PID<number | Work["done"], Question>): void {
    this.#target = target;
  }

  override handleMessage(_from: PID, { kind, count, done }: Work): void | Promise<void> {
    const target = this.#target;
    if (target === undefined) return;
    if (kind === "call") return this.#callAll(target, count, done);
    for (let i = 0; i < count; i++) this.send(target, i);
    this.send(target, done);
  }

  async #callAll(target: PID<number | Work["done"], Question>, count: number, done: Work["done"]): Promise<void> {
    for (let i = 0; i < count; i++) await this.call(target, i);
    done(count);
  }
}

class Idle extends Actor<never> {
  override init(): void {
    // nothing to do, which is the point
  }
}

/** Two actors of one kernel, and as many idle ones as are asked for. */
export async function openOurActors(): Promise<ActorWorld> {
  const kernel = createKernel();
  const receiver = kernel.spawn(Receiver) as PID<number | Work["done"], Question>;
  const sender = kernel.spawn(Sender, { args: [receiver] }) as PID<Work>;
  const work = (kind: Work["kind"], count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      kernel.send(sender, { kind, count, done: (seen) => (seen === count ? resolve() : reject(lost(seen, count))) });
    });
  return {
    send: (count) => work("send", count),
    call: (count) => work("call", count),
    async spawn(count) {
      const pids = Array.from({ length: count }, () => kernel.spawn(Idle) as PID<never>);
      return async () => {
        for (const pid of pids) kernel.kill(pid);
        await new Promise((resolve) => setImmediate(resolve));
      };
    },
    close: () => kernel.stop(),
  };
}
