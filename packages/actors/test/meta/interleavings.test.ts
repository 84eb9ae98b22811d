import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Alias, MessageDown, type Reason, Terminate } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { Recorder } from "./recorder.ts";

/** One meta-process under test. */
class Subject {
  readonly main = Promise.withResolvers<undefined | Reason>();
  readonly gates: (() => void)[] = [];
  running = 0;
  most = 0;
  readonly recorder = new Recorder({
    work: () => this.main.promise,
    close: (reason) => this.main.resolve(reason),
    react: (message) => this.#react(message as { fail?: Reason; hold?: boolean }),
  });

  constructor() {
    this.main.promise.catch(() => undefined); // where start was not entered, nobody waits for it
  }

  async #react(message: { fail?: Reason; hold?: boolean }): Promise<void> {
    this.most = Math.max(this.most, ++this.running);
    if (message.hold) await new Promise<void>((resolve) => this.gates.push(resolve));
    this.running--;
    if (message.fail !== undefined) throw new Terminate(message.fail);
  }
}

/** Does what may be refused because somebody has ended. */
function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toHaveProperty("code", expect.stringMatching(/^actor\.(process|alias|not_allowed)/));
  }
}

/** Some meta-processes of two parents, each watched. */
class Scene {
  readonly staged = stage();
  readonly parents = [inside(this.staged.kernel.spawn(Probe)), inside(this.staged.kernel.spawn(Probe))] as const;
  readonly watcher = inside(this.staged.kernel.spawn(Probe));
  readonly echo = this.staged.kernel.spawn(Probe);
  readonly subjects: Subject[] = [];
  readonly aliases: Alias[] = [];

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.add((behaviour) => (this.parents[i % 2] as Probe).spawnMeta(behaviour));
  }

  add(spawn: (behaviour: Recorder) => Alias): void {
    const subject = new Subject();
    const alias = spawn(subject.recorder);
    this.subjects.push(subject);
    this.aliases.push(alias);
    this.watcher.monitor(alias);
  }

  /** Ends every meta-process that lives, and lets every handler go on. */
  async finish(): Promise<void> {
    for (const alias of this.aliases) attempt(() => this.staged.kernel.exitMeta(alias, "shutdown"));
    for (let turn = 0; turn < 60; turn++) {
      for (const subject of this.subjects) for (const release of subject.gates.splice(0)) release();
      await settle();
    }
  }
}

type Act = (scene: Scene, index: number, reason: Error) => void | Promise<void>;

/** What can happen to the meta-process at an index, with a weight. */
const acts: Readonly<Record<string, [number, Act]>> = {
  settle: [4, () => settle()],
  send: [6, ({ staged, aliases }, i) => attempt(() => staged.kernel.send(aliases[i] as Alias, {}))],
  hold: [2, ({ staged, aliases }, i) => attempt(() => staged.kernel.send(aliases[i] as Alias, { hold: true }))],
  release: [3, ({ subjects }, i) => subjects[i]?.gates.shift()?.()],
  repeat: [2, ({ subjects, echo }, i) => attempt(() => subjects[i]?.recorder.meta.sendEvery(echo, 1, 50))],
  delay: [2, ({ subjects, echo }, i) => attempt(() => subjects[i]?.recorder.meta.sendAfter(echo, 1, 5_000))],
  request: [2, ({ subjects, echo }, i) => attempt(() => subjects[i]?.recorder.meta.sendRequest(echo, 1))],
  spawn: [
    1,
    (scene, i) => attempt(() => scene.add((behaviour) => (scene.subjects[i] as Subject).recorder.meta.spawn(behaviour))),
  ],
  exit: [1, ({ watcher, aliases }, i, reason) => attempt(() => watcher.sendExitMeta(aliases[i] as Alias, reason))],
  fail: [1, ({ staged, aliases }, i, reason) => attempt(() => staged.kernel.send(aliases[i] as Alias, { fail: reason }))],
  return: [1, ({ subjects }, i, reason) => subjects[i]?.main.resolve(reason)],
  throw: [1, ({ subjects }, i, reason) => subjects[i]?.main.reject(new Terminate(reason))],
  kill: [1, ({ staged, parents }, i) => attempt(() => staged.kernel.kill((parents[i % 2] as Probe).self))],
  parent: [1, ({ staged, parents }, i, reason) => attempt(() => staged.kernel.exit((parents[i % 2] as Probe).self, reason))],
};

const step = fc.record({
  act: fc.oneof(...Object.entries(acts).map(([name, [weight]]) => ({ weight, arbitrary: fc.constant(name) }))),
  index: fc.nat(3),
});

async function perform(scene: Scene, act: string, index: number, reason: Error): Promise<void> {
  await acts[act]?.[1](scene, index, reason);
}

describe("a meta-process, whatever happens in whatever order", () => {
  test("ends once, and leaves no alias, relation, request or timer (M1 to M4)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const scene = new Scene(4);
        const { watcher, subjects, aliases, staged } = scene;
        const { kernel, clock } = staged;
        for (const [at, { act, index }] of steps.entries()) await perform(scene, act, index, new Error(`${act} ${at}`));
        await scene.finish();
        const downs = watcher.got.filter((message) => message instanceof MessageDown);
        expect(downs).toHaveLength(subjects.length);
        for (const [index, subject] of subjects.entries()) {
          const down = downs.find((message) => message.target === aliases[index]);
          expect(subject.recorder.ended).toEqual([down?.reason]);
          expect(subject.most).toBeLessThanOrEqual(1);
        }
        expect(kernel.metas()).toEqual([]);
        expect(kernel.info().aliases).toBe(0);
        expect(kernel.processInfo(watcher.self).monitors).toEqual([]);
        await clock.advance(6_000); // the one timer that all requests share
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("ends with the reason of whichever end came first", async () => {
    const cause = fc.constantFrom("exit", "return", "throw", "parent", "fail");
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(cause, { minLength: 2, maxLength: 5 }), async (causes) => {
        const scene = new Scene(1);
        await settle();
        const reasons = causes.map((name) => new Error(name));
        for (const [at, act] of causes.entries()) {
          await perform(scene, act, 0, reasons[at] as Error);
          await settle();
        }
        expect(scene.subjects[0]?.recorder.ended).toEqual([reasons[0]]);
      }),
      { numRuns: 60 },
    );
  });
});
