import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Alias, Kernel, PID, Priority } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const priorities = fc.constantFrom<Priority>("normal", "high", "max");
const RANK: Record<Priority, number> = { max: 0, high: 1, normal: 2 };

/** One message of a plan: who sends it, how, and how long its handler takes. */
const letter: fc.Arbitrary<Letter> = fc.record({
  from: fc.nat(2),
  to: fc.nat(1),
  priority: priorities,
  by: fc.constantFrom<Letter["by"]>("pid", "name", "alias", "call", "request"),
  slow: fc.constantFrom<Letter["slow"]>("no", "no", "no", "turn", "held"),
  burst: fc.constantFrom(1, 1, 1, 3, 300),
});

interface Letter {
  readonly from: number;
  readonly to: number;
  readonly priority: Priority;
  readonly by: "pid" | "name" | "alias" | "call" | "request";
  readonly slow: "no" | "turn" | "held";
  readonly burst: number;
}

interface Got {
  readonly from: number;
  readonly priority: Priority;
  readonly index: number;
}

interface Target {
  readonly probe: Probe;
  readonly name: string;
  readonly alias: Alias;
  readonly got: Got[];
  readonly sent: Got[];
}

/** Three senders and two receivers, whose handlers take as long as a letter says. */
class Post {
  readonly kernel: Kernel = stage().kernel;
  readonly targets: Target[];
  readonly senders: Probe[];
  readonly #held: (() => void)[] = [];
  #index = 0;

  constructor() {
    this.targets = [0, 1].map((index) => this.#receiver(`target ${index}`));
    this.senders = [0, 1, 2].map(() => inside(this.kernel.spawn(Probe)));
  }

  #receiver(name: string): Target {
    const probe = inside(this.kernel.spawn(Probe, { name }));
    const target: Target = { probe, name, alias: probe.createAlias(), got: [], sent: [] };
    probe.react = (message) => this.#handle(target, message as Got & Pick<Letter, "slow">);
    probe.answer = (_from, _ref, request) => this.#handle(target, request as Got & Pick<Letter, "slow">);
    return target;
  }

  #handle({ probe, got }: Target, { slow, ...what }: Got & Pick<Letter, "slow">): unknown {
    got.push(what);
    const { urgent, system } = this.kernel.processInfo(probe.self).mailbox;
    if (what.priority !== "max") expect(urgent).toBe(0);
    if (what.priority === "normal") expect(system).toBe(0);
    if (slow === "turn") return Promise.resolve();
    return slow === "held" ? new Promise<void>((resolve) => void this.#held.push(resolve)) : undefined;
  }

  send({ from, to, priority, by, slow, burst }: Letter): void {
    const { probe, name, alias, sent } = this.targets[to] as Target;
    const sender = this.senders[from] as Probe;
    for (let copy = 0; copy < burst; copy++) {
      const what = { from, priority, index: this.#index++ };
      sent.push(what);
      const message = { ...what, slow: copy === 0 ? slow : "no" };
      if (by === "call") void sender.call(probe.self, message, { priority }).catch(() => undefined);
      else if (by === "request") sender.sendRequest(probe.self, message, { priority });
      else sender.send({ pid: probe.self, name, alias }[by] as PID, message, priority);
    }
  }

  /** Lets one handler that waits go on. */
  release(): void {
    this.#held.shift()?.();
  }

  async finish(): Promise<void> {
    for (let quiet = 0; quiet < 60; quiet++) {
      for (const release of this.#held.splice(0)) release();
      await settle();
    }
  }
}

const byIndex = (a: Got, b: Got): number => a.index - b.index;

describe("mail to a live process", () => {
  test("is neither lost nor reordered per sender and queue, nor read before mail of a higher queue, whatever happens", async () => {
    const between = fc.constantFrom("nothing", "nothing", "settle", "release");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(letter, between), { maxLength: 40 }), async (letters) => {
        const post = new Post();
        for (const [each, pause] of letters) {
          post.send(each);
          if (pause === "settle") await settle();
          if (pause === "release") post.release();
        }
        await post.finish();
        for (const { got, sent } of post.targets) {
          expect(got.toSorted(byIndex)).toEqual(sent);
          const queues = Object.values(Object.groupBy(got, ({ from, priority }) => `${from} ${priority}`)) as Got[][];
          for (const queue of queues) expect(queue).toEqual(queue.toSorted(byIndex));
        }
        await post.kernel.stop();
      }),
      { numRuns: 80 },
    );
  });

  test("that waits together is read by queue, and in each queue in the order of sending", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(priorities, { maxLength: 600 }), async (list) => {
        const { kernel } = stage();
        const pid = kernel.spawn(Probe);
        for (const [index, priority] of list.entries()) kernel.send(pid, index, priority);
        for (let turn = 0; turn < 3; turn++) await settle();
        const expected = list
          .map((_, index) => index)
          .toSorted((a, b) => {
            return RANK[list[a] as Priority] - RANK[list[b] as Priority] || a - b;
          });
        expect(inside(pid).got).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test("of a million messages between a thousand processes all arrives", async () => {
    const { kernel } = stage();
    const probes = Array.from({ length: 1_000 }, () => inside(kernel.spawn(Probe)));
    let arrived = 0;
    for (const [index, probe] of probes.entries()) {
      probe.react = (hops) => {
        arrived++;
        if ((hops as number) > 0) probe.send((probes[(index * 7 + arrived) % probes.length] as Probe).self, (hops as number) - 1);
        probe.got.length = 0;
      };
    }
    for (let i = 0; i < 1_000; i++) kernel.send((probes[i] as Probe).self, 999);
    while (arrived < 1_000_000) await settle();
    await settle();
    expect(arrived).toBe(1_000_000);
  });
});
