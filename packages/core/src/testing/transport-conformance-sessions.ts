import { expect } from "vitest";
import { eventually, messageOf, Outcomes, openSessions, unlimited, upTo } from "./transport-conformance-tools.ts";
import type { TransportPromise } from "./transport-harness.ts";
import { answerCall } from "./transport-harness.ts";

const CALLS = 10_000;
const WINDOW = 16;

export const sessionPromises: readonly TransportPromise[] = [
  {
    title: "10,000 calls that are open at one time are each answered once, with their own answer",
    async run(harness) {
      const held: (() => void)[] = [];
      const { caller, answerer } = await openSessions(
        harness,
        ({ data }) => new Promise((resolve) => held.push(() => resolve(data))),
      );
      const outcomes = new Outcomes();
      for (let n = 0; n < CALLS; n++) outcomes.ask(caller, n);
      await eventually("all calls", () => answerer.incomingCalls === CALLS);
      for (const answer of held.toReversed()) answer();
      await eventually("all answers", () => outcomes.ended === CALLS);
      outcomes.check();
      expect(outcomes.answered).toBe(CALLS);
      expect([caller.openCalls, answerer.incomingCalls]).toEqual([0, 0]);
    },
  },
  {
    title: "calls go both ways over one link",
    async run(harness) {
      const { caller, answerer } = await openSessions(harness, ({ data }) => data, { handler: ({ data }) => data });
      const [there, back] = [new Outcomes(), new Outcomes()];
      for (let n = 0; n < 2_000; n++) {
        there.ask(caller, n);
        back.ask(answerer, n);
      }
      await eventually("all answers", () => there.answered + back.answered === 4_000);
      there.check();
      back.check();
    },
  },
  {
    title: "streams come whole and in order, many at a time",
    async run(harness) {
      const { caller } = await openSessions(harness, ({ type, data }) => answerCall(type, data), { streamWindow: WINDOW });
      const read = (): Promise<unknown[]> => itemsOf(caller.stream(messageOf("test.count", 500), unlimited()));
      const all = await Promise.all(Array.from({ length: 20 }, read));
      for (const items of all) expect(items).toEqual(upTo(500));
    },
  },
  {
    title: "a reader that takes nothing holds its source back by the credits of the stream, and other calls go on (T6)",
    async run(harness) {
      let made = 0;
      const { caller } = await openSessions(
        harness,
        ({ type, data }) => {
          if (type === "test.echo") return data;
          return (async function* () {
            for (let n = 1; n <= 200; n++) {
              made = n;
              yield Buffer.alloc(100_000, n);
            }
          })();
        },
        { streamWindow: WINDOW },
      );
      const reader = caller.stream(messageOf("test.large"), unlimited())[Symbol.asyncIterator]();
      await eventually("a full window", () => made > WINDOW);
      for (let n = 0; n < 50; n++) expect(await caller.call(messageOf("test.echo", n), unlimited())).toBe(n);
      expect(made).toBe(WINDOW + 1); // the next one waits for credit
      let sum = 0;
      for (let next = await reader.next(); next.done !== true; next = await reader.next())
        sum += (next.value as Uint8Array)[0] ?? 0;
      expect(sum).toBe((200 * 201) / 2);
    },
  },
  {
    title: "a caller that withdraws is heard by the handler, and the calls beside it go on",
    async run(harness) {
      const aborted: unknown[] = [];
      const { caller, answerer } = await openSessions(harness, ({ data }, { signal }) => {
        signal.addEventListener("abort", () => aborted.push(data));
        return new Promise((resolve) => (data === "stays" ? answers.push(resolve) : undefined));
      });
      const answers: ((value: unknown) => void)[] = [];
      const control = new AbortController();
      const withdrawn = caller.call(messageOf("test.ask", "leaves"), unlimited(control.signal));
      const stays = caller.call(messageOf("test.ask", "stays"), unlimited());
      await eventually("both calls", () => answerer.incomingCalls === 2);
      control.abort();
      await expect(withdrawn).rejects.toMatchObject({ code: "call.cancelled" });
      await eventually("the withdrawal", () => answerer.incomingCalls === 1);
      for (const answer of answers) answer("here");
      expect(await stays).toBe("here");
      expect(aborted).toEqual(["leaves"]);
    },
  },
  {
    title: "a link that is closed with calls and streams open ends each of them once, with node.unreachable",
    async run(harness) {
      let begun = 0;
      const { caller, answerer } = await openSessions(harness, ({ type, data }) => {
        begun++;
        return answerCall(type, data);
      });
      const outcomes = new Outcomes();
      for (let n = 0; n < 1_000; n++) outcomes.ask(caller, n, n % 2 === 0 ? "test.echo" : "test.never");
      const stream = itemsOf(caller.stream(messageOf("test.count", 1_000_000), unlimited()));
      const ended = expect(stream).rejects.toMatchObject({ code: "node.unreachable" });
      await eventually("all calls", () => begun === 1_001 && outcomes.answered === 500);
      answerer.close();
      await eventually("all ends", () => outcomes.ended === 1_000);
      await ended;
      outcomes.check();
      expect([outcomes.answered, outcomes.lost, answerer.incomingCalls]).toEqual([500, 500, 0]);
    },
  },
];

async function itemsOf(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
