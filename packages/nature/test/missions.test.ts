import { describe, expect, test } from "vitest";
import { delayOf, parseDynamic, planMissions } from "../src/relation/missions.ts";
import type { RelationSettings } from "../src/relation/relation.ts";
import { catalogOf, instance, relation } from "./fixtures/things.ts";

const NOW_MS = 1_700_000_000_000;

describe("the wait of a mission", () => {
  test.each<[string, Pick<RelationSettings, "delayMs" | "delayOnPara">, string, number]>([
    ["is none where none is asked for", {}, "", 0],
    ["lasts until a time in the para and longer", { delayOnPara: { extraMs: 100_000, part: 0 } }, `${NOW_MS + 200_000}`, 300_000],
    ["is that of delayMs where both are given", { delayMs: 50_000, delayOnPara: { extraMs: 100_000, part: 0 } }, "x", 50_000],
    ["is none for what is past", { delayOnPara: { extraMs: 5, part: 1 } }, `a/${NOW_MS - 1_000}`, 0],
    ["may be longer than a day (D-16)", { delayMs: 15 * 86_400_000 }, "", 1_296_000_000],
  ])("%s (§15)", (_what, settings, para, expected) => {
    expect(delayOf(settings, { para }, NOW_MS)).toBe(expected);
  });

  test.each(["", "a", "1/2", "0x10", "1e3", " 5", "5.5"])("cannot be told from part 0 of para %j", (para) => {
    const settings = { delayOnPara: { extraMs: 100_000, part: para === "1/2" ? 2 : 0 } };
    expect(() => delayOf(settings, { para }, NOW_MS)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });
});

describe("the missions of an instance", () => {
  const metas = [{ meta: "B:a:1" }, { meta: "B:b:1" }, { meta: "B:c:1" }];
  const planned = (settings: Record<string, RelationSettings>, given: Partial<Parameters<typeof instance>[0]> = {}) => {
    const relations = Object.entries(settings).map(([to, one]) => relation("B:a:1", to, one));
    return planMissions(catalogOf(metas, relations).relationsFrom("B:a:1"), instance({ meta: "B:a:1", ...given }), NOW_MS);
  };

  test("are one for each relation whose selector it meets, frozen with the upstream's context (R-5)", () => {
    const sysContext = { "target.id": "7" };
    const plan = planned(
      { "B:b:1": { selector: { context: { all: ["vip"] } } }, "B:c:1": { delayMs: 5, idBridge: true } },
      { sysContext },
    );
    expect(plan.missions).toMatchObject([
      { dueMs: NOW_MS + 5, mission: { to: "B:c:1", idBridge: true, sysContext, executor: { protocol: "auto" } } },
    ]);
  });

  test("go on beside one that cannot be made, which is told (R-8)", () => {
    const plan = planned({ "B:b:1": { delayOnPara: { extraMs: 1, part: 3 } }, "B:c:1": {} });
    expect(plan.missions.map(({ mission }) => mission.to)).toEqual(["B:c:1"]);
    expect(plan.problems).toMatchObject([{ relation: "B:a:1 -> B:b:1", error: { code: "instance.invalid" } }]);
  });

  test("have published values in all settings, in all places, and never in addresses (R-7)", () => {
    const spec = { protocol: "local", url: "(item)", settings: "(item)-(item)-(day)" } as const;
    const sysContext = { "para.dynamic": '[["(item)","$&7"],["(day)","mo"]]' };
    const plan = planned({ "B:b:1": { executor: spec, before: [spec], after: [spec] } }, { sysContext });
    const filled = { protocol: "local", url: "(item)", settings: "$&7-$&7-mo" };
    expect(plan.missions[0]?.mission).toMatchObject({ executor: filled, before: [filled], after: [filled] });
  });

  test.each(['[["(a)":"b"]]', "x", "{}", '[["a"]]', '[["a",1]]', '[["","x"]]', '[["a","b","c"]]'])(
    "are not made from published values that are written %s",
    (text) => {
      expect(() => parseDynamic(text)).toThrow(expect.objectContaining({ code: "instance.invalid" }));
      const plan = planned({ "B:b:1": {} }, { sysContext: { "para.dynamic": text } });
      expect(plan.missions).toEqual([]);
      expect(plan.problems).toHaveLength(1);
    },
  );
});
