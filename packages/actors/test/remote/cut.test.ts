import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryLinks, EventName, type Link, later, MessageDown, type PID, type Ref } from "../../src/index.ts";
import { inside, Probe } from "../probe.ts";
import { type Node, node, quiet } from "./cluster.ts";

/** A link that breaks when the given number of batches has passed it, both directions together. */
function breaking(after: number): [Link, Link] {
  const [left, right] = createMemoryLinks();
  let passed = 0;
  const count = (link: Link): Link => ({
    maxBatchBytes: link.maxBatchBytes,
    isTrusted: true,
    listen: (events) => link.listen(events),
    close: (error) => link.close(error),
    send: (batch) => {
      if (passed++ >= after) {
        left.close(new Error("cut"));
        return true;
      }
      return link.send(batch);
    },
  });
  return [count(left), count(right)];
}

/** Everything that one side does to the other, in an order that the property chooses. */
const actions = [
  "send",
  "important",
  "call",
  "callNobody",
  "request",
  "monitor",
  "monitorAgain",
  "demonitor",
  "subscribe",
  "publish",
  "spawn",
  "kill",
  "answerLate",
  "turn",
] as const;
type Action = (typeof actions)[number];

/** One run: processes on both nodes, what was promised to them and what came of it. */
class Run {
  readonly a: Node;
  readonly b: Node;
  readonly watchers: PID[];
  readonly targets: PID[];
  readonly waits: Promise<unknown>[] = [];
  /** Monitors that were confirmed and not taken back: each must be told once. */
  readonly expected = new Map<string, number>();
  readonly requests: Ref[] = [];
  readonly #late: (() => void)[] = [];
  readonly #token: Ref;
  #sent = 0;
  #published = 0;

  constructor(a: Node, b: Node) {
    this.a = a;
    this.b = b;
    this.watchers = [0, 1, 2].map(() => a.kernel.spawn(Probe));
    this.targets = [0, 1, 2].map(() => b.kernel.spawn(Probe));
    for (const pid of this.watchers) inside(pid).setTrapExit(true);
    b.kernel.enableSpawn("probe", Probe);
    this.#token = b.kernel.registerEvent("e", { bufferLimit: 2 });
    for (const target of this.targets) {
      inside(target).answer = (from, ref, request) => {
        if (request === "now") return "now";
        this.#late.push(() => inside(target).respond(from, ref, "late"));
        return later;
      };
    }
  }

  async act(action: Action, pick: number): Promise<void> {
    const pid = this.watchers[pick % 3] as PID;
    const target = this.targets[Math.floor(pick / 3) % 3] as PID;
    const watcher = inside(pid);
    try {
      switch (action) {
        case "send":
          watcher.send(target, this.#sent++);
          break;
        case "important":
          this.#wait(watcher.sendImportant(target, this.#sent++));
          break;
        case "call":
          this.#wait(watcher.call(target, pick % 2 === 0 ? "now" : "later"));
          break;
        case "callNobody":
          this.#wait(watcher.call(this.a.kernel.core, "now", { important: true }));
          break;
        case "request":
          this.requests.push(watcher.sendRequest(target, "now"));
          break;
        case "monitor":
        case "monitorAgain":
          this.#monitor(pid, target);
          break;
        case "demonitor":
          watcher.demonitor(target);
          this.expected.delete(`${pid} ${target}`);
          break;
        case "subscribe":
          this.#wait(watcher.linkEvent(new EventName("e", "b@here")) as Promise<unknown>);
          break;
        case "publish":
          this.b.kernel.sendEvent("e", this.#token, this.#published++);
          break;
        case "spawn":
          this.#wait(watcher.remoteSpawn("b@here", "probe", { linkParent: true }));
          break;
        case "kill":
          if (pick % 7 === 0) this.b.kernel.kill(target);
          break;
        case "answerLate":
          this.#late.shift()?.();
          break;
        default:
          await new Promise((resolve) => setImmediate(resolve));
      }
    } catch {
      // What was refused at once waits for nothing.
    }
  }

  #wait(promise: Promise<unknown>): void {
    this.waits.push(promise.catch(() => undefined));
  }

  #monitor(pid: PID, target: PID): void {
    const key = `${pid} ${target}`;
    const made = inside(pid).monitor(target) as Promise<void>;
    const told = made.then(() => this.expected.set(key, (this.expected.get(key) ?? 0) + 1));
    this.#wait(told);
  }
}

/** Messages of each sender to each receiver in the order of their numbers. */
function isOrdered(got: readonly unknown[]): boolean {
  const numbers = got.filter((each) => typeof each === "number");
  return numbers.every((each, n) => n === 0 || (numbers[n - 1] as number) < each);
}

describe("a link that is cut at any moment", () => {
  test("leaves nobody waiting, tells every monitor once, keeps the order, and leaves nothing behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        fc.array(fc.tuple(fc.constantFrom(...actions), fc.nat(100)), { minLength: 5, maxLength: 80 }),
        async (after, plan) => {
          const [a, b] = [node("a"), node("b")];
          const [left, right] = breaking(after);
          const connecting = Promise.allSettled([a.kernel.connect(left), b.kernel.connect(right)]);
          const run = new Run(a, b);
          await quiet();
          for (const [action, pick] of plan) await run.act(action, pick);
          await quiet();
          // Whatever is still whole is cut now.
          left.close(new Error("cut"));
          await quiet();
          await a.clock.advance(16_000);
          await b.clock.advance(16_000);
          await quiet();
          await connecting;
          await Promise.all(run.waits);
          for (const target of run.targets) expect(isOrdered(inside(target).got)).toBe(true);
          for (const pid of run.watchers) {
            const downs = inside(pid).got.filter((message) => message instanceof MessageDown);
            for (const target of run.targets) {
              const told = downs.filter((down) => String(down.target) === String(target)).length;
              expect(told).toBe(run.expected.get(`${pid} ${target}`) ?? 0);
            }
          }
          const responses = run.watchers.flatMap((pid) => inside(pid).got.filter((got) => (got as { ref?: Ref }).ref));
          expect(responses).toHaveLength(run.requests.length);
          for (const { kernel, clock } of [a, b]) {
            expect(kernel.nodes()).toEqual([]);
            for (const pid of kernel.processes())
              expect(kernel.processInfo(pid)).toMatchObject({ links: [], monitors: [], state: "sleep" });
            for (const event of kernel.info().events) expect(event.subscribers).toBe(0);
            await kernel.stop();
            expect(clock.pendingTimers).toBe(0);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("batches", () => {
  test("of every size keep the order of each sender, both ways at once", async () => {
    const [a, b] = [node("a"), node("b")];
    const ends = createMemoryLinks();
    await Promise.all([a.kernel.connect(ends[0]), b.kernel.connect(ends[1])]);
    const [onA, onB] = [a, b].map(({ kernel }) => [0, 1, 2].map(() => kernel.spawn(Probe))) as [PID[], PID[]];
    const pairs = onA.map((pid, n) => [pid, onB[n] as PID] as const);
    const size = (n: number): number => (createHash("sha256").update(String(n)).digest()[0] ?? 0) * (n % 50 === 0 ? 500 : 5);
    for (let n = 0; n < 2_000; n++) {
      for (const [left, right] of pairs) {
        inside(left).send(right, { n, filler: "x".repeat(size(n)) });
        inside(right).send(left, { n, filler: "y".repeat(size(n + 1)) });
      }
      if (n % 97 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await quiet();
    const numbers = Array.from({ length: 2_000 }, (_, n) => n);
    for (const pid of [...onA, ...onB]) expect(inside(pid).got.map((got) => (got as { n: number }).n)).toEqual(numbers);
  });
});
