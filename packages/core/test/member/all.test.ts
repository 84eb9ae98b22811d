import { describe, expect, test } from "vitest";
import { coreError } from "../../src/errors.ts";
import { createGroup } from "../../src/member/group.ts";
import { type Policy, policy } from "../../src/member/policy.ts";
import { reduce } from "../../src/member/reduce.ts";
import { all } from "../../src/member/select.ts";
import type { Message } from "../../src/message/message.ts";
import {
  answerOf,
  down,
  errorOf,
  failAfter,
  failed,
  hang,
  later,
  member,
  memberIn,
  message,
  names,
  setup,
  throwing,
} from "./members.ts";

describe("a message to all members", () => {
  test("reaches each once, with its index and the count as extension attributes, beside those it had", async () => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id));
    const group = createGroup({ id: "g", members, select: all(), clock });
    await group.call(message({ extensions: { tenant: "x" }, data: { v: 1 } }), context);
    expect(members.map((m) => m.messages.map(({ id, extensions, data }) => ({ id, extensions, data })))).toEqual(
      [0, 1, 2].map((memberindex) => [{ id: "m1", extensions: { tenant: "x", memberindex, membercount: 3 }, data: { v: 1 } }]),
    );
  });

  test("goes out to all before any answer is awaited", async () => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id, later(clock, 10, id)));
    const group = createGroup({ id: "g", members, select: all(), clock });
    const answer = answerOf(() => group.call(message(), context));
    expect(members.map((m) => m.messages.length)).toEqual([1, 1, 1]);
    await clock.advance(10);
    expect(await answer).toEqual(["m0", "m1", "m2"]);
  });

  test("is answered without a promise when every member answers without one", () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a"), member("b")], select: all(), clock });
    expect(group.call(message(), context)).toEqual(["a", "b"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("leaves the sender's message as it was", () => {
    const { clock, context } = setup();
    const sent = Object.freeze(message({ extensions: Object.freeze({ tenant: "x" }) }));
    createGroup({ id: "g", members: [member("a")], select: all(), clock }).call(sent, context);
    expect(sent.extensions).toEqual({ tenant: "x" });
  });
});

describe("a split", () => {
  /** Every count-th item from index on. */
  const deal = (whole: Message, index: number, count: number): Message => ({
    ...whole,
    data: (whole.data as number[]).filter((_, at) => at % count === index),
  });
  const items = Array.from({ length: 100 }, (_, index) => index + 1);
  const sum = reduce.fold(0, (a: number, b: number) => a + b);
  const add = ({ data }: Message): number => (data as number[]).reduce((a, b) => a + b, 0);

  test("gives every item of [1..100] to one of 7 leaves, and the merge equals the serial sum", async () => {
    const { clock, context } = setup();
    const members = names(7).map((id) => member(id, add));
    const group = createGroup({ id: "g", members, select: all(), split: deal, reduce: sum, clock });
    expect(await group.call(message({ data: items }), context)).toBe(5_050);
    const seen = members.flatMap((m) => m.messages.flatMap(({ data }) => data as number[]));
    expect(seen.sort((a, b) => a - b)).toEqual(items);
  });

  test("gives each part an id and an idempotency key of its own, the same ones when the call is repeated", async () => {
    const { clock, context } = setup();
    const members = names(2).map((id) => member(id, add));
    const group = createGroup({ id: "g", members, select: all(), split: deal, clock });
    const whole = message({ data: items, idempotencykey: "once" });
    await group.call(whole, context);
    await group.call(whole, context);
    const seen = members.map((m) => m.messages.map(({ id, idempotencykey }) => `${id} ${idempotencykey}`));
    expect(seen).toEqual([
      ["m1.0of2 once.0of2", "m1.0of2 once.0of2"],
      ["m1.1of2 once.1of2", "m1.1of2 once.1of2"],
    ]);
  });

  test("deals to the members that are ready where the policy ignores the others", async () => {
    const { clock, context } = setup();
    const members = [member("a", add), memberIn("b", "maintenance"), member("c", add)];
    const group = createGroup({
      id: "g",
      members,
      select: all(policy.all({ skipped: "ignore" })),
      split: deal,
      reduce: sum,
      clock,
    });
    expect(await group.call(message({ data: items }), context)).toBe(5_050);
    expect(members[2]?.messages[0]?.extensions).toEqual({ memberindex: 1, membercount: 2 });
  });

  test.each([
    [
      "throws",
      () => {
        throw new RangeError("nothing to deal");
      },
      "processor.failed",
    ],
    ["gives no message", () => undefined as unknown as Message, "message.invalid"],
  ])("that %s for one member ends the call with a typed error before anything is sent", async (_what, broken, code) => {
    const { clock, context } = setup();
    const members = names(3).map((id) => member(id));
    const split = (whole: Message, index: number): Message => (index === 2 ? broken() : whole);
    const group = createGroup({ id: "g", members, select: all(), split, clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({ code });
    expect(members.flatMap((m) => m.messages)).toEqual([]);
  });
});

describe("the policy all", () => {
  test("fails at once when a member fails, names each outcome, keeps the error as cause and withdraws the rest", async () => {
    const { clock, context } = setup();
    const slow = member("c", hang);
    const error = failed("b");
    const group = createGroup({
      id: "g",
      members: [member("a"), member("b", failAfter(clock, 5, error)), slow],
      select: all(),
      clock,
    });
    const answer = errorOf(() => group.call(message(), context));
    await clock.advance(5);
    expect(await answer).toMatchObject({
      code: "group.policy_unmet",
      retryable: false,
      cause: error,
      details: {
        group: "g",
        policy: "all",
        outcomes: [
          { member: "a", status: "ok" },
          { member: "b", status: "error", code: "processor.failed", message: "b failed" },
          { member: "c", status: "skipped", reason: "not_needed" },
        ],
      },
    });
    expect(((await answer) as Error).message).toContain("1 of 3 members answered");
    expect(((await answer) as Error).message).toContain("b (processor.failed)");
    expect(slow.aborted).toBe(1);
  });

  test("can be tried again when what failed may pass", async () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a"), member("b", throwing(down("b")))], select: all(), clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({ code: "group.policy_unmet", retryable: true });
  });

  test("sends nothing when a member is in maintenance already", async () => {
    const { clock, context } = setup();
    const members = [member("a"), memberIn("b", "maintenance"), member("c")];
    const group = createGroup({ id: "g", members, select: all(), clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({
      code: "group.policy_unmet",
      retryable: true,
      details: {
        outcomes: [
          { member: "a", status: "skipped", reason: "not_needed" },
          { member: "b", status: "skipped", reason: "maintenance" },
          { member: "c", status: "skipped", reason: "not_needed" },
        ],
      },
    });
    expect(members.flatMap((m) => m.messages)).toEqual([]);
  });

  test("is met by a group without members", () => {
    const { clock, context } = setup();
    expect(createGroup({ id: "g", members: [], select: all(), clock }).call(message(), context)).toEqual([]);
  });

  test("ends a hung member at the deadline, not before", async () => {
    const { clock, context } = setup(1_000);
    const hung = member("b", hang);
    const group = createGroup({ id: "g", members: [member("a"), hung], select: all(), clock });
    let ended = false;
    const answer = errorOf(() => group.call(message(), context)).finally(() => {
      ended = true;
    });
    await clock.advance(999);
    expect(ended).toBe(false);
    await clock.advance(1);
    expect(await answer).toMatchObject({
      code: "group.policy_unmet",
      details: { outcomes: [{ status: "ok" }, { member: "b", status: "timeout", code: "call.deadline" }] },
    });
    expect(hung.contexts[0]?.signal?.reason).toMatchObject({ code: "call.deadline" });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a quorum", () => {
  test("of 9 of 10 is there with the ninth answer when one is dead, and names it as missing", async () => {
    const { clock, context } = setup();
    const live = names(9).map((id, index) => member(id, later(clock, 10 * (index + 1), id)));
    const group = createGroup({ id: "g", members: [...live, member("dead", hang)], select: all(policy.quorum(9)), clock });
    let result: unknown;
    const answer = answerOf(() => group.gather(message(), context)).then((value) => {
      result = value;
    });
    await clock.advance(89);
    expect(result).toBeUndefined();
    await clock.advance(1);
    await answer;
    expect(result).toMatchObject({ verdict: true, missing: ["dead"] });
  });

  test("is lost as soon as it cannot be reached any more", async () => {
    const { clock, context } = setup();
    const hung = member("d", hang);
    const members = [member("a", throwing(down("a"))), member("b", failAfter(clock, 5, down("b"))), member("c"), hung];
    const group = createGroup({ id: "g", members, select: all(policy.quorum(3)), clock });
    const answer = errorOf(() => group.call(message(), context));
    await clock.advance(5);
    expect(await answer).toMatchObject({ code: "group.policy_unmet" });
    expect(hung.aborted).toBe(1);
  });
});

describe("the policy any", () => {
  test("is there with the first answer and does not trouble those that come after it", () => {
    const { clock, context } = setup();
    const [a, b, c] = [member("a", throwing(down())), member("b"), member("c")];
    const group = createGroup({ id: "g", members: [a, b, c], select: all(policy.any()), reduce: reduce.first(), clock });
    expect(group.call(message(), context)).toBe("b");
    expect(c.messages).toEqual([]);
  });

  test("is not met by a group without members", async () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [], select: all(policy.any()), clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({ code: "group.policy_unmet" });
  });
});

describe("the policy first", () => {
  test("hears the first answer, passes over members that give none, and withdraws the rest", async () => {
    const { clock, context } = setup();
    const slow = member("c", later(clock, 20, "c"));
    const members = [member("a", throwing(down("a"))), member("b", later(clock, 10, "b")), slow];
    const group = createGroup({ id: "g", members, select: all(policy.first()), reduce: reduce.first(), clock });
    const answer = answerOf(() => group.call(message(), context));
    await clock.advance(10);
    expect(await answer).toBe("b");
    expect(slow.aborted).toBe(1);
  });

  test("is lost when the first answer is an error, though others would answer, and let others finish", async () => {
    const { clock, context } = setup();
    const members = [member("a", failAfter(clock, 5, failed("a"))), member("b", later(clock, 10, "b"))];
    const group = createGroup({ id: "g", members, select: all(policy.first({ rest: "finish" })), clock });
    const answer = errorOf(() => group.call(message(), context));
    await clock.advance(10);
    expect(await answer).toMatchObject({
      code: "group.policy_unmet",
      details: { outcomes: [{ member: "a" }, { reason: "not_needed" }] },
    });
  });
});

describe("best effort", () => {
  test("returns what is there when its time is over, and who is missing", async () => {
    const { clock, context } = setup();
    const late = member("c", later(clock, 200, "c"));
    const members = [member("a", later(clock, 30, "a")), member("b", throwing(failed("b"))), late, member("d", hang)];
    const group = createGroup({ id: "g", members, select: all(policy.bestEffort({ withinMs: 80 })), clock });
    const result = answerOf(() => group.gather(message(), context));
    const values = answerOf(() => group.call(message(), context));
    await clock.advance(80);
    expect(await values).toEqual(["a"]);
    expect(await result).toMatchObject({
      verdict: true,
      missing: ["b", "c", "d"],
      outcomes: [{ status: "ok" }, { status: "error" }, { status: "timeout" }, { status: "timeout" }],
    });
    expect(late.aborted).toBe(2);
    await clock.advance(200);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is back before the deadline of the call when it has no time of its own", async () => {
    const { clock, context } = setup(1_000);
    const outer = createGroup({
      id: "outer",
      members: [createGroup({ id: "g", members: [member("a"), member("b", hang)], select: all(policy.bestEffort()), clock })],
      select: all(),
      clock,
    });
    const answer = answerOf(() => outer.call(message(), context));
    await clock.advance(1_000);
    expect(await answer).toEqual([["a"]]);
  });
});

describe("the rest of a call whose verdict is known", () => {
  test("is waited for with rest: wait, and the first verdict stands", async () => {
    const { clock, context } = setup();
    const members = [
      member("a", failAfter(clock, 5, failed("a"))),
      member("b", later(clock, 50, "b")),
      memberIn("c", "draining"),
    ];
    const group = createGroup({ id: "g", members, select: all(policy.all({ rest: "wait" })), clock });
    const answer = answerOf(() => group.gather(message(), context));
    await clock.advance(50);
    expect(await answer).toMatchObject({
      verdict: false,
      missing: ["a", "c"],
      outcomes: [{ status: "error" }, { status: "ok", value: "b" }, { status: "skipped", reason: "draining" }],
    });
  });

  test("cannot turn the verdict of a policy that would change its mind", async () => {
    const { clock, context } = setup();
    const fickle: Policy = {
      name: "exactly one at a time",
      rest: "wait",
      skipped: "fail",
      verdict: ({ ok, open }) => (ok === 1 ? true : open === 0 ? false : undefined),
    };
    const group = createGroup({ id: "g", members: [member("a"), member("b")], select: all(fickle), clock });
    expect(await group.gather(message(), context)).toMatchObject({ verdict: true, missing: [] });
  });

  test("is not sent with rest: finish once the reducer has failed", async () => {
    const { clock, context } = setup();
    const broken = reduce.fold(
      0,
      () => {
        throw new TypeError("no number");
      },
      { unordered: true },
    );
    const members = [member("a"), member("b")];
    const group = createGroup({ id: "g", members, select: all(policy.quorum(2, { rest: "finish" })), reduce: broken, clock });
    expect(await errorOf(() => group.call(message(), context))).toMatchObject({ code: "processor.failed" });
    expect(members[1]?.messages).toEqual([]);
  });

  test("goes on unheard with rest: finish, and still gets the message", async () => {
    const { clock, context } = setup();
    const [a, b, c] = [member("a"), member("b", later(clock, 50, "b")), member("c", hang)];
    const group = createGroup({ id: "g", members: [a, b, c], select: all(policy.any({ rest: "finish" })), clock });
    expect(group.call(message(), context)).toEqual(["a"]);
    expect([b.messages.length, c.messages.length]).toEqual([1, 1]);
    await clock.advance(500);
    expect([b.aborted, c.aborted]).toEqual([0, 0]);
    await clock.advance(500);
    expect(c.aborted).toBe(1); // a hung member is not left hanging
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("an outcome", () => {
  test.each([
    ["call.deadline", "timeout"],
    ["node.unreachable", "unreachable"],
    ["processor.down", "unreachable"],
    ["node.closed", "unreachable"],
    ["group.empty", "unreachable"],
    ["node.maintenance", "skipped"],
    ["processor.failed", "error"],
    ["message.schema", "error"],
  ] as const)("of a member that says %s is %s", async (code, status) => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a", throwing(coreError(code, "no")))], select: all(), clock });
    expect(await group.gather(message(), context)).toMatchObject({
      verdict: false,
      outcomes: [{ member: "a", status }],
      missing: ["a"],
    });
  });

  test("keeps the very error of the member, and gives one to what is none", async () => {
    const { clock, context } = setup();
    const own = new TypeError("foreign");
    const members = [member("a", throwing(own)), member("b", throwing("just a string"))];
    const group = createGroup({ id: "g", members, select: all(policy.all({ rest: "wait" })), clock });
    const { outcomes } = await group.gather(message(), context);
    expect(outcomes[0]).toEqual({ member: "a", status: "error", error: own });
    expect(outcomes[1]).toMatchObject({ status: "error", error: { code: "processor.failed", message: "just a string" } });
  });

  test("of a group in a group carries the outcomes within, over any depth", async () => {
    const { clock, context } = setup();
    const inner = createGroup({ id: "inner", members: [member("x"), member("y", throwing(down("y")))], select: all(), clock });
    const middle = createGroup({ id: "middle", members: [inner], select: all(), clock });
    const outer = createGroup({ id: "outer", members: [middle], select: all(), clock });
    const error = await errorOf(() => outer.call(message(), context));
    expect(error).toMatchObject({
      code: "group.policy_unmet",
      details: {
        outcomes: [
          {
            member: "middle",
            outcomes: [{ member: "inner", outcomes: [{ member: "x" }, { member: "y", code: "processor.down" }] }],
          },
        ],
      },
      cause: { code: "group.policy_unmet", cause: { code: "group.policy_unmet", cause: { code: "processor.down" } } },
    });
    expect(JSON.parse(JSON.stringify((error as { details: unknown }).details))).toEqual((error as { details: unknown }).details);
  });

  test("is listed for every member in member order, while the text of the error names five", async () => {
    const { clock, context } = setup();
    const members = names(1_000).map((id) => member(id, throwing(down(id))));
    const group = createGroup({ id: "g", members, select: all(policy.all({ rest: "wait" })), clock });
    const error = (await errorOf(() => group.call(message(), context))) as Error & {
      details: { outcomes: { member: string }[] };
    };
    expect(error.details.outcomes.map((o) => o.member)).toEqual(names(1_000));
    expect(error.message).toContain("m4 (processor.down), and 995 more");
  });
});
