import { describe, expect, test } from "vitest";
import type { Member } from "../src/deploy/manager.ts";
import { type FoundNode, MAINTENANCE_REASON, planOf } from "../src/deploy/plan.ts";
import { resolveTopology } from "../src/index.ts";

const topology = resolveTopology({ name: "shop", groups: [{ name: "eu", provider: "process" }] });
const [group] = topology.groups as [(typeof topology.groups)[number]];
const [wanted] = group.nodes as [(typeof group.nodes)[number]];

/** A node that is as it is to be, but for what is given. */
const made = (more: Partial<FoundNode> = {}): FoundNode => ({ ...wanted, state: "running", place: "here", by: group, ...more });

function member(more: Partial<Member> = {}, reason?: string): Member {
  const maintenance = reason === undefined ? {} : { maintenance: { state: "drained", reason, by: "otto", sinceMs: 0 } as const };
  const card = { labels: { topology: "shop", group: "eu" }, ...maintenance } as unknown as NonNullable<Member["card"]>;
  return { id: "1", name: wanted.name, path: `/root/${wanted.name}`, state: "managed", epoch: 1, card, ...more };
}

function stepsFor(found: readonly FoundNode[], members: readonly Member[]): string[] {
  const situation = {
    topology,
    made: new Map(found.map((node) => [node.name, node])),
    members: new Map(members.map((one) => [one.name, one])),
  };
  return planOf(situation).steps.map(({ action, node }) => `${action} ${node}`);
}

describe("M-62: a plan", () => {
  const other = { ...group, provider: "docker" };

  test.each<[string, FoundNode | undefined, Member | undefined, string[]]>([
    ["is empty for a node that is as it is to be", made(), member(), []],
    ["leaves a node in the maintenance that others have put it into", made(), member({ state: "maintenance" }, "a new disk"), []],
    ["leaves a node to its manager that has it in quarantine", made(), member({ state: "quarantined" }), []],
    ["makes a node that is not there", undefined, undefined, ["create shop-eu-0"]],
    ["makes a node anew of which only its record is left", undefined, member({ state: "unreachable" }), ["create shop-eu-0"]],
    ["starts a node that has ended", made({ state: "ended" }), member({ state: "unreachable" }), ["start shop-eu-0"]],
    ["starts a node that its manager does not know", made(), undefined, ["start shop-eu-0"]],
    ["looks after a node that is not heard of", made(), member({ state: "suspect" }), ["start shop-eu-0"]],
    [
      "ends the maintenance of an update that was cut off",
      made(),
      member({ state: "maintenance" }, MAINTENANCE_REASON),
      ["start shop-eu-0"],
    ],
    ["updates what has changed", made({ digest: "old" }), member(), ["update shop-eu-0"]],
    ["takes a node from the provider that its group had before", made({ by: other }), member(), ["replace shop-eu-0"]],
  ])("%s", (_what, found, child, expected) => {
    expect(stepsFor(found === undefined ? [] : [found], child === undefined ? [] : [child])).toEqual(expected);
  });

  test("removes who is too many, and releases who is nowhere, after all else; other children are none of its business", () => {
    const extra = { name: "shop-eu-1" };
    const lost = member({ name: "shop-eu-2" });
    const stranger = member({ name: "root-7", card: { labels: {} } as unknown as NonNullable<Member["card"]> });
    expect(stepsFor([made(extra)], [member(extra), lost, stranger])).toEqual([
      "create shop-eu-0",
      "remove shop-eu-1",
      "release shop-eu-2",
    ]);
  });
});
