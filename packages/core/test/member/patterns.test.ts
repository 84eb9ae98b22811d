import { describe, expect, test } from "vitest";
import { createGroup } from "../../src/member/group.ts";
import type { Member } from "../../src/member/member.ts";
import { reduce } from "../../src/member/reduce.ts";
import { all, one } from "../../src/member/select.ts";
import type { Message } from "../../src/message/message.ts";
import { answerOf, errorOf, failed, hang, later, member, message, names, setup, throwing, type Watched } from "./members.ts";

/** Shard, spread and scatter are a selection and a reduction each, and nest because a group is a member. */

const add = (a: number, b: number): number => a + b;
const items = Array.from({ length: 100 }, (_, index) => index + 1);
const sumOf = ({ data }: Message): number => (data as number[]).reduce(add, 0);
const deal = (whole: Message, index: number, count: number): Message => ({
  ...whole,
  data: (whole.data as number[]).filter((_, at) => at % count === index),
});

describe("a shard of three scatters over four leaves", () => {
  const { clock, context } = setup();
  const leaves = names(12).map((id) => member(id, sumOf));
  const inner = [0, 1, 2].map((at) =>
    createGroup({
      id: `shard-${at}`,
      members: leaves.slice(at * 4, at * 4 + 4),
      select: all(),
      split: deal,
      reduce: reduce.fold(0, add),
      clock,
    }),
  );
  const root = createGroup({ id: "root", members: inner, select: one.byKey(), clock });

  test("answers as one flat computation, each key from one shard and each item from one leaf", async () => {
    for (const subject of names(30, "customer-")) {
      const asked = leaves.map((leaf) => leaf.messages.length);
      expect(await root.call(message({ subject, data: items }), context)).toBe(5_050);
      const heard = leaves.filter((leaf, index) => leaf.messages.length > (asked[index] ?? 0));
      expect(heard.length).toBe(4);
      expect(heard.flatMap((leaf) => leaf.messages.at(-1)?.data as number[]).sort((a, b) => a - b)).toEqual(items);
      expect(new Set(heard.map((leaf) => Math.floor(leaves.indexOf(leaf) / 4))).size).toBe(1);
    }
    expect(leaves.every((leaf) => leaf.messages.length > 0)).toBe(true);
  });

  test("tells each leaf its place in its own scatter", () => {
    expect(leaves.map((leaf) => leaf.messages[0]?.extensions?.memberindex)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
  });
});

describe("an error over three levels", () => {
  test("keeps code, text, cause and origin of where it arose", async () => {
    const { clock, context } = setup();
    const own = Object.assign(failed("leaf"), { origin: ["leaf-0"] });
    const build = (inner: Member, id: string): Member => createGroup({ id, members: [inner], select: one.byKey(), clock });
    const root = build(build(build(member("leaf", throwing(own)), "c"), "b"), "a");
    expect(await errorOf(() => root.call(message(), context))).toBe(own);
  });

  test("is an error a thousand times, and the group answers the next message all the same", async () => {
    const { clock, context } = setup();
    let broken = true;
    const leaf = member("leaf", () => {
      if (broken) throw failed("leaf");
      return "well";
    });
    const root = createGroup({ id: "g", members: [leaf], select: all(), reduce: reduce.first(), clock });
    for (let sent = 0; sent < 1_000; sent++) {
      expect(await errorOf(() => root.call(message(), { deadlineMs: context.deadlineMs }))).toMatchObject({
        code: "group.policy_unmet",
      });
    }
    broken = false;
    expect(root.call(message(), context)).toBe("well");
  });
});

describe("two scatters made alike", () => {
  test("never answer for each other", async () => {
    const { clock, context } = setup();
    const build = (mark: string): Member =>
      createGroup({ id: "same", members: names(2).map((id) => member(id, () => mark)), select: all(), clock });
    const [left, right] = [build("left"), build("right")];
    expect([left.call(message(), context), right.call(message(), context)]).toEqual([
      ["left", "left"],
      ["right", "right"],
    ]);
  });
});

describe("a scatter whose parts may move", () => {
  test("puts a group of one in the place of each part, so that a retry or hedge goes to another replica", async () => {
    const { clock, context } = setup();
    const replicas: Watched[] = [member("r0", hang), member("r1", sumOf), member("r2", later(clock, 5, 0))];
    replicas[2] = member("r2", (m) => later(clock, 5, sumOf(m))(m, context));
    const parts = [0, 1, 2].map((at) =>
      createGroup({
        id: `part-${at}`,
        members: [...replicas.slice(at), ...replicas.slice(0, at)],
        select: one.roundRobin(),
        perMember: { hedge: { afterMs: 20 } },
        clock,
      }),
    );
    const scatter = createGroup({
      id: "scatter",
      members: parts,
      select: all(),
      split: deal,
      reduce: reduce.fold(0, add),
      clock,
    });
    const answer = answerOf(() => scatter.call(message({ data: items }), context));
    await clock.advance(20);
    expect(await answer).toBe(5_050);
    expect(replicas.map((replica) => replica.messages.map(({ extensions }) => extensions?.memberindex))).toEqual([
      [0],
      [1, 0],
      [2],
    ]);
    expect(replicas[0]?.aborted).toBe(1);
  });
});

describe("a tree of 585 nodes", () => {
  /** Eight children at each of three levels, and the root. */
  function build(depth: number, id: string, leaves: Watched[]): Member {
    const self = member(id);
    leaves.push(self);
    if (depth === 0) return self;
    const children = Array.from({ length: 8 }, (_, at) => build(depth - 1, `${id}.${at}`, leaves));
    const flat = reduce.merge((values) => values.flat());
    return createGroup({ id, members: [self, ...children], select: all(), reduce: flat });
  }

  test("is reached by one call, each node once", async () => {
    const nodes: Watched[] = [];
    const root = build(3, "n", nodes);
    const answer = await root.call(message(), { deadlineMs: Number.POSITIVE_INFINITY });
    expect(nodes.length).toBe(585);
    expect(answer).toEqual(nodes.map((node) => node.id));
    expect(nodes.every((node) => node.messages.length === 1)).toBe(true);
  });
});
