import { describe, expect, test } from "vitest";
import { MetaBehaviour, type MetaProcess, type PID } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

/** Waits until it is terminated, and writes down what it gets. */
class Waiter extends MetaBehaviour<unknown> {
  readonly got: unknown[] = [];
  meta!: MetaProcess;
  #stop: (() => void) | undefined;

  override start(meta: MetaProcess): Promise<void> {
    this.meta = meta;
    return new Promise((resolve) => {
      this.#stop = resolve;
    });
  }
  override handleMessage(_from: PID, message: unknown): void {
    this.got.push(message);
  }
  override handleInspect() {
    return { got: String(this.got.length) };
  }
  override terminate(): void {
    this.#stop?.();
  }
}

async function setUp(mailboxLimit = 0) {
  const { kernel } = stage();
  const parent = kernel.spawn(Probe);
  const target = kernel.spawn(Probe, { mailboxLimit });
  const behaviour = new Waiter();
  const alias = inside(parent).spawnMeta(behaviour);
  await settle();
  return { kernel, parent: inside(parent), target, probe: inside(target), behaviour, meta: behaviour.meta, alias };
}

describe("a meta-process that waits until mail is read", () => {
  test("goes on when everything that waited there has been read, however full the mailbox is, and counts for no mail", async () => {
    const { kernel, target, probe, meta } = await setUp(2);
    let release = (): void => undefined;
    probe.react = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    meta.send(target, "one");
    await settle();
    meta.send(target, "two");
    meta.send(target, "three");
    expect(() => meta.send(target, "four")).toThrow(expect.objectContaining({ code: "actor.mailbox_full" }));
    let isRead = false;
    const read = meta.whenRead(target).then(() => {
      isRead = true;
      meta.send(target, "four");
    });
    for (const _ of ["one", "two"]) {
      release();
      await settle();
      expect(isRead).toBe(false);
    }
    probe.react = () => undefined;
    release();
    await read;
    await settle();
    expect(probe.got).toEqual(["one", "two", "three", "four"]);
    expect(kernel.processInfo(target).messagesIn).toBe(4);
    await kernel.stop();
  });

  test("goes on when whoever it waits for ends, is not there, or is a meta-process that ends", async () => {
    const { kernel, parent, target, probe, meta } = await setUp();
    let release = (): void => undefined;
    probe.react = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    meta.send(target, "one");
    await settle();
    const read = meta.whenRead(target);
    kernel.kill(target);
    release();
    await read;
    await meta.whenRead(target);
    await meta.whenRead("nobody");

    const other = new Waiter();
    const otherAlias = parent.spawnMeta(other);
    await settle();
    other.meta.holdMail(true);
    meta.send(otherAlias, "never read");
    const ended = meta.whenRead(otherAlias);
    parent.sendExitMeta(otherAlias, "normal");
    await ended;
    expect(other.got).toEqual([]);
    await kernel.stop();
  });
});

describe("a meta-process that holds its mail", () => {
  test("is inspected and ended all the same, and reads on in order when it lets go", async () => {
    const { kernel, parent, behaviour, meta, alias } = await setUp();
    meta.holdMail(true);
    for (const message of [1, 2, 3]) parent.send(alias, message);
    await settle();
    expect(await kernel.inspect(alias)).toEqual({ got: "0" });
    expect(kernel.metaInfo(alias)).toMatchObject({ state: "sleep", mailbox: { main: 3 } });
    meta.holdMail(false);
    await settle();
    expect(behaviour.got).toEqual([1, 2, 3]);
    meta.holdMail(true);
    parent.send(alias, 4);
    kernel.exitMeta(alias, "shutdown");
    await settle();
    expect(kernel.metas()).toEqual([]);
    expect(behaviour.got).toEqual([1, 2, 3]);
    await kernel.stop();
  });
});
