import { describe, expect, test } from "vitest";
import { createGroup, type GroupOptions, type OneGroupOptions } from "../../src/member/group.ts";
import type { Member, MemberState } from "../../src/member/member.ts";
import { all, one } from "../../src/member/select.ts";
import { answerOf, errorOf, later, member, memberIn, message, names, setup, type Watched } from "./members.ts";

function groupOf(states: readonly MemberState[]): Member {
  return createGroup({ id: "g", members: states.map((state, index) => memberIn(`m${index}`, state)), select: one.byLoad() });
}

describe("the state of a group", () => {
  test.each([
    [["ready", "down"], "ready"],
    [["maintenance", "draining"], "maintenance"],
    [["maintenance", "down", "draining"], "down"],
    [["draining"], "draining"],
    [[], "down"],
  ] as [MemberState[], MemberState][])("of members that are %s is %s", (states, expected) => {
    expect(groupOf(states).state).toBe(expected);
  });
});

describe("the load of a group", () => {
  test("is the sum of its members' loads, over groups in groups", () => {
    const leaves = names(4).map((id, index) => Object.assign(member(id), { inFlight: index }));
    const inner = createGroup({ id: "inner", members: leaves.slice(1), select: one.byLoad() });
    expect(createGroup({ id: "g", members: [leaves[0] as Watched, inner], select: all() }).inFlight).toBe(6);
  });
});

describe("the members of a group", () => {
  test("can be added, taken out and replaced in their place while it runs", () => {
    const { clock, context } = setup();
    const group = createGroup({ id: "g", members: [member("a"), member("b")], select: all(), clock });
    group.add(member("c"));
    group.replace("b", member("b2"));
    expect(group.remove("a")).toBe(true);
    expect(group.remove("a")).toBe(false);
    expect(group.members.map((m) => m.id)).toEqual(["b2", "c"]);
    expect(group.call(message(), context)).toEqual(["b2", "c"]);
  });

  test("have unique ids", async () => {
    expect(await errorOf(() => createGroup({ id: "g", members: [member("a"), member("a")], select: all() }))).toMatchObject({
      code: "config.invalid",
    });
    const group = createGroup({ id: "g", members: [member("a"), member("b")], select: all() });
    expect(await errorOf(() => group.add(member("a")))).toMatchObject({ code: "state.conflict" });
    expect(await errorOf(() => group.replace("a", member("b")))).toMatchObject({ code: "state.conflict" });
    group.replace("a", member("a"));
    expect(await errorOf(() => group.replace("z", member("y")))).toMatchObject({ code: "resource.not_found" });
  });

  test("that come and go during a call change nothing about it", async () => {
    const { clock, context } = setup();
    const late = member("late");
    const group = createGroup({ id: "g", members: [member("a", later(clock, 10, "a")), member("b")], select: all(), clock });
    const answer = answerOf(() => group.gather(message(), context));
    group.add(late);
    group.remove("b");
    await clock.advance(10);
    expect(await answer).toMatchObject({ outcomes: [{ member: "a" }, { member: "b" }] });
    expect(late.messages).toEqual([]);
  });

  test("may be a function's, asked anew for every call, and then cannot be changed here", async () => {
    const { clock, context } = setup();
    const list = [member("a", later(clock, 10, "a"))];
    const group = createGroup({ id: "g", members: () => list, select: all(), clock });
    const answer = answerOf(() => group.gather(message(), context));
    list.unshift(member("b"));
    await clock.advance(10);
    expect(await answer).toMatchObject({ outcomes: [{ member: "a", value: "a" }] });
    const next = answerOf(() => group.call(message(), context));
    await clock.advance(10);
    expect(await next).toEqual(["b", "a"]);
    for (const change of [() => group.add(member("c")), () => group.remove("a"), () => group.replace("a", member("c"))]) {
      expect(await errorOf(change)).toMatchObject({ code: "call.unsupported" });
    }
  });

  test("given as a list are copied, so that changing the list changes nothing", () => {
    const { clock, context } = setup();
    const list = [member("a")];
    const group = createGroup({ id: "g", members: list, select: all(), clock });
    list.push(member("b"));
    expect(group.call(message(), context)).toEqual(["a"]);
  });
});

describe("the options of a group", () => {
  const good = { id: "g", members: [], select: one.byLoad() };

  test.each([
    ["an empty id", { ...good, id: "" }],
    ["a misspelt option", { ...good, perMembers: {} }],
    ["a reducer where one member answers", { ...good, reduce: {} }],
  ])("are refused with %s", async (_what, options: GroupOptions) => {
    expect(await errorOf(() => createGroup(options as OneGroupOptions))).toMatchObject({ code: "config.invalid" });
  });
});
