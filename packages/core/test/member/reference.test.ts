import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createGroup } from "../../src/member/group.ts";
import type { MemberState, Outcome } from "../../src/member/member.ts";
import { type Policy, policy, tallyOf } from "../../src/member/policy.ts";
import { all } from "../../src/member/select.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { failAfter, hang, later, member, message, throwing, type Watched } from "./members.ts";

/** How one member behaves. Delay 0 is an answer without a promise. */
interface Behaviour {
  readonly kind: "ok" | "error" | "unreachable" | "hang" | "skipped";
  readonly delayMs: number;
  readonly state: Exclude<MemberState, "ready">;
}

const CALL_MS = 800;

// Never a multiple of 8, so that no answer coincides with the end of the time.
const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  kind: fc.constantFrom("ok", "ok", "error", "unreachable", "hang", "skipped"),
  delayMs: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 40 }).map((ticks) => ticks * 8 + 3),
  ),
  state: fc.constantFrom("draining", "maintenance", "down"),
});

const options = fc.record({
  rest: fc.constantFrom("cancel", "wait", "finish"),
  skipped: fc.constantFrom("fail", "ignore"),
});

const anyPolicy: fc.Arbitrary<Policy> = fc.oneof(
  options.map((given) => policy.all(given)),
  options.map((given) => policy.any(given)),
  options.map((given) => policy.none(given)),
  fc.tuple(fc.integer({ min: 1, max: 6 }), options).map(([needed, given]) => policy.quorum(needed, given)),
  fc.tuple(fc.constantFrom("30%", "50%", "100%"), options).map(([needed, given]) => policy.quorum(needed, given)),
  fc
    .record({ rest: fc.constantFrom("cancel", "finish"), skipped: fc.constantFrom("fail", "ignore") })
    .map((given) => policy.first(given)),
  fc.constantFrom(80, 160, 2_000).map((withinMs) => policy.bestEffort({ withinMs })),
);

const errors = {
  error: coreError("processor.failed", "no"),
  unreachable: coreError("node.unreachable", "nobody"),
};

/** What a member of that behaviour comes to when it is left alone, and after how long. */
function aloneOf(id: string, { kind, delayMs }: Behaviour, limitMs: number): { outcome: Outcome; atMs: number } {
  const inTime = kind !== "hang" && delayMs < limitMs;
  if (!inTime) return { outcome: { member: id, status: "timeout" }, atMs: limitMs };
  if (kind === "error" || kind === "unreachable")
    return { outcome: { member: id, status: kind, error: errors[kind] }, atMs: delayMs };
  return { outcome: { member: id, status: "ok", value: id }, atMs: delayMs };
}

interface Reference {
  verdict: boolean;
  outcomes: Outcome[];
  atMs: number;
}

/** The semantics of a call to all, said as plainly as possible: one event after the other, the policy asked after each. */
function reference(behaviours: readonly Behaviour[], judge: Policy): Reference {
  const limitMs = Math.ceil((judge.deadlineMs?.(0, CALL_MS) ?? CALL_MS) / 8) * 8;
  const outcomes: (Outcome | undefined)[] = behaviours.map(({ kind, state }, index) =>
    kind === "skipped" ? { member: `m${index}`, status: "skipped", reason: state } : undefined,
  );
  const events = behaviours
    .map((given, index) => ({ index, ...aloneOf(`m${index}`, given, limitMs) }))
    .filter(({ index }) => outcomes[index] === undefined)
    .sort((a, b) => a.atMs - b.atMs || a.index - b.index);
  let atMs = 0;
  let verdict: boolean | undefined;
  for (let next = 0; ; next++) {
    const ended = outcomes.filter((outcome) => outcome !== undefined);
    verdict ??= judge.verdict({ ...tallyOf(ended, judge.skipped), open: events.length - next });
    const event = events[next];
    if (event === undefined || (verdict !== undefined && judge.rest !== "wait")) break;
    outcomes[event.index] = event.outcome;
    atMs = event.atMs;
  }
  return {
    verdict: verdict ?? false,
    outcomes: outcomes.map((outcome, index) => outcome ?? { member: `m${index}`, status: "skipped", reason: "not_needed" }),
    atMs,
  };
}

function memberOf(id: string, { kind, delayMs, state }: Behaviour, clock: VirtualClock): Watched {
  if (kind === "hang") return member(id, hang);
  if (kind === "error" || kind === "unreachable") {
    return member(id, delayMs === 0 ? throwing(errors[kind]) : failAfter(clock, delayMs, errors[kind]));
  }
  const made = member(id, delayMs === 0 ? () => id : later(clock, delayMs, id));
  if (kind === "skipped") made.state = state;
  return made;
}

async function run(behaviours: readonly Behaviour[], judge: Policy) {
  const clock = new VirtualClock();
  const beginMs = clock.now();
  const members = behaviours.map((given, index) => memberOf(`m${index}`, given, clock));
  const group = createGroup({ id: "g", members, select: all(judge), clock });
  let atMs = Number.NaN;
  const answer = (async () => group.gather(message(), { deadlineMs: beginMs + CALL_MS }))();
  const watched = answer.then((result) => {
    atMs = clock.now() - beginMs;
    return result;
  });
  await clock.advance(CALL_MS);
  return { result: await watched, atMs, members, clock };
}

const behaviours = fc.array(behaviour, { maxLength: 7 });

describe("a call to all members, whatever they do", () => {
  test("comes to what the plain semantics says: verdict, outcomes and moment", async () => {
    await fc.assert(
      fc.asyncProperty(behaviours, anyPolicy, async (given, judge) => {
        const { result, atMs } = await run(given, judge);
        const expected = reference(given, judge);
        expect({ verdict: result.verdict, outcomes: result.outcomes, atMs }).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  test("names every member once, in order, and as missing exactly those without a value", async () => {
    await fc.assert(
      fc.asyncProperty(behaviours, anyPolicy, async (given, judge) => {
        const { result } = await run(given, judge);
        expect(result.outcomes.map((outcome) => outcome.member)).toEqual(given.map((_, index) => `m${index}`));
        const without = result.outcomes.filter((outcome) => outcome.status !== "ok").map((outcome) => outcome.member);
        expect(result.missing).toEqual(without);
      }),
      { numRuns: 100 },
    );
  });

  test("withdraws what it sent and no longer needs, asks nobody twice, and leaves no timer", async () => {
    await fc.assert(
      fc.asyncProperty(behaviours, anyPolicy, async (given, judge) => {
        const { result, members, clock } = await run(given, judge);
        for (const [index, { messages, aborted, state }] of members.entries()) {
          const outcome = result.outcomes[index];
          expect(messages.length).toBeLessThanOrEqual(state === "ready" ? 1 : 0);
          const unheard = outcome?.status === "skipped" && outcome.reason === "not_needed";
          if (outcome?.status === "timeout") expect(aborted).toBe(1);
          else if (unheard && judge.rest === "cancel") expect(aborted).toBe(messages.length);
          else if (!unheard) expect(aborted).toBe(0);
        }
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
