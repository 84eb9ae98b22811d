import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroup, type Group } from "../../src/member/group.ts";
import { rendezvous } from "../../src/member/hash.ts";
import type { CallContext, MemberState } from "../../src/member/member.ts";
import { seededRandom } from "../../src/member/random.ts";
import { type One, one } from "../../src/member/select.ts";
import { errorOf, member, memberIn, message, names, setup, type Watched } from "./members.ts";

const context: CallContext = { deadlineMs: setup().context.deadlineMs };

function group(select: One, members: readonly Watched[], seed = 1): Group {
  return createGroup({ id: "g", members, select, random: seededRandom(seed) });
}

function three(): [Watched, Watched, Watched] {
  return [member("a"), member("b"), member("c")];
}

function change(target: Group, id: string, what: string): void {
  const known = target.members.find((m) => m.id === id) as Watched | undefined;
  if (what === "remove") target.remove(id);
  else if (known && what === "swap") target.replace(id, member(id));
  else if (known) known.state = known.state === "ready" ? "down" : "ready";
}

const everySelection = Object.entries({
  byKey: () => one.byKey(),
  byLoad: () => one.byLoad(),
  byTwoChoices: () => one.byTwoChoices(),
  roundRobin: () => one.roundRobin(),
  random: () => one.random(),
});

describe.each(everySelection)("one.%s", (_name, select) => {
  test("chooses members that are ready, and only those", () => {
    const states: MemberState[] = ["ready", "draining", "maintenance", "down"];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...states), { minLength: 1, maxLength: 8 }), fc.integer(), (given, seed) => {
        fc.pre(given.includes("ready"));
        const members = given.map((state, index) => memberIn(`m${index}`, state));
        const target = group(select(), members, seed);
        for (let sent = 0; sent < 20; sent++) target.call(message({ id: `${seed}-${sent}` }), context);
        expect(members.filter((m) => m.state !== "ready" && m.messages.length > 0)).toEqual([]);
        expect(members.reduce((sum, m) => sum + m.messages.length, 0)).toBe(20);
      }),
      { numRuns: 50 },
    );
  });

  test("says group.empty and in which state each member is when none is ready, and asks nobody", async () => {
    const members = [memberIn("a", "down"), memberIn("b", "maintenance"), memberIn("c", "down")];
    const error = await errorOf(() => group(select(), members).call(message(), context));
    expect(error).toMatchObject({
      code: "group.empty",
      retryable: true,
      details: { group: "g", states: { a: "down", b: "maintenance", c: "down" } },
    });
    expect((error as Error).message).toContain("2 down, 1 maintenance");
    expect(members.flatMap((m) => m.messages)).toEqual([]);
  });

  test("says group.empty of a group without members", async () => {
    expect(await errorOf(() => group(select(), []).call(message(), context))).toMatchObject({ code: "group.empty" });
  });

  test("sends to a member again as soon as it is ready again", () => {
    const only = memberIn("a", "down");
    const target = group(select(), [only]);
    expect(() => target.call(message(), context)).toThrow("1 down");
    only.state = "ready";
    expect(target.call(message(), context)).toBe("a");
  });
});

describe("one.byKey", () => {
  test("sends equal subjects to one member, whatever the id of the message", () => {
    const target = group(one.byKey(), three());
    const chosen = names(50).map((id) => target.call(message({ id, subject: "order-7" }), context));
    expect(new Set(chosen).size).toBe(1);
  });

  test("goes by the id where there is no subject", () => {
    const target = group(one.byKey(), three());
    for (const id of names(50)) expect(target.call(message({ id }), context)).toBe(rendezvous(id, ["a", "b", "c"]));
  });

  test("places keys alike whatever the order of the members, even of two whose ids have the same hash", () => {
    const placed = (ids: readonly string[]): unknown[] => {
      const target = group(
        one.byKey(),
        ids.map((id) => member(id)),
      );
      return names(20).map((id) => target.call(message({ id }), context));
    };
    expect(placed(["costarring", "liquid"])).toEqual(placed(["liquid", "costarring"]));
    expect(placed(["a", "b", "c"])).toEqual(placed(["c", "a", "b"]));
  });

  test("agrees with rendezvous over the ids of the ready members, also while members come and go", () => {
    const id = fc.constantFrom(...names(6));
    const step = fc.record({ id, what: fc.constantFrom("toggle", "swap", "remove"), key: fc.string({ minLength: 1 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const target = group(
          one.byKey((m) => m.data as string),
          names(6).map((name) => member(name)),
        );
        for (const { id, what, key } of steps) {
          change(target, id, what);
          const ready = target.members.filter((m) => m.state === "ready").map((m) => m.id);
          if (ready.length > 0) expect(target.call(message({ data: key }), context)).toBe(rendezvous(key, ready));
        }
      }),
    );
  });

  test("places an integer key by its remainder in member order, -1 being the last member", () => {
    const target = group(
      one.byKey((m) => m.data as number),
      three(),
    );
    const placed = [0, 1, 2, 3, 7, -1, -4].map((data) => target.call(message({ data }), context));
    expect(placed).toEqual(["a", "b", "c", "a", "b", "c", "c"]);
    const big = group(
      one.byKey(() => -1n),
      three(),
    );
    expect(big.call(message(), context)).toBe("c");
  });

  test.each([
    ["NaN", Number.NaN],
    ["a fraction", 1.5],
    ["infinity", Number.POSITIVE_INFINITY],
    ["undefined", undefined],
    ["null", null],
    ["an empty string", ""],
    ["an object", {}],
    ["a boolean", true],
  ])("refuses %s as a key with group.invalid_key before anything is sent", async (_what, key) => {
    const members = three();
    const target = group(
      one.byKey(() => key as string),
      members,
    );
    expect(await errorOf(() => target.call(message(), context))).toMatchObject({ code: "group.invalid_key", retryable: false });
    expect(members.flatMap((m) => m.messages)).toEqual([]);
  });

  test("turns an error of the key function into group.invalid_key and keeps it as the cause", async () => {
    const broken = new TypeError("no data");
    const target = group(
      one.byKey(() => {
        throw broken;
      }),
      three(),
    );
    expect(await errorOf(() => target.call(message(), context))).toMatchObject({ code: "group.invalid_key", cause: broken });
  });

  test("lets the next by weight stand in for a member in maintenance, and moves no other key", () => {
    const members = three();
    const target = group(one.byKey(), members);
    const before = new Map(names(300).map((id) => [id, target.call(message({ id }), context)]));
    members[1].state = "maintenance";
    for (const [id, was] of before) {
      const now = target.call(message({ id }), context);
      expect(now).toBe(was === "b" ? rendezvous(id, ["a", "c"]) : was);
    }
  });

  test("lets the next in member order stand in for an integer key", () => {
    const members = three();
    const target = group(
      one.byKey((m) => m.data as number),
      members,
    );
    members[2].state = "draining";
    expect([0, 1, 2].map((data) => target.call(message({ data }), context))).toEqual(["a", "b", "a"]);
  });

  test.each(["a string", "an integer"])("shows the keys of %s to nobody else with onUnavailable: error", async (kind) => {
    const members = three();
    const key = kind === "a string" ? (m: { id: string }) => m.id : (m: { id: string }) => Number(m.id.slice(1));
    const target = group(one.byKey(key, { onUnavailable: "error" }), members);
    const owners = new Map(names(30).map((id) => [id, target.call(message({ id }), context)]));
    members[1].state = "maintenance";
    for (const [id, owner] of owners) {
      if (owner !== "b") expect(target.call(message({ id }), context)).toBe(owner);
      else {
        const error = await errorOf(() => target.call(message({ id }), context));
        expect(error).toMatchObject({ code: "group.empty", details: { states: { b: "maintenance" } } });
      }
    }
    expect([...owners.values()]).toContain("b");
  });
});

describe("one.byLoad", () => {
  test("chooses the member with the fewest messages in flight", () => {
    const members = three();
    members[0].inFlight = 4;
    members[1].inFlight = 2;
    members[2].inFlight = 3;
    const target = group(one.byLoad(), members);
    expect([1, 2, 3].map(() => target.call(message(), context))).toEqual(["b", "b", "b"]);
  });

  test("takes turns among equals, so that members that answer at once share the work", () => {
    const target = group(one.byLoad(), three());
    expect([1, 2, 3, 4, 5, 6].map(() => target.call(message(), context))).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  test("agrees with a plain search for the least load", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 10 }), (loads) => {
        const members = loads.map((load, index) => Object.assign(member(`m${index}`), { inFlight: load }));
        const chosen = group(one.byLoad(), members).call(message(), context);
        expect(members.find((m) => m.id === chosen)?.inFlight).toBe(Math.min(...loads));
      }),
    );
  });
});

describe("one.byTwoChoices", () => {
  test("never chooses the most loaded of three", () => {
    const members = three();
    members[1].inFlight = 9;
    const target = group(one.byTwoChoices(), members);
    for (let sent = 0; sent < 200; sent++) expect(target.call(message(), context)).not.toBe("b");
  });

  test("compares two different members, whatever the dice say", () => {
    const members = [member("a"), member("b")];
    members.forEach((m, index) => {
      m.inFlight = 5 - index;
    });
    const target = createGroup({ id: "g", members, select: one.byTwoChoices(), random: () => 0 });
    expect(target.call(message(), context)).toBe("b");
  });

  test("keeps the fullest of 50 queues far shorter than chance alone", () => {
    const fullest = (select: One): number => {
      const members = names(50).map((id) => member(id));
      const target = group(select, members, 7);
      for (let sent = 0; sent < 5_000; sent++) {
        const chosen = target.call(message(), context);
        const taker = members.find((m) => m.id === chosen);
        if (taker) taker.inFlight += 1;
      }
      return Math.max(...members.map((m) => m.inFlight));
    };
    expect(fullest(one.byTwoChoices())).toBeLessThanOrEqual(103);
    expect(fullest(one.random())).toBeGreaterThan(115);
  });
});

describe("one.roundRobin", () => {
  test("gives each ready member its turn, and none the share of one that is down", () => {
    const members = three();
    const target = group(one.roundRobin(), members);
    expect([1, 2, 3, 4].map(() => target.call(message(), context))).toEqual(["a", "b", "c", "a"]);
    members[1].state = "down";
    expect([1, 2, 3, 4].map(() => target.call(message(), context))).toEqual(["c", "a", "c", "a"]);
  });

  test("keeps its place per group, though two groups share the selection", () => {
    const shared = one.roundRobin();
    const [left, right] = [group(shared, three()), group(shared, three())];
    expect([left, right, left, right].map((target) => target.call(message(), context))).toEqual(["a", "a", "b", "b"]);
  });
});

describe("one.random", () => {
  /** 99 % of evenly spread samples stay under these: chi-square with 1 and 2 degrees of freedom. */
  const limits = { 2: 6.63, 3: 9.21 } as const;

  test.each([3, 2] as const)("is even over 30,000 calls when %i of three members are ready", (ready) => {
    const members = three();
    if (ready === 2) members[1].state = "down";
    const target = group(one.random(), members, 42);
    const same = message();
    const counts = new Map<unknown, number>();
    for (let sent = 0; sent < 30_000; sent++) {
      const chosen = target.call(same, context);
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    const expected = 30_000 / ready;
    expect(counts.size).toBe(ready);
    expect([...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(limits[ready]);
  });

  test("makes the same choices for the same seed", () => {
    const run = (): unknown[] => {
      const target = group(one.random(), three(), 5);
      return names(20).map((id) => target.call(message({ id }), context));
    };
    expect(run()).toEqual(run());
  });
});

describe("a selection of one's own", () => {
  test("is anything that chooses: a table from type to member", () => {
    const table = new Map([["a.x", "b"]]);
    const byType: One = {
      mode: "one",
      by: "type",
      begin:
        () =>
        (members, { type }) =>
          members.find((m) => m.id === table.get(type)),
    };
    const target = group(byType, three());
    expect(target.call(message({ type: "a.x" }), context)).toBe("b");
    expect(() => target.call(message({ type: "a.y" }), context)).toThrow("no member that can be chosen");
  });
});
