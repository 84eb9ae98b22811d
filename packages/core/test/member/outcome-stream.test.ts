import { describe, expect, test } from "vitest";
import { type AllGroup, createGroup } from "../../src/member/group.ts";
import { policy } from "../../src/member/policy.ts";
import { all } from "../../src/member/select.ts";
import { down, errorOf, failAfter, failed, hang, later, member, memberIn, message, setup, throwing } from "./members.ts";

describe("a stream of outcomes", () => {
  async function collect(group: AllGroup, stop = Number.POSITIVE_INFINITY, ctx = setup().context): Promise<string[]> {
    const seen: string[] = [];
    for await (const outcome of group.stream(message(), ctx)) {
      seen.push(`${outcome.member} ${outcome.status}`);
      if (seen.length >= stop) break;
    }
    return seen;
  }

  test("gives each outcome when it comes, the skipped ones first, each member once", async () => {
    const { clock, context } = setup();
    const members = [
      member("a", later(clock, 30, "a")),
      member("b", later(clock, 10, "b")),
      memberIn("c", "down"),
      member("d", failAfter(clock, 20, failed("d"))),
    ];
    const group = createGroup({ id: "g", members, select: all(policy.bestEffort()), clock });
    const iterator = group.stream(message(), context)[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual({ member: "c", status: "skipped", reason: "down" });
    const second = iterator.next();
    await clock.advance(10);
    expect((await second).value).toEqual({ member: "b", status: "ok", value: "b" });
    const rest = (async () => [
      (await iterator.next()).value?.member,
      (await iterator.next()).value?.member,
      (await iterator.next()).done,
    ])();
    await clock.advance(20);
    expect(await rest).toEqual(["d", "a", true]);
  });

  test("throws group.policy_unmet after the last outcome", async () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a", throwing(down("a"))), member("b", hang)], select: all(), clock });
    const seen: string[] = [];
    const error = await errorOf(async () => {
      for await (const outcome of group.stream(message(), context)) seen.push(`${outcome.member} ${outcome.status}`);
    });
    expect(seen).toEqual(["a unreachable", "b skipped"]);
    expect(error).toMatchObject({ code: "group.policy_unmet" });
  });

  test("that is left early withdraws what is open", async () => {
    const { clock, context } = setup();
    const slow = member("b", hang);
    const group = createGroup({ id: "g", members: [member("a"), slow], select: all(), clock });
    expect(await collect(group, 1, context)).toEqual(["a ok"]);
    expect(slow.aborted).toBe(1);
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends with call.cancelled when the caller withdraws", async () => {
    const { clock, context, abort } = setup();
    const group = createGroup({ id: "g", members: [member("a", hang)], select: all(), clock });
    const error = errorOf(() => collect(group, 9, context));
    abort.abort();
    expect(await error).toMatchObject({ code: "call.cancelled" });
  });
});
