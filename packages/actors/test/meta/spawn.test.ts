import { describe, expect, test } from "vitest";
import { type Alias, type Ended, MetaBehaviour, type MetaProcess, type PID, Terminate } from "../../src/index.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { code, Recorder } from "./recorder.ts";

const boom = new Error("boom");

describe("the spawn of a meta-process", () => {
  const inits: [string, unknown, unknown][] = [
    ["returns", () => boom, boom],
    ["throws in a Terminate", () => Promise.reject(new Terminate(boom)), boom],
    ["resolves with", async () => boom, boom],
    ["throws, as actor.panic (15)", () => Promise.reject(boom), code("actor.panic")],
  ];
  test.each(inits)("fails with what its init %s; nothing else runs and nothing is left (14)", async (_title, begin, error) => {
    const { kernel, clock } = stage();
    const parent = inside(kernel.spawn(Probe));
    const meta = new Recorder({ begin: begin as never });
    const spawning = (async () => parent.spawnMeta(meta))();
    await expect(spawning).rejects.toEqual(error);
    await settle();
    expect(meta.calls).toEqual(["init"]);
    expect([kernel.metas(), kernel.info().aliases, clock.pendingTimers]).toEqual([[], 0, 0]);
    expect(() => kernel.send(meta.meta.id, 1)).toThrow(code("actor.process_unknown"));
  });

  test("fails at once when its init throws at once (14, 15)", () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const fail = (thrown: unknown) => () => {
      throw thrown;
    };
    expect(() => parent.spawnMeta(new Recorder({ begin: fail(new Terminate(boom)) }))).toThrow(boom);
    expect(() => parent.spawnMeta(new Recorder({ begin: fail(boom) }))).toThrow(code("actor.panic"));
    expect(() => parent.spawnMeta(new Recorder({ begin: () => "normal" }))).toThrow(code("actor.process_terminated"));
  });

  test("with an asynchronous init shows its alias only afterwards", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const ready = Promise.withResolvers<undefined>();
    const meta = new Recorder({ begin: () => ready.promise });
    const spawning = parent.spawnMeta(meta) as unknown as Promise<Alias>;
    expect(() => kernel.send(meta.meta.id, 1)).toThrow(code("actor.process_unknown"));
    ready.resolve(undefined);
    const alias = await spawning;
    expect(alias).toBe(meta.meta.id);
    expect(await kernel.call(alias, 1)).toBe(1);
  });

  test("whose init does not come to an end fails with actor.timeout and aborts the signal", async () => {
    const { kernel, clock } = stage();
    const parent = inside(kernel.spawn(Probe));
    const meta = new Recorder({ begin: () => new Promise(() => undefined) });
    const spawning = expect(parent.spawnMeta(meta, { initTimeoutMs: 100 })).rejects.toThrow(code("actor.timeout"));
    await clock.advance(100);
    await spawning;
    expect(meta.meta.signal.aborted).toBe(true);
  });

  test("whose parent ends during its init fails with actor.process_terminated", async () => {
    const { kernel, clock } = stage();
    const parent = inside(kernel.spawn(Probe));
    const meta = new Recorder({ begin: () => new Promise(() => undefined) });
    const spawning = expect(parent.spawnMeta(meta)).rejects.toThrow(code("actor.process_terminated"));
    kernel.kill(parent.self);
    await spawning;
    expect([meta.calls, clock.pendingTimers]).toEqual([["init"], 0]);
  });

  test("refuses what has no start, options that it does not know or cannot use, and a parent that has ended", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const wrong = code("actor.incorrect");
    expect(() => parent.spawnMeta(undefined as never)).toThrow(wrong);
    expect(() => parent.spawnMeta({} as never)).toThrow(wrong);
    expect(() => parent.spawnMeta(new Recorder(), { mailboxLimit: -1 })).toThrow(wrong);
    expect(() => parent.spawnMeta(new Recorder(), { initTimeoutMs: 0 })).toThrow(wrong);
    expect(() => parent.spawnMeta(new Recorder(), { mailboxSize: 1 } as never)).toThrow(wrong);
    kernel.kill(parent.self);
    expect(() => parent.spawnMeta(new Recorder())).toThrow(code("actor.not_allowed"));
    expect(kernel.metas()).toEqual([]);
  });

  test("keeps the mail that comes before start, and handles it afterwards", async () => {
    const { kernel } = stage();
    const meta = new Recorder();
    const alias = inside(kernel.spawn(Probe)).spawnMeta(meta);
    kernel.send(alias, 1);
    kernel.send(alias, 2);
    expect(kernel.metaInfo(alias)).toMatchObject({ state: "created", mailbox: { main: 2 }, uptimeMs: 0 });
    await settle();
    expect([meta.got, meta.calls]).toEqual([
      [1, 2],
      ["init", "start", "message", "message"],
    ]);
  });

  test("followed by an exit before start ends it without entering start", async () => {
    const { kernel } = stage();
    const meta = new Recorder();
    const alias = inside(kernel.spawn(Probe)).spawnMeta(meta);
    kernel.send(alias, 1);
    kernel.exitMeta(alias, boom);
    await settle();
    expect([meta.calls, meta.ended]).toEqual([["init", "terminate"], [boom]]);
    expect(kernel.metas()).toEqual([]);
  });

  test("gives a promise in its type when init does", () => {
    class Later extends MetaBehaviour<string> {
      override async init(): Promise<void> {
        // Ready at once, and yet a promise.
      }
      override start(): void {
        // Ends at once.
      }
      override terminate(): void {
        // Nothing to close.
      }
    }
    class Now extends MetaBehaviour<string> {
      override start(): void {
        // Ends at once.
      }
      override terminate(): void {
        // Nothing to close.
      }
    }
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const later: Promise<Alias<string, never>> = parent.spawnMeta(new Later());
    const now: Alias<string, never> = parent.spawnMeta(new Now());
    // @ts-expect-error a message of the wrong type
    const wrong = (): void => kernel.send(now, 5);
    expect([later, now, wrong]).toHaveLength(3);
  });
});

describe("a behaviour that gets its handle", () => {
  class ByInit extends MetaBehaviour<string> {
    #meta!: MetaProcess;
    #stop: () => void = () => undefined;
    override init(meta: MetaProcess): void {
      this.#meta = meta;
    }
    override start(): Promise<void> {
      return new Promise((resolve) => {
        this.#stop = resolve;
      });
    }
    override handleMessage(_from: PID, message: string): Ended {
      this.#meta.send(this.#meta.parent, `init: ${message}`);
    }
    override terminate(): void {
      this.#stop();
    }
  }
  class ByStart extends MetaBehaviour<string> {
    #meta!: MetaProcess;
    #stop: () => void = () => undefined;
    override start(meta: MetaProcess): Promise<void> {
      this.#meta = meta;
      return new Promise((resolve) => {
        this.#stop = resolve;
      });
    }
    override handleMessage(_from: PID, message: string): Ended {
      this.#meta.send(this.#meta.parent, `start: ${message}`);
    }
    override terminate(): void {
      this.#stop();
    }
  }
  test.each([
    ["init", ByInit],
    ["start", ByStart],
  ])("in %s has it when its first mail comes", async (where, Behaviour) => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    kernel.send(parent.spawnMeta(new Behaviour()), "hello");
    await settle();
    expect(parent.got).toEqual([`${where}: hello`]);
    await kernel.stop();
  });
});

describe("a meta-process that another one spawned", () => {
  test("belongs to the same process and survives the one that spawned it", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const [first, second] = [new Recorder(), new Recorder()];
    const alias = parent.spawnMeta(first);
    await settle();
    const sibling = first.meta.spawn(second);
    await settle();
    expect([second.meta.parent, kernel.metaInfo(sibling).parent]).toEqual([parent.self, parent.self]);
    kernel.exitMeta(alias, boom);
    await settle();
    expect([first.ended, second.ended]).toEqual([[boom], []]);
    expect(await kernel.call(sibling, "still there")).toBe("still there");
  });

  test("can be spawned in init, in start and in a handler, and not after the end (35)", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const spawnOne = (meta: MetaProcess) => void meta.spawn(new Recorder());
    const meta = new Recorder({
      begin: spawnOne,
      work: (handle) => {
        spawnOne(handle);
        return meta.over.promise;
      },
      react: () => spawnOne(meta.meta),
    });
    const alias = parent.spawnMeta(meta);
    kernel.send(alias, 1);
    await settle();
    expect(kernel.metas()).toHaveLength(4);
    kernel.exitMeta(alias, "normal");
    await settle();
    expect(() => spawnOne(meta.meta)).toThrow(code("actor.not_allowed"));
    expect(kernel.metas()).toHaveLength(3);
  });
});
