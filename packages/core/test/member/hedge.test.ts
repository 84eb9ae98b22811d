import { describe, expect, test } from "vitest";
import { createGroup } from "../../src/member/group.ts";
import { rendezvous } from "../../src/member/hash.ts";
import { all, one } from "../../src/member/select.ts";
import {
  answerOf,
  down,
  errorOf,
  failAfter,
  failed,
  hang,
  inTurn,
  later,
  member,
  memberIn,
  message,
  names,
  retry,
  sent,
  setup,
} from "./members.ts";

describe("a hedge", () => {
  const hedge = { afterMs: 20 };

  test("asks a second member when the first is slow; the first answer wins and the loser is withdrawn", async () => {
    const { clock, context } = setup();
    const members = [member("a", hang), member("b", later(clock, 5, "b"))];
    const answer = answerOf(() => inTurn(clock, members, { hedge }).call(message(), context));
    await clock.advance(19);
    expect(sent(members)).toEqual([1, 0]);
    await clock.advance(6);
    expect(await answer).toBe("b");
    expect(members.map((m) => m.aborted)).toEqual([1, 0]);
    expect(members[1]?.messages[0]).toEqual(members[0]?.messages[0]);
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is not sent when the answer is there in time", async () => {
    const { clock, context } = setup();
    const members = [member("a", later(clock, 19, "a")), member("b")];
    const answer = answerOf(() => inTurn(clock, members, { hedge }).call(message(), context));
    await clock.advance(50);
    expect(await answer).toBe("a");
    expect(sent(members)).toEqual([1, 0]);
  });

  test("is withdrawn when the first member answers after all", async () => {
    const { clock, context } = setup();
    const members = [member("a", later(clock, 30, "a")), member("b", hang)];
    const answer = answerOf(() => inTurn(clock, members, { hedge }).call(message(), context));
    await clock.advance(30);
    expect(await answer).toBe("a");
    expect(members.map((m) => m.aborted)).toEqual([0, 1]);
  });

  test("is followed by as many as asked for, each to another member, while there are any", async () => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id, hang));
    const answer = errorOf(() => inTurn(clock, members, { hedge: { afterMs: 20, max: 5 } }).call(message(), context));
    await clock.advance(20);
    expect(sent(members)).toEqual([1, 1, 0]);
    await clock.advance(20);
    expect(sent(members)).toEqual([1, 1, 1]);
    await clock.advance(1_000);
    expect(sent(members)).toEqual([1, 1, 1]);
    expect(await answer).toMatchObject({ code: "call.deadline" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("is not sent at or after the deadline, though the tick of the deadline may come a little later", async () => {
    const { clock, context } = setup(21);
    const members = [member("a", hang), member("b")];
    const answer = errorOf(() => inTurn(clock, members, { hedge: { afterMs: 22 } }).call(message(), context));
    await clock.advance(24);
    expect(await answer).toMatchObject({ code: "call.deadline" });
    expect(sent(members)).toEqual([1, 0]);
  });

  test("is not sent in the pause after an attempt that failed before it was slow", async () => {
    const { clock, context } = setup();
    const members = [member("a", failAfter(clock, 5, down("a"))), member("b")];
    const answer = answerOf(() => inTurn(clock, members, { hedge, retry: { backoffMs: 50 } }).call(message(), context));
    await clock.advance(54);
    expect(sent(members)).toEqual([1, 0]);
    await clock.advance(1);
    expect(await answer).toBe("b");
  });

  test("goes nowhere where the key belongs to one member alone", async () => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id, later(clock, 50, id)));
    const select = one.byKey(undefined, { onUnavailable: "error" });
    const answer = answerOf(() => inTurn(clock, members, { hedge }, { select }).call(message({ id: "k" }), context));
    await clock.advance(50);
    expect(await answer).toBe(rendezvous("k", names(3)));
    expect(sent(members).toSorted()).toEqual([0, 0, 1]);
  });

  test("goes nowhere when there is no second member", async () => {
    const { clock, context } = setup();
    const only = member("a", later(clock, 50, "a"));
    const answer = answerOf(() => inTurn(clock, [only, memberIn("b", "down")], { hedge }).call(message(), context));
    await clock.advance(50);
    expect(await answer).toBe("a");
    expect(only.messages.length).toBe(1);
  });

  test("still counts when the first member fails in a way that may pass", async () => {
    const { clock, context } = setup();
    const members = [member("a", failAfter(clock, 25, down("a"))), member("b", later(clock, 20, "b"))];
    const answer = answerOf(() => inTurn(clock, members, { hedge }).call(message(), context));
    await clock.advance(40);
    expect(await answer).toBe("b");
  });

  test("is withdrawn when a member says that it is no use", async () => {
    const { clock, context } = setup();
    const members = [member("a", failAfter(clock, 25, failed("a"))), member("b", hang)];
    const answer = errorOf(() => inTurn(clock, members, { hedge }).call(message(), context));
    await clock.advance(25);
    expect(await answer).toMatchObject({ message: "a failed" });
    expect(members[1]?.aborted).toBe(1);
  });

  test("belongs to its round: a round fails when all of its attempts have, and the next has hedges of its own", async () => {
    const { clock, context } = setup();
    const failing = ["a", "b", "c"].map((id) => member(id, failAfter(clock, 30, down(id))));
    const last = member("d", later(clock, 1, "d"));
    const group = inTurn(clock, [...failing, last], { hedge, retry });
    const answer = answerOf(() => group.call(message(), context));
    // a at 0 and b at 20 fail at 30 and 50; after a pause of 10, c at 60 and d at 80, which answers at 81.
    await clock.advance(59);
    expect(sent([...failing, last])).toEqual([1, 1, 0, 0]);
    await clock.advance(22);
    expect(await answer).toBe("d");
    expect(failing[2]?.aborted).toBe(1);
  });

  test("in a call to all asks the same member once more", async () => {
    const { clock, context } = setup();
    let calls = 0;
    const slowFirst = member("a", () => (calls++ === 0 ? hang(message(), context) : "a"));
    const group = createGroup({ id: "g", members: [slowFirst, member("b")], select: all(), perMember: { hedge }, clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(20);
    expect(await answer).toEqual(["a", "b"]);
    expect(slowFirst.aborted).toBe(1);
  });

  test("in a call to all is not sent to a member that is no longer ready", async () => {
    const { clock, context } = setup();
    const leaving = member("a", later(clock, 50, "a"));
    const group = createGroup({ id: "g", members: [leaving], select: all(), perMember: { hedge }, clock });
    const answer = answerOf(() => group.call(message(), context));
    leaving.state = "draining";
    await clock.advance(50);
    expect(await answer).toEqual(["a"]);
    expect(leaving.messages.length).toBe(1);
  });

  test("ends with a typed error, not a crash, when the key function fails only then", async () => {
    const { clock, context } = setup();
    let asked = 0;
    const select = one.byKey(() => (asked++ === 0 ? "k" : ""));
    const members = [member("a", hang), member("b", hang)];
    const answer = errorOf(() => inTurn(clock, members, { hedge }, { select }).call(message(), context));
    await clock.advance(20);
    expect(await answer).toMatchObject({ code: "group.invalid_key" });
  });
});
