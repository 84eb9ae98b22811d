import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createGroup } from "../../src/member/group.ts";
import type { CallContext, Member } from "../../src/member/member.ts";
import { policy } from "../../src/member/policy.ts";
import { all } from "../../src/member/select.ts";
import { answerOf, errorOf, failAfter, failed, hang, later, member, message, names, setup } from "./members.ts";

describe("a caller that withdraws", () => {
  test("cancels every member's part within the same turn, over groups in groups", async () => {
    const { clock, context, abort } = setup();
    const leaves = names(12).map((id) => member(id, hang));
    const inner = [0, 1, 2].map((at) =>
      createGroup({ id: `i${at}`, members: leaves.slice(at * 4, at * 4 + 4), select: all(), clock }),
    );
    const group = createGroup({ id: "g", members: inner, select: all(), clock });
    const answer = errorOf(() => group.call(message(), context));
    abort.abort();
    expect(leaves.map((leaf) => leaf.aborted)).toEqual(new Array(12).fill(1));
    expect(await answer).toMatchObject({ code: "call.cancelled", retryable: false });
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("before the call began has nothing sent", async () => {
    const { clock, context, abort } = setup();
    const only = member("a");
    const group = createGroup({ id: "g", members: [only], select: all(), clock });
    const reason = coreError("call.cancelled", "the socket was closed");
    abort.abort(reason);
    expect(await errorOf(() => group.call(message(), context))).toBe(reason);
    expect(only.messages).toEqual([]);
  });

  test("while the message goes out is heard", async () => {
    const { clock, context, abort } = setup();
    const [a, b] = [member("a", hang), member("b", () => abort.abort())];
    const group = createGroup({ id: "g", members: [a, b], select: all(), clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({ code: "call.cancelled" });
    expect(a.aborted).toBe(1);
  });

  test("after the answer changes nothing", async () => {
    const { clock, context, abort } = setup();
    const group = createGroup({
      id: "g",
      members: [member("a", later(clock, 5, "a")), member("b", hang)],
      select: all(policy.any()),
      clock,
    });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(5);
    abort.abort();
    expect(await answer).toEqual(["a"]);
  });
});

describe("a withdrawn member", () => {
  test("that looks at its signal only then finds it aborted", async () => {
    const { clock, context } = setup();
    let late: CallContext | undefined;
    const slow: Member = {
      id: "b",
      state: "ready",
      inFlight: 0,
      call: (_message, given) => {
        late = given;
        return new Promise(() => undefined);
      },
    };
    const group = createGroup({ id: "g", members: [member("a", later(clock, 5, "a")), slow], select: all(policy.any()), clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(5);
    await answer;
    expect(late?.signal?.aborted).toBe(true);
  });
});

describe("late answers", () => {
  test("of members that were withdrawn or ran out of time are ignored, also when they are errors", async () => {
    const { clock, context } = setup(100);
    const members = [member("a", later(clock, 200, "a")), member("b", failAfter(clock, 300, failed("b"))), member("c")];
    const group = createGroup({ id: "g", members, select: all(policy.bestEffort()), clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(100);
    expect(await answer).toEqual(["c"]);
    await clock.advance(300); // an unhandled rejection here would fail the run
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a call whose deadline has passed", () => {
  test("is call.deadline, and nothing is sent", async () => {
    const { clock } = setup();
    const only = member("a");
    const group = createGroup({ id: "g", members: [only], select: all(), clock });
    expect(await errorOf(() => group.call(message(), { deadlineMs: clock.now() }))).toMatchObject({ code: "call.deadline" });
    expect(only.messages).toEqual([]);
  });
});

describe("any number of calls", () => {
  test("leave nothing behind once they are answered: no deadline, and no listener at the caller's signal", async () => {
    const { clock, context } = setup(800);
    const group = createGroup({ id: "g", members: names(3).map((id) => member(id, later(clock, 5, id))), select: all(), clock });
    const short = answerOf(() => group.call(message(), { ...context, deadlineMs: clock.now() + 80 }));
    const long = answerOf(() => group.call(message(), context));
    expect(getEventListeners(context.signal as AbortSignal, "abort").length).toBe(2);
    await clock.advance(80);
    await Promise.all([short, long]);
    // The one timer was for the earlier deadline; a deadline left behind by the longer call would have set it again.
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(context.signal as AbortSignal, "abort")).toEqual([]);
  });

  test("hold one timer together, and none once the last deadline has passed", async () => {
    const { clock, context } = setup(1_000);
    const group = createGroup({
      id: "g",
      members: names(5).map((id) => member(id, hang)),
      select: all(policy.bestEffort()),
      clock,
    });
    const calls = names(100).map((id) => answerOf(() => group.call(message({ id }), context)));
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1_000);
    await Promise.all(calls);
    expect(clock.pendingTimers).toBe(0);
  });
});
