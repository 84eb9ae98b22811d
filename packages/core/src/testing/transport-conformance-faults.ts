import { expect } from "vitest";
import type { Channel } from "../link/channel.ts";
import type { Session } from "../link/session.ts";
import {
  callerOf,
  callsOf,
  eventually,
  type Heard,
  hear,
  loaded,
  Outcomes,
  openEnds,
  upTo,
} from "./transport-conformance-tools.ts";
import type { TransportHarness, TransportPeer, TransportPromise } from "./transport-harness.ts";

/** Frames that are under way, there and back, at a time. */
const MAX_AHEAD = 2_000;

/** Sends numbered frames, turn by turn, until it is told to stop. */
class Load {
  sent = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(channel: Channel, back: Heard) {
    this.#done = this.#run(channel, back);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(channel: Channel, back: Heard): Promise<void> {
    while (!this.#isOver) {
      for (let n = 0; n < 20 && this.sent - back.frames.length < MAX_AHEAD; n++) channel.send([loaded(++this.sent, 500)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** What came is the beginning of what was sent: none lost, none doubled (T1). */
function expectBeginning(heard: Heard, sent: number): void {
  const calls = callsOf(heard);
  expect(calls.length).toBeLessThanOrEqual(sent);
  expect(calls).toEqual(upTo(calls.length));
}

function expectBroken(heard: Heard): void {
  expect(heard.ends).toHaveLength(1);
  // gRPC has no better name for a stream that breaks in the middle.
  expect(heard.ends[0]?.code).toMatch(/^(node\.unreachable|processor\.protocol)$/);
}

async function peerOf(harness: TransportHarness): Promise<TransportPeer> {
  if (harness.startPeer === undefined) throw new Error("this harness starts no other process");
  return harness.startPeer();
}

/** A link to another process that gives everything back, under load and with so many frames back already. */
async function underLoad(harness: TransportHarness, frames: number): Promise<{ peer: TransportPeer; heard: Heard; load: Load }> {
  const peer = await peerOf(harness);
  const channel = harness.dialling.dial(peer.echo);
  const heard = hear(channel);
  const load = new Load(channel, heard);
  await eventually("the load", () => heard.frames.length > frames);
  return { peer, heard, load };
}

/** Calls until the link ends. */
function keepAsking(session: Session, outcomes: Outcomes): () => number {
  let asked = 0;
  const ask = (): void => {
    if (session.isClosed) return;
    for (let n = 0; n < 20 && asked - outcomes.ended < 500; n++) outcomes.ask(session, asked++);
    setImmediate(ask);
  };
  ask();
  return () => asked;
}

export const faultPromises: readonly TransportPromise[] = [
  {
    title: "kill -9 of the other process is told within the limit, and what came back until then is whole (T1, T4)",
    needs: "startPeer",
    async run(harness) {
      const { peer, heard, load } = await underLoad(harness, 5_000);
      peer.signal("SIGKILL");
      await eventually("the end", () => heard.ends.length > 0, harness.noticeMs);
      await load.stop();
      expectBeginning(heard, load.sent);
      expectBroken(heard);
    },
  },
  {
    title: "kill -9 of the other process ends each open call once, none with the answer of another (T4)",
    needs: "startPeer",
    async run(harness) {
      const peer = await peerOf(harness);
      const session = callerOf(harness.dialling.dial(peer.session));
      const outcomes = new Outcomes();
      const asked = keepAsking(session, outcomes);
      await eventually("the load", () => outcomes.answered > 5_000);
      peer.signal("SIGKILL");
      await eventually("the end", () => session.isClosed, harness.noticeMs);
      await eventually("all ends", () => outcomes.ended === asked());
      outcomes.check();
      expect(outcomes.lost).toBeGreaterThan(0);
    },
  },
  {
    title: "an idle link whose other process is killed is told within the limit (T4)",
    needs: "startPeer",
    async run(harness) {
      const peer = await peerOf(harness);
      const channel = harness.dialling.dial(peer.echo);
      const heard = hear(channel);
      channel.send([loaded(1, 1)]);
      await eventually("the echo", () => heard.frames.length === 1);
      peer.signal("SIGKILL");
      await eventually("the end", () => heard.ends.length > 0, harness.noticeMs);
      expectBroken(heard);
    },
  },
  {
    title: "a process that stands still is waited for or given up, and nothing is lost or doubled either way (T1, T4, T6)",
    needs: "startPeer",
    async run(harness) {
      const { peer, heard, load } = await underLoad(harness, 2_000);
      peer.signal("SIGSTOP");
      if (harness.noticesSilence) await eventually("the end", () => heard.ends.length > 0, harness.noticeMs);
      else await eventually("what can be sent", () => load.sent - heard.frames.length >= MAX_AHEAD);
      await load.stop();
      peer.signal("SIGCONT");
      if (harness.noticesSilence) {
        await eventually("the end on the other side", async () => (await peer.openChannels()) === 0, harness.noticeMs);
        expectBroken(heard);
      } else {
        await eventually("what was under way", () => heard.frames.length >= load.sent);
        expect(heard.ends).toEqual([]);
      }
      expectBeginning(heard, load.sent);
    },
  },
  {
    title: "a network that breaks is told to both sides within the limit, and what had come is whole on both (T1, T4)",
    needs: "cutNetwork",
    async run(harness) {
      const { dialled, accepted } = await openEnds(harness);
      const there = hear(accepted, (frames) => accepted.send(frames));
      const here = hear(dialled);
      const load = new Load(dialled, here);
      await eventually("the load", () => here.frames.length > 5_000);
      await harness.cutNetwork?.();
      await eventually("both ends", () => here.ends.length > 0 && there.ends.length > 0, harness.noticeMs);
      await load.stop();
      for (const heard of [here, there]) {
        expectBeginning(heard, load.sent);
        expectBroken(heard);
      }
    },
  },
];
