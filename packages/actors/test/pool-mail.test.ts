import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Rotation } from "../src/behaviour/rotation.ts";
import type { Kernel, PID } from "../src/index.ts";
import { type Message, type Pooled, pooled } from "./pool-workers.ts";
import { settle } from "./probe.ts";

describe("turns", () => {
  test("go round as in a queue where whoever had its turn goes to the end", () => {
    const step = fc.oneof(
      fc.constant({ kind: "next" as const }),
      fc.constant({ kind: "add" as const }),
      fc.constant({ kind: "shift" as const }),
      fc.nat(9).map((which) => ({ kind: "drop" as const, which })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const rotation = new Rotation<number>();
        let queue: number[] = [];
        let made = 0;
        for (const each of steps) {
          if (each.kind === "add") {
            queue.push(made);
            rotation.add(made++);
          } else if (each.kind === "shift") expect(rotation.shift()).toBe(queue.shift());
          else if (each.kind === "drop") {
            expect(rotation.drop(each.which)).toBe(queue.includes(each.which));
            queue = queue.filter((item) => item !== each.which);
          } else if (queue.length > 0) {
            const first = queue.shift() as number;
            queue.push(first);
            expect(rotation.next()).toBe(first);
          }
          expect(rotation.size).toBe(queue.length);
        }
      }),
    );
  });
});

type Step = "send" | "kill" | "pause" | "add" | "remove" | "settle";

/** Kills a worker that lives, and tells how much was in its mailbox. */
function bury(kernel: Kernel, worker: PID<never, never> | undefined): number {
  if (worker === undefined || !kernel.isAlive(worker)) return 0;
  const { mailbox } = kernel.processInfo(worker);
  kernel.kill(worker);
  return mailbox.main;
}

/** Does the steps, and tells how many jobs were sent, and how much waited at most in the mailboxes of those who died. */
async function play({ kernel, pool, book, behaviour }: Pooled, steps: readonly [Step, number][]): Promise<[number, number]> {
  let sent = 0;
  let buried = 0;
  const acts: Record<Step, (which: number) => unknown> = {
    send: () => kernel.send(pool, { job: sent++ }),
    kill: (which) => {
      buried += bury(kernel, book.pids.at(-1 - (which % book.pids.length)));
    },
    pause: () => Promise.resolve(), // the pool has handed mail on
    add: () => behaviour.addWorkers(1),
    remove: () => (behaviour.workers > 0 ? behaviour.removeWorkers(1) : undefined),
    settle,
  };
  for (const [step, which] of steps) {
    const given = acts[step](which);
    if (given instanceof Promise) await given; // several steps may fall between two looks at the mail
  }
  for (let turn = 0; turn < 60; turn++) await settle();
  return [sent, buried];
}

describe("mail to a pool whose workers die at random", () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom<Step>("send", "send", "send", "send", "kill", "pause", "add", "remove", "settle"), fc.nat(7)),
    { maxLength: 120, size: "max" },
  );
  const limits = fc.constantFrom(0, 1, 3);

  test("is handled once or rejected once, but for what waited in the mailbox of a worker that died", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), limits, steps, async (size, mailboxLimit, list) => {
        const on = pooled({ size, options: { mailboxLimit } });
        const { book, behaviour, inspect } = on;
        book.after = (job) => (job % 3 === 0 ? new Promise((resolve) => setImmediate(resolve, undefined)) : undefined);
        const [sent, buried] = await play(on, list);
        const handled = book.done.map(([, job]) => job);
        const rejected = behaviour.rejected.map(({ message }) => (message as { job: number }).job);
        const seen = [...handled, ...rejected];
        expect(new Set(seen).size).toBe(seen.length);
        // An exit that a worker was let go with waits in its mailbox too, so that "buried" is a limit and not a count.
        expect(seen.length).toBeGreaterThanOrEqual(sent - buried);
        expect(seen.length).toBeLessThanOrEqual(sent);
        const { messages_forwarded, messages_unhandled } = await inspect();
        expect(Number(messages_forwarded) + Number(messages_unhandled)).toBe(sent);
        expect(Number(messages_unhandled)).toBe(rejected.length);
      }),
      { numRuns: 150 },
    );
  });

  test("is neither lost nor handled twice while they die between two messages, and takes strict turns", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.array(fc.nat(4), { maxLength: 4 }), { maxLength: 30, size: "max" }),
        async (size, deaths) => {
          const { kernel, pool, book } = pooled({ size });
          const places = [...book.pids];
          for (let job = 0; job < deaths.length; job++) {
            for (const which of deaths[job] as number[]) {
              const worker = places[which % size] as PID<Message, never>;
              if (kernel.isAlive(worker)) kernel.kill(worker);
            }
            const at = job % size;
            const isDead = !kernel.isAlive(places[at] as PID<Message, never>);
            const before = book.pids.length;
            kernel.send(pool, { job });
            await settle();
            expect(book.pids.length - before).toBe(isDead ? 1 : 0);
            if (isDead) places[at] = book.pids[before] as PID<Message, never>;
            expect(book.done[job]).toEqual([book.pids.indexOf(places[at] as PID<Message, never>), job]);
          }
          expect(book.done).toHaveLength(deaths.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});
