import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createGroup } from "../../src/member/group.ts";
import { rendezvous } from "../../src/member/hash.ts";
import type { PerMember } from "../../src/member/plan.ts";
import { all, one } from "../../src/member/select.ts";
import {
  answerOf,
  down,
  errorOf,
  failAfter,
  failed,
  hang,
  inTurn,
  member,
  memberIn,
  message,
  names,
  retry,
  sent,
  setup,
  throwing,
} from "./members.ts";

describe("a call to one member without conditions", () => {
  test("gives the member the caller's own message and context", () => {
    const { clock, context } = setup();
    const only = member("a");
    const sending = message();
    createGroup({ id: "g", members: [only], select: one.byLoad(), clock }).call(sending, context);
    expect(only.messages[0]).toBe(sending);
    expect(only.contexts[0]).toBe(context);
  });

  test("hands the member's promise through, with none of its own", () => {
    const { clock, context } = setup();
    const promise = Promise.resolve(1);
    const group = createGroup({ id: "g", members: [member("a", () => promise)], select: one.byKey(), clock });
    expect(group.call(message(), context)).toBe(promise);
  });

  test.each([false, true])("hands the member's error through as the same object, with retries %s", async (withRetries) => {
    const { clock, context } = setup();
    const own = failed("a");
    const members = [member("a", throwing(own)), member("b", () => Promise.reject(own))];
    const group = createGroup({
      id: "g",
      members,
      select: one.roundRobin(),
      clock,
      ...(withRetries ? { perMember: { retry } } : {}),
    });
    expect(await errorOf(() => group.call(message(), context))).toBe(own);
    expect(await errorOf(() => group.call(message(), context))).toBe(own);
  });

  test("passes a stream through as it is", () => {
    const { clock, context } = setup();
    const items = (async function* () {
      yield 1;
    })();
    const streaming = Object.assign(member("a"), { stream: () => items });
    expect(createGroup({ id: "g", members: [streaming], select: one.byKey(), clock }).stream(message(), context)).toBe(items);
  });

  test("refuses a stream of a member that has none", async () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a")], select: one.byKey(), clock });
    expect(await errorOf(() => group.stream(message(), context))).toMatchObject({ code: "call.unsupported" });
  });
});

describe("a call with a time limit per member", () => {
  test("ends with call.deadline when the limit is over, and withdraws the message", async () => {
    const { clock, context } = setup(1_000);
    const slow = member("a", hang);
    const answer = errorOf(() => inTurn(clock, [slow], { timeoutMs: 80 }).call(message(), context));
    await clock.advance(80);
    expect(await answer).toMatchObject({ code: "call.deadline", details: { member: "member a" } });
    expect(slow.aborted).toBe(1);
    expect(slow.contexts[0]?.deadlineMs).toBe(context.deadlineMs - 920);
    expect(clock.pendingTimers).toBe(0);
  });

  test("never waits beyond the deadline of the call", async () => {
    const { clock, context } = setup(80);
    const slow = member("a", hang);
    const answer = errorOf(() => inTurn(clock, [slow], { timeoutMs: 5_000 }).call(message(), context));
    expect(slow.contexts[0]?.deadlineMs).toBe(context.deadlineMs);
    await clock.advance(80);
    expect(await answer).toMatchObject({ code: "call.deadline" });
  });

  test("answers without a promise where the member does", () => {
    const { clock, context } = setup();
    expect(inTurn(clock, [member("a")], { timeoutMs: 80, retry, hedge: { afterMs: 5 } }).call(message(), context)).toBe("a");
    expect(clock.pendingTimers).toBe(0);
  });

  test("sends nothing when the deadline has passed", async () => {
    const { clock } = setup();
    const only = member("a");
    const group = inTurn(clock, [only], { timeoutMs: 80 });
    expect(await errorOf(() => group.call(message(), { deadlineMs: clock.now() }))).toMatchObject({ code: "call.deadline" });
    expect(only.messages).toEqual([]);
  });

  test("has its caller's withdrawal heard by the member in the same turn, and ignores the member after that", async () => {
    const { clock, context, abort } = setup();
    const slow = member("a", failAfter(clock, 20, failed()));
    const answer = errorOf(() => inTurn(clock, [slow], { timeoutMs: 80 }).call(message(), context));
    abort.abort(new Error("closed"));
    expect(slow.aborted).toBe(1);
    expect(await answer).toMatchObject({ code: "call.cancelled", message: "closed" });
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a retry", () => {
  test("follows an error that says retryable, later a pause, at a member that was not asked yet", async () => {
    const { clock, context } = setup();
    const members = [member("a", throwing(down("a"))), member("b", failAfter(clock, 5, down("b"))), member("c")];
    const answer = answerOf(() => inTurn(clock, members, { retry }).call(message(), context));
    expect(sent(members)).toEqual([1, 0, 0]);
    await clock.advance(10);
    expect(sent(members)).toEqual([1, 1, 0]);
    await clock.advance(5 + 20);
    expect(await answer).toBe("c");
    expect(members.map((m) => m.contexts[0]?.attempt)).toEqual([1, 2, 3]);
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("prefers members not asked yet over the better choice, and comes back to the others after them", async () => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id, throwing(down(id))));
    const group = createGroup({ id: "g", members, select: one.byKey(), perMember: { retry }, clock, random: () => 0 });
    const answer = errorOf(() => group.call(message({ id: "k" }), context));
    await clock.advance(200);
    const owner = rendezvous("k", names(3));
    expect(await answer).toMatchObject({ code: "processor.down" });
    expect(members.map((m) => [m.id, m.messages.length])).toEqual(names(3).map((id) => [id, id === owner ? 2 : 1]));
  });

  test("counts on from the attempts that the message had before", async () => {
    const { clock, context } = setup();
    const members = [member("a", throwing(down())), member("b")];
    const answer = answerOf(() => inTurn(clock, members, { retry }).call(message(), { ...context, attempt: 5 }));
    await clock.advance(10);
    await answer;
    expect(members.map((m) => m.contexts[0]?.attempt)).toEqual([5, 6]);
  });

  test("does not follow an error that says it is no use", async () => {
    const { clock, context } = setup();
    const members = [member("a", throwing(failed("a"))), member("b")];
    expect(await errorOf(() => inTurn(clock, members, { retry }).call(message(), context))).toMatchObject({
      code: "processor.failed",
    });
    expect(sent(members)).toEqual([1, 0]);
  });

  test("follows what the user's rule says, and only that", async () => {
    const { clock, context } = setup();
    const members = [member("a", throwing(new TypeError("odd"))), member("b", throwing(down("b"))), member("c")];
    const asked: [unknown, number][] = [];
    const when = (error: unknown, attempts: number): boolean => {
      asked.push([(error as Error).message, attempts]);
      return error instanceof TypeError;
    };
    const answer = errorOf(() => inTurn(clock, members, { retry: { ...retry, when } }).call(message(), context));
    await clock.advance(10);
    expect(await answer).toMatchObject({ message: "b is down" });
    expect(asked).toEqual([
      ["odd", 1],
      ["b is down", 2],
    ]);
  });

  test("ends with a typed error when the user's rule throws", async () => {
    const { clock, context } = setup();
    const when = (): boolean => {
      throw new RangeError("no rule");
    };
    const group = inTurn(clock, [member("a", throwing(down()))], { retry: { when } });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({
      code: "processor.failed",
      cause: { message: "no rule" },
    });
  });

  test("gives up after its attempts with the last member's error", async () => {
    const { clock, context } = setup();
    const errors = names(4).map((id) => down(id));
    const members = errors.map((error, index) => member(`m${index}`, throwing(error)));
    const answer = errorOf(() => inTurn(clock, members, { retry: { ...retry, attempts: 3 } }).call(message(), context));
    await clock.advance(100);
    expect(await answer).toBe(errors[2]);
    expect(sent(members)).toEqual([1, 1, 1, 0]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is not begun where its pause would reach the deadline", async () => {
    const { clock, context } = setup(30);
    const members = names(4).map((id) => member(id, throwing(down(id))));
    const answer = errorOf(() => inTurn(clock, members, { retry }).call(message(), context));
    await clock.advance(10); // the second attempt; the third would come 20 ms later, at the deadline
    expect(await answer).toMatchObject({ message: "m1 is down" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("waits as long as the error asks, and fails at once where that is too long", async () => {
    const { clock, context } = setup(1_000);
    const busy = (retryAfterMs: number): Error => coreError("call.resource_exhausted", "full", { retryAfterMs });
    const members = [member("a", throwing(busy(100))), member("b", throwing(busy(950))), member("c")];
    const answer = errorOf(() => inTurn(clock, members, { retry }).call(message(), context));
    await clock.advance(99);
    expect(sent(members)).toEqual([1, 0, 0]);
    await clock.advance(1);
    expect(await answer).toMatchObject({ code: "call.resource_exhausted", retryAfterMs: 950 });
  });

  test("follows an attempt that ran out of its own time", async () => {
    const { clock, context } = setup(1_000);
    const members = [member("a", hang), member("b")];
    const answer = answerOf(() => inTurn(clock, members, { timeoutMs: 80, retry }).call(message(), context));
    await clock.advance(90);
    expect(await answer).toBe("b");
    expect(members[0]?.aborted).toBe(1);
  });

  test("bridges a moment in which nobody can be chosen", async () => {
    const { clock, context } = setup();
    const restarting = memberIn("a", "down");
    const answer = answerOf(() => inTurn(clock, [restarting], { retry }).call(message(), context));
    await clock.advance(15);
    restarting.state = "ready";
    await clock.advance(15);
    expect(await answer).toBe("a");
  });

  test("that finds nobody any more does not hide the error of the member asked last", async () => {
    const { clock, context } = setup();
    const only = member("a", () => {
      only.state = "down";
      throw down("a");
    });
    const answer = errorOf(() => inTurn(clock, [only], { retry }).call(message(), context));
    await clock.advance(100);
    expect(await answer).toMatchObject({ message: "a is down" });
    expect(await errorOf(() => inTurn(clock, [only], {}).call(message(), context))).toMatchObject({ code: "group.empty" });
  });

  test("does not follow a key that is none", async () => {
    const { clock, context } = setup();
    const select = one.byKey(() => Number.NaN);
    expect(await errorOf(() => inTurn(clock, [member("a")], { retry }, { select }).call(message(), context))).toMatchObject({
      code: "group.invalid_key",
    });
    expect(clock.pendingTimers).toBe(0);
  });

  test("stays with the owner of the key where nobody may stand in", async () => {
    const { clock, context } = setup();
    let failures = 2;
    const answer = (): unknown => {
      if (failures-- > 0) throw down();
      return "done";
    };
    const members = names(3).map((id) => member(id, answer));
    const group = inTurn(clock, members, { retry }, { select: one.byKey(undefined, { onUnavailable: "error" }) });
    const result = answerOf(() => group.call(message({ id: "k" }), context));
    await clock.advance(30);
    expect(await result).toBe("done");
    expect(sent(members).toSorted()).toEqual([0, 0, 3]);
  });

  test("works on the members of the moment in which the call began", async () => {
    const { clock, context } = setup();
    const [a, b, late] = [member("a", throwing(down("a"))), member("b"), member("late")];
    const group = inTurn(clock, [a, b], { retry });
    const answer = answerOf(() => group.call(message(), context));
    group.remove("b");
    group.add(late);
    await clock.advance(10);
    expect(await answer).toBe("b");
    expect(late.messages).toEqual([]);
  });

  test("is withdrawn with its caller while it pauses", async () => {
    const { clock, context, abort } = setup();
    const members = [member("a", throwing(down())), member("b")];
    const answer = errorOf(() => inTurn(clock, members, { retry }).call(message(), context));
    abort.abort();
    expect(await answer).toMatchObject({ code: "call.cancelled" });
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(100);
    expect(sent(members)).toEqual([1, 0]);
  });

  test("pauses twice as long each time, up to the longest, with the share of chance that it was given", async () => {
    const pauses = async (chance: number, jitter: number): Promise<number[]> => {
      const { clock, context } = setup(10_000);
      const times: number[] = [];
      const only = member("a", () => {
        times.push(clock.now());
        throw down();
      });
      const perMember = { retry: { attempts: 5, backoffMs: 10, maxBackoffMs: 40, jitter } };
      const answer = errorOf(() => inTurn(clock, [only], perMember, { random: () => chance }).call(message(), context));
      await clock.advance(1_000);
      await answer;
      return times.slice(1).map((time, index) => time - (times[index] ?? 0));
    };
    expect(await pauses(0, 1)).toEqual([10, 20, 40, 40]);
    expect(await pauses(0.5, 1)).toEqual([5, 10, 20, 20]);
    expect(await pauses(0.5, 0.5)).toEqual([7.5, 15, 30, 30]);
    expect(await pauses(0.9, 0)).toEqual([10, 20, 40, 40]);
  });

  test("in a call to all goes to the same member again", async () => {
    const { clock, context } = setup();
    let failures = 2;
    const shaky = member("b", () => {
      if (failures-- > 0) throw down("b");
      return "b";
    });
    const members = [member("a"), shaky, member("c")];
    const group = createGroup({ id: "g", members, select: all(), perMember: { retry }, clock, random: () => 0 });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(30);
    expect(await answer).toEqual(["a", "b", "c"]);
    expect(sent(members)).toEqual([1, 3, 1]);
  });

  test("in a call to all is not sent to a member that is no longer ready, and keeps its error", async () => {
    const { clock, context } = setup();
    const own = down("a");
    const leaving = member("a", () => {
      leaving.state = "down";
      throw own;
    });
    const group = createGroup({ id: "g", members: [leaving], select: all(), perMember: { retry }, clock, random: () => 0 });
    const answer = answerOf(() => group.gather(message(), context));
    await clock.advance(200);
    expect(await answer).toMatchObject({ outcomes: [{ status: "unreachable", error: own }] });
    expect(leaving.messages.length).toBe(1);
  });

  test("in a call to all is withdrawn when the verdict no longer needs it", async () => {
    const { clock, context } = setup();
    const members = [member("a", throwing(down("a"))), member("b", failAfter(clock, 5, failed("b")))];
    const group = createGroup({ id: "g", members, select: all(), perMember: { retry }, clock, random: () => 0 });
    const answer = errorOf(() => group.call(message(), context));
    await clock.advance(5);
    expect(await answer).toMatchObject({ code: "group.policy_unmet" });
    await clock.advance(100);
    expect(sent(members)).toEqual([1, 1]);
  });
});

describe("settings per member", () => {
  test.each([
    ["perMember.timeoutMs", { timeoutMs: 0 }],
    ["perMember.timeoutMs", { timeoutMs: Number.NaN }],
    ["perMember.retry.attempts", { retry: { attempts: 0 } }],
    ["perMember.retry.backoffMs", { retry: { backoffMs: -1 } }],
    ["perMember.retry.factor", { retry: { factor: 0.5 } }],
    ["perMember.retry.maxBackoffMs", { retry: { maxBackoffMs: Number.POSITIVE_INFINITY } }],
    ["perMember.retry.jitter", { retry: { jitter: 2 } }],
    ["perMember.hedge.afterMs", { hedge: { afterMs: -5 } }],
    ["perMember.hedge.max", { hedge: { afterMs: 5, max: 1.5 } }],
    ["perMember.timeout", { timeout: 5 } as PerMember],
    ["perMember.retry.attempt", { retry: { attempt: 5 } } as PerMember],
  ])("refuse a wrong %s with its path", async (path, perMember) => {
    const { clock } = setup();
    expect(await errorOf(() => inTurn(clock, [], perMember))).toMatchObject({ code: "config.invalid", details: { path } });
  });
});
