import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createMemoryChannel } from "../../src/link/channel.ts";
import type { Frame, Hello } from "../../src/link/frames.ts";
import { greet, receive } from "../../src/link/handshake.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { errorOf, until } from "../fixtures/until.ts";

const HELLO: Hello = { versionMin: 1, versionMax: 1, name: "pricing.0", types: [{ type: "order.price" }], concurrency: 4 };
const welcome = () => ({ concurrency: 16, maxBatchBytes: 1_000, node: "eu" });

function open() {
  const clock = new VirtualClock();
  const [dialling, listening] = createMemoryChannel();
  return { clock, dialling, listening, wait: { clock, timeoutMs: 1_000 } };
}

describe("a handshake", () => {
  test("tells each side who the other is", async () => {
    const { dialling, listening, wait } = open();
    const [dialled, received] = await Promise.all([greet(dialling, HELLO, wait), receive(listening, welcome, wait)]);
    expect(dialled.greeting).toEqual({ version: 1, concurrency: 16, maxBatchBytes: 1_000, node: "eu" });
    expect(received.greeting).toEqual(HELLO);
  });

  test("hands on every frame that came behind the greeting, in order", async () => {
    const { dialling, listening, wait } = open();
    dialling.send([{ hello: HELLO }, { call: 1, ping: {} }]);
    dialling.send([{ call: 2, ping: {} }]);
    const { channel } = await receive(listening, welcome, wait);
    dialling.send([{ call: 3, ping: {} }]);
    const frames: Frame[] = [];
    channel.listen({ onFrames: (batch) => void frames.push(...batch), onClosed: () => undefined });
    await until("all have come", () => frames.length === 3);
    expect(frames.map(({ call }) => call)).toEqual([1, 2, 3]);
  });

  test.each([
    { min: 2, max: 9, isShared: false },
    { min: 0, max: 0, isShared: false },
    { min: 1, max: 9, isShared: true },
    { min: 0, max: 1, isShared: true },
    { min: 3, max: 1, isShared: false },
  ])("with versions $min to $max is shared: $isShared", async ({ min, max, isShared }) => {
    const { dialling, listening, wait } = open();
    const received = receive(listening, welcome, wait).then(
      () => "welcome",
      (error: { code: string }) => error.code,
    );
    const greeted = greet(dialling, { ...HELLO, versionMin: min, versionMax: max }, wait).then(
      ({ greeting }) => greeting.version,
      (error: { code: string }) => error.code,
    );
    expect(await received).toBe(isShared ? "welcome" : "protocol.version");
    expect(await greeted).toBe(isShared ? 1 : "protocol.version");
  });

  test("in which the other side chooses a version that was not offered is ended: protocol.version with both", async () => {
    const { dialling, listening, wait } = open();
    listening.send([{ welcome: { ...welcome(), version: 2 } }]);
    const error = await errorOf(greet(dialling, HELLO, wait));
    expect(error).toMatchObject({ code: "protocol.version", details: { theirs: [2, 2], ours: [1, 1] } });
  });

  test("of a side that speaks other versions takes the newest of both", async () => {
    const { dialling, listening, wait } = open();
    const hello = { ...HELLO, versionMin: 2, versionMax: 5 };
    const [{ greeting }] = await Promise.all([
      greet(dialling, hello, wait),
      receive(listening, welcome, { ...wait, versions: { min: 1, max: 3 } }),
    ]);
    expect(greeting.version).toBe(3);
  });

  test("that is not admitted gives both sides the same error", async () => {
    const { dialling, listening, wait } = open();
    const refuse = () => {
      throw coreError("auth.unauthenticated", "who are you");
    };
    const [greeted, received] = await Promise.all([
      errorOf(greet(dialling, HELLO, wait)),
      errorOf(receive(listening, refuse, wait)),
    ]);
    expect(greeted).toMatchObject({ code: "auth.unauthenticated", message: "who are you" });
    expect(received).toMatchObject({ code: "auth.unauthenticated" });
  });

  test("that never comes ends at its limit, on either side", async () => {
    const first = open();
    const received = errorOf(receive(first.listening, welcome, first.wait));
    await first.clock.advance(1_000);
    expect(await received).toMatchObject({ code: "processor.protocol" });
    const second = open();
    const greeted = errorOf(greet(second.dialling, HELLO, second.wait));
    await second.clock.advance(1_000);
    expect(await greeted).toMatchObject({ code: "processor.protocol" });
  });

  test("that begins with another frame is refused on either side", async () => {
    const first = open();
    first.dialling.send([{ call: 1, ping: {} }]);
    expect(await errorOf(receive(first.listening, welcome, first.wait))).toMatchObject({ code: "processor.protocol" });
    const second = open();
    second.listening.send([{ call: 1, ping: {} }]);
    expect(await errorOf(greet(second.dialling, HELLO, second.wait))).toMatchObject({ code: "processor.protocol" });
  });

  test("whose link ends before it is an error, and no wait", async () => {
    const { dialling, listening, wait } = open();
    dialling.close();
    expect(await errorOf(receive(listening, welcome, wait))).toMatchObject({ code: "processor.protocol" });
  });
});
