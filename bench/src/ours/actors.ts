import { Actor, type Call, createKernel, type Kernel, type PID, type PidOf, type Ref } from "@metanode/actors";
import type { ActorWorld, Audience } from "../actors.ts";
import { Handled, nextTurn, tallied } from "../tally.ts";

type Done = (seen: number) => void;
interface Work {
  readonly kind: "send" | "call";
  readonly count: number;
  /** Told how many messages the receiver has seen since the last time. */
  readonly done: Done;
}
type Question = Call<number, number>;
type Target = PID<number | Done, Question>;

class Receiver extends Actor<number | Done, Question> {
  seen = 0;

  override handleMessage(_from: PID, message: number | Done): void {
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
  #target: Target | undefined;

  override init(target: Target): void {
    this.#target = target;
  }

  override handleMessage(_from: PID, { kind, count, done }: Work): void | Promise<void> {
    const target = this.#target;
    if (target === undefined) return;
    if (kind === "call") return this.#callAll(target, count, done);
    for (let i = 0; i < count; i++) this.send(target, i);
    this.send(target, done);
  }

  async #callAll(target: Target, count: number, done: Done): Promise<void> {
    for (let i = 0; i < count; i++) await this.call(target, i);
    done(count);
  }
}

class Idle extends Actor<never> {
  override init(): void {
    // nothing to do, which is the point
  }
}

class Subscriber extends Actor<never> {
  #handled: Handled | undefined;

  override init(event: string, handled: Handled): void {
    this.#handled = handled;
    this.linkEvent(event);
  }

  override handleEvent(): void {
    this.#handled?.count();
  }
}

const EVENT = "news";

async function subscribe(kernel: Kernel, count: number): Promise<Audience> {
  const handled = new Handled(count);
  const token = kernel.registerEvent(EVENT);
  const pids = Array.from({ length: count }, () => kernel.spawn(Subscriber, { args: [EVENT, handled] }));
  return {
    publish: () => handled.all(() => kernel.sendEvent(EVENT, token, "something new")),
    end: async () => {
      for (const pid of pids) kernel.kill(pid);
      kernel.unregisterEvent(EVENT);
      await nextTurn();
    },
  };
}

/** Pairs of actors of one kernel, and as many idle ones and subscribers as are asked for. */
export async function openOurActors(): Promise<ActorWorld> {
  const kernel = createKernel();
  const senders: PidOf<Sender>[] = [];
  const sender = (index: number): PidOf<Sender> => {
    const found = senders[index] ?? kernel.spawn(Sender, { args: [kernel.spawn(Receiver)] });
    senders[index] = found;
    return found;
  };
  return {
    send: (pairs, count) =>
      tallied(pairs, count, (done) => {
        for (let i = 0; i < pairs; i++) kernel.send(sender(i), { kind: "send", count, done });
      }),
    call: (count) => tallied(1, count, (done) => kernel.send(sender(0), { kind: "call", count, done })),
    async spawn(count) {
      const pids = Array.from({ length: count }, () => kernel.spawn(Idle));
      return {
        end: async () => {
          for (const pid of pids) kernel.kill(pid);
          await nextTurn();
        },
      };
    },
    subscribe: (count) => subscribe(kernel, count),
    close: () => kernel.stop(),
  };
}
