import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { createKeepAlive } from "../../src/splitting/keep-alive.ts";

const ping = Uint8Array.of(0);

function setUp(periodMs = 100) {
  const clock = new VirtualClock(0);
  const writtenAt: number[] = [];
  const keepAlive = createKeepAlive({ bytes: ping, periodMs, clock, write: () => void writtenAt.push(clock.now()) });
  return { clock, writtenAt, keepAlive };
}

describe("a keep-alive", () => {
  test("writes at once, then after each period in which nothing was written", async () => {
    const { clock, writtenAt, keepAlive } = setUp();
    keepAlive.start();
    await clock.advance(250);
    expect(writtenAt).toEqual([0, 100, 200]);
  });

  test("waits a whole period from the last write of the user", async () => {
    const { clock, writtenAt, keepAlive } = setUp();
    keepAlive.start();
    await clock.advance(70);
    keepAlive.touch();
    await clock.advance(60);
    keepAlive.touch();
    await clock.advance(150);
    expect(writtenAt).toEqual([0, 230]);
  });

  test("writes nothing and keeps no timer once it is stopped, by its own write as well", async () => {
    const { clock, writtenAt, keepAlive } = setUp();
    keepAlive.start();
    keepAlive.stop();
    keepAlive.stop();
    await clock.advance(1_000);
    expect(writtenAt).toEqual([0]);
    expect(clock.pendingTimers).toBe(0);

    const stopping = createKeepAlive({ bytes: ping, periodMs: 10, clock, write: () => stopping.stop() });
    stopping.start();
    expect(clock.pendingTimers).toBe(0);
  });

  test("has one timer, however often it is started", async () => {
    const { clock, writtenAt, keepAlive } = setUp();
    keepAlive.start();
    keepAlive.start();
    expect(clock.pendingTimers).toBe(1);
    expect(writtenAt).toEqual([0]);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses a period of %s with actor.incorrect", (periodMs) => {
    expect(() => setUp(periodMs)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });

  test("refuses to write nothing with actor.incorrect", () => {
    const options = { bytes: new Uint8Array(0), periodMs: 1, clock: new VirtualClock(), write: () => undefined };
    expect(() => createKeepAlive(options)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });
});
