import { expect } from "vitest";
import { coreError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import { callsOf, type Ends, eventually, hear, loaded, numbered, openEnds, upTo } from "./transport-conformance-tools.ts";
import type { TransportPromise } from "./transport-harness.ts";

/** Both directions of a promise about closing. */
const SIDES: readonly { readonly who: string; of(ends: Ends): readonly [closing: Channel, other: Channel] }[] = [
  { who: "the side that dialled", of: ({ dialled, accepted }) => [dialled, accepted] },
  { who: "the side that listened", of: ({ dialled, accepted }) => [accepted, dialled] },
];

export const endPromises: readonly TransportPromise[] = [
  ...SIDES.flatMap(({ who, of }): TransportPromise[] => [
    {
      title: `an orderly close by ${who} is told once to both, after everything that was sent before (T2)`,
      async run(harness) {
        const [closing, other] = of(await openEnds(harness));
        const there = hear(other);
        const here = hear(closing);
        for (const n of upTo(500)) closing.send([loaded(n, 20_000)]);
        closing.close();
        closing.close();
        closing.send([numbered(501)]);
        await eventually("both ends", () => there.ends.length > 0 && here.ends.length > 0);
        expect(callsOf(there)).toEqual(upTo(500));
        expect([there.ends, here.ends]).toEqual([[undefined], [undefined]]);
      },
    },
    {
      title: `an error that ${who} gives to close is told to the other side with its code and text (T3)`,
      async run(harness) {
        const [closing, other] = of(await openEnds(harness));
        const there = hear(other);
        const here = hear(closing);
        closing.send([numbered(1)]);
        await eventually("the frame", () => there.frames.length === 1);
        closing.close(coreError("auth.denied", "not you"));
        await eventually("both ends", () => there.ends.length > 0 && here.ends.length > 0);
        expect(there.ends).toMatchObject([{ code: "auth.denied", message: "not you" }]);
        expect(here.ends).toMatchObject([{ code: "auth.denied" }]);
      },
    },
    {
      title: `an error that ${who} gives to close ends the other side, and never in order (T3)`,
      async run(harness) {
        const [closing, other] = of(await openEnds(harness));
        const there = hear(other);
        hear(closing);
        closing.close(coreError("processor.protocol", "enough"));
        await eventually("the end", () => there.ends.length > 0);
        expect(there.ends).toMatchObject([{ code: "processor.protocol" }]);
      },
    },
  ]),
  {
    title: "an end that came before somebody listens to the channel is told after the frames that came before it",
    async run(harness) {
      const ends = await openEnds(harness);
      const here = hear(ends.dialled);
      for (const n of upTo(20)) ends.dialled.send([numbered(n)]);
      ends.dialled.close();
      await eventually("the end", () => here.ends.length > 0);
      const order: unknown[] = [];
      ends.accepted.listen({
        onFrames: (frames) => void order.push(...frames.map(({ call }) => call)),
        onClosed: (error) => void order.push(error),
      });
      await eventually("everything", () => order.length > 20);
      expect(order).toEqual([...upTo(20), undefined]);
    },
  },
  {
    title: "closing the listener ends every link in order, and whoever dials then is told node.unreachable (T5, T7)",
    async run(harness) {
      const { server, address, dialled, accepted } = await openEnds(harness);
      const there = hear(accepted);
      const here = hear(dialled);
      accepted.send([numbered(1)]);
      await eventually("the frame", () => here.frames.length === 1);
      await server.close();
      await server.close();
      await eventually("both ends", () => there.ends.length > 0 && here.ends.length > 0);
      expect([there.ends, here.ends]).toEqual([[undefined], [undefined]]);
      const late = hear(harness.dialling.dial(address));
      await eventually("the end", () => late.ends.length > 0, harness.noticeMs);
      expect(late.ends).toMatchObject([{ code: "node.unreachable" }]);
    },
  },
  {
    title: "dialling where nobody listens is told once as node.unreachable, and what is sent goes nowhere (T5)",
    async run(harness) {
      const { server, address } = await openEnds(harness);
      await server.close();
      const channel = harness.dialling.dial(address);
      channel.send([numbered(1)]);
      const here = hear(channel);
      await eventually("the end", () => here.ends.length > 0, harness.noticeMs);
      channel.send([numbered(2)]);
      channel.close(coreError("auth.denied", "late"));
      channel.close();
      expect(here).toMatchObject({ frames: [], ends: [{ code: "node.unreachable" }] });
    },
  },
  {
    title: "dialling what is no address throws at nobody and is told by onClosed (T5)",
    async run(harness) {
      for (const address of ["", "nats:", "nats:a b", "nats:a.*", "nats:>", "\u0000", `nats:${"x".repeat(200)}`]) {
        const here = hear(harness.dialling.dial(address));
        await eventually(`the end of a link to ${JSON.stringify(address)}`, () => here.ends.length > 0, harness.noticeMs);
        expect(here.ends[0]?.code).toMatch(/^(node\.unreachable|config\.invalid|processor\.protocol)$/);
      }
    },
  },
  {
    title: "an address is listened on once at a time, and is free again after the close (T7)",
    async run(harness) {
      const { server, address, dialled, accepted } = await openEnds(harness);
      const second = harness.listening.listen(address, () => undefined);
      await expect(second).rejects.toMatchObject({ code: "node.port_in_use" });
      const here = hear(dialled, () => undefined);
      accepted.send([numbered(1)]);
      await eventually("a frame of the first listener", () => here.frames.length === 1);
      await server.close();
      const third = await harness.listening.listen(address, (channel) => channel.send([numbered(3)]));
      const again = hear(harness.dialling.dial(third.address));
      await eventually("a frame of the third listener", () => again.frames.length === 1);
    },
  },
];
