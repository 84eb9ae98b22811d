import { describe, expect, test } from "vitest";
import { coreError, type MetanodeError } from "../../src/errors.ts";
import { HostedLog } from "../../src/log/hosted.ts";
import { MemoryStore } from "../../src/log/memory.ts";
import type { CommitBatch, CommitResult } from "../../src/log/store.ts";
import { ack, consume, eventually, messageOf } from "../../src/testing/log-conformance-tools.ts";
import { settle, VirtualClock } from "../../src/testing/virtual-clock.ts";

/** A store whose commits take until the test lets them go, and fail when it says so. */
class GatedStore extends MemoryStore {
  readonly commits: CommitBatch[] = [];
  failure: MetanodeError | undefined;
  #gate = Promise.resolve();
  #open: () => void = () => undefined;

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  letGo(): void {
    this.#open();
  }

  override async commit(batch: CommitBatch): Promise<CommitResult> {
    this.commits.push(batch);
    const { failure } = this;
    await this.#gate;
    if (failure !== undefined) throw failure;
    return super.commit(batch);
  }
}

function gatedLog() {
  const store = new GatedStore();
  const clock = new VirtualClock();
  const faults: MetanodeError[] = [];
  const log = new HostedLog(store, { clock, onFault: (error) => faults.push(error) });
  return { store, clock, faults, log };
}

const diskFull = coreError("log.storage", "the disk is full");

describe("group commit", () => {
  test("stores appends that are made together in one commit", async () => {
    const { store, log } = gatedLog();
    const stream = await log.stream("orders");
    await Promise.all([1, 2, 3].map((n) => stream.append(messageOf(n))));
    expect(store.commits.map(({ calls }) => calls.length)).toEqual([3]);
  });

  test("stores all appends together that come while commits are under way, in their order", async () => {
    const { store, log } = gatedLog();
    const stream = await log.stream("orders");
    store.hold();
    const appends: Promise<unknown>[] = [];
    for (let n = 0; n < 50; n++) {
      appends.push(stream.append(messageOf(n)));
      await settle();
    }
    expect(store.commits.map(({ calls }) => calls.length)).toEqual([1, 1]);
    store.letGo();
    await Promise.all(appends);
    expect(store.commits.map(({ calls }) => calls.length)).toEqual([1, 1, 48]);
    expect((await stream.read(0, 100)).map(({ message }) => message.data)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test("bounds one commit, and keeps the order over several", async () => {
    const { store, log } = gatedLog();
    const stream = await log.stream("orders");
    const large = "x".repeat(3_000_000);
    await Promise.all([0, 1, 2, 3, 4].map((n) => stream.append(messageOf(`${n}${large}`))));
    expect(store.commits.map(({ calls }) => calls.length)).toEqual([2, 2, 1]);
    expect((await stream.read(0, 10)).map(({ message }) => String(message.data)[0])).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("takes acks along with appends, and by themselves soon after", async () => {
    const { store, clock, log } = gatedLog();
    const stream = await log.stream("orders");
    const deliveries = await consume(stream, {}, ack);
    await stream.append(messageOf("a"));
    await deliveries.number(1);
    await stream.append(messageOf("b"));
    await deliveries.number(2);
    expect(store.commits.map(({ calls, saves }) => [calls.length, saves.map(({ cursor }) => cursor)])).toEqual([
      [1, []],
      [1, [1]],
    ]);
    await clock.advance(30);
    expect(store.commits.at(-1)).toMatchObject({ calls: [], saves: [{ cursor: 2, open: [] }] });
  });
});

describe("a commit that fails", () => {
  test("rejects every append in it, and the next ones work", async () => {
    const { store, log } = gatedLog();
    const stream = await log.stream("orders");
    store.failure = diskFull;
    const results = await Promise.allSettled([stream.append(messageOf(1)), stream.append([messageOf(2), messageOf(3)])]);
    expect(results).toMatchObject([
      { status: "rejected", reason: { code: "log.storage" } },
      { status: "rejected", reason: { code: "log.storage" } },
    ]);
    store.failure = undefined;
    expect(await stream.append(messageOf(4))).toEqual({ sequence: 1, duplicate: false });
  });

  test("keeps acks, failed attempts and dead letters for the next, and tells of it", async () => {
    const { store, clock, faults, log } = gatedLog();
    const stream = await log.stream("orders");
    await stream.append(["acked", "failed", "dead", "under way"].map((data) => messageOf(data)));
    const deliveries = await consume(stream, { backoffMs: [60_000] });
    await deliveries.number(4);
    store.failure = diskFull;
    deliveries.all[0]?.ack();
    deliveries.all[1]?.nak();
    deliveries.all[2]?.term("hopeless");
    await clock.advance(100);
    expect(faults.map(({ code }) => code)).toContain("log.storage");
    await expect(log.deadLetters.count()).rejects.toMatchObject({ code: "log.storage" });
    expect(await store.countDead()).toBe(0);
    store.failure = undefined;
    await clock.advance(2_000);
    expect(await store.countDead()).toBe(1);
    const { id: stored } = await store.openStream("orders", undefined, clock.now());
    const record = await store.openConsumer(stored, "worker", "first", clock.now());
    expect(record).toMatchObject({ cursor: 4, open: [4], held: [{ sequence: 2, failures: 1 }] });
  });

  test("at the end of a consumer is told to who closes it, and the name is free again", async () => {
    const { store, log } = gatedLog();
    const stream = await log.stream("orders");
    const { consumer, ...before } = await consume(stream);
    await stream.append(messageOf("a"));
    await eventually("the delivery", () => before.all.length === 1);
    store.failure = diskFull;
    await expect(consumer.close()).rejects.toMatchObject({ code: "log.storage" });
    store.failure = undefined;
    const after = await consume(stream, {}, ack);
    expect((await after.number(1)).message.data).toBe("a");
  });
});
