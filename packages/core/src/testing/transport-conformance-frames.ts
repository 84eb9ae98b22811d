import { expect } from "vitest";
import type { Channel } from "../link/channel.ts";
import { callsOf, eventually, hear, loaded, numbered, openEnds, upTo } from "./transport-conformance-tools.ts";
import type { TransportHarness, TransportPromise } from "./transport-harness.ts";

export const framePromises: readonly TransportPromise[] = [
  {
    title: "every frame arrives both ways, in order, none lost and none doubled (T1)",
    async run(harness) {
      const { dialled, accepted } = await openEnds(harness);
      const there = hear(accepted);
      const here = hear(dialled);
      for (let n = 0; n < 5_000; n++) {
        dialled.send([numbered(2 * n + 1), numbered(2 * n + 2)]);
        accepted.send([numbered(n + 1)]);
        if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await eventually("all frames", () => there.frames.length >= 10_000 && here.frames.length >= 5_000);
      expect(callsOf(there)).toEqual(upTo(10_000));
      expect(callsOf(here)).toEqual(upTo(5_000));
      expect([there.ends, here.ends]).toEqual([[], []]);
    },
  },
  {
    title: "batches of all sizes arrive whole, also those that are larger than any one packet (T1)",
    async run(harness) {
      const { dialled, accepted } = await openEnds(harness);
      const there = hear(accepted, (frames) => accepted.send(frames));
      const here = hear(dialled);
      const sizes = [0, 1, 100, 65_535, 65_536, 1_048_000, 1_048_576, 1_048_577, 3_000_000, 7_777_777, 10];
      for (const [n, size] of sizes.entries()) dialled.send([loaded(n, size)]);
      await eventually("all batches", () => here.frames.length >= sizes.length);
      expect(here.frames.map(({ reply }) => reply?.data?.byteLength ?? 0)).toEqual(sizes);
      for (const [n, { reply }] of here.frames.entries()) {
        expect(Buffer.from(reply?.data ?? []).every((byte) => byte === n)).toBe(true);
      }
      expect(there.frames).toHaveLength(sizes.length);
    },
  },
  {
    title: "what comes before somebody listens to the channel is kept for it, in order (T1)",
    async run(harness) {
      const { dialled, accepted } = await openEnds(harness);
      const here = hear(dialled);
      for (const n of upTo(200)) dialled.send([numbered(n)]);
      accepted.send([numbered(7)]);
      await eventually("what the other side sent later", () => here.frames.length === 1);
      const there = hear(accepted);
      await eventually("all frames", () => there.frames.length >= 200);
      expect(callsOf(there)).toEqual(upTo(200));
    },
  },
  {
    title: "a channel can be sent to as soon as it is dialled (T5)",
    async run(harness) {
      const arrived = Promise.withResolvers<Channel>();
      const server = await harness.listening.listen(harness.freeAddress(), arrived.resolve);
      const dialled = harness.dialling.dial(server.address);
      for (const n of upTo(50)) dialled.send([numbered(n)]);
      const there = hear(await arrived.promise);
      await eventually("all frames", () => there.frames.length >= 50);
      expect(callsOf(there)).toEqual(upTo(50));
    },
  },
  {
    title: "twenty links to one address do not mix",
    async run(harness) {
      await manyLinks(harness, 20);
    },
  },
];

async function manyLinks(harness: TransportHarness, links: number): Promise<void> {
  const server = await harness.listening.listen(harness.freeAddress(), (channel) => {
    channel.listen({ onFrames: (frames) => channel.send(frames), onClosed: () => undefined });
  });
  const all = Array.from({ length: links }, () => {
    const channel = harness.dialling.dial(server.address);
    return { channel, heard: hear(channel) };
  });
  for (let n = 0; n < 50; n++) for (const [link, { channel }] of all.entries()) channel.send([numbered(link * 1_000 + n)]);
  await eventually("all echoes", () => all.every(({ heard }) => heard.frames.length >= 50));
  for (const [link, { heard }] of all.entries()) expect(callsOf(heard)).toEqual(upTo(50).map((n) => link * 1_000 + n - 1));
}
