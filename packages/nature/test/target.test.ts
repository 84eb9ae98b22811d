import { describe, expect, test } from "vitest";
import { nextStates, place, resolveTarget } from "../src/engine/target.ts";
import type { Output } from "../src/executor/executor.ts";
import { idOfOutput } from "../src/instance/hash.ts";
import type { Instance } from "../src/instance/instance.ts";
import type { Meta } from "../src/meta/meta.ts";
import type { Mission } from "../src/relation/mission.ts";
import { catalogOf, instance, mission } from "./fixtures/things.ts";

const metas: Meta[] = [
  { meta: "B:order:1" },
  { meta: "B:state:1", states: "new|paid|closed,seen", settings: { master: "B:order:1" } },
  { meta: "B:account:1", states: "open", settings: { master: "B:order:1" } },
  { meta: "B:free:1", states: "a" },
  { meta: "B:child:1", settings: { master: "B:order:1" } },
  { meta: "B:plain:1" },
  { meta: "B:other:1" },
  { meta: "M:one:1", settings: { multiMeta: ["B:plain:1"] } },
  { meta: "M:two:1", settings: { multiMeta: ["B:plain:1", "B:other:1"] } },
];
const catalog = catalogOf(metas);

/** Where an output goes: `id para`. */
function placed(upstream: Instance, given: Partial<Mission> & { to: string }, output: Output = {}, index = 0) {
  const ground = { catalog, mission: mission(given), upstream };
  return place(ground, resolveTarget(ground), output, index);
}

const order = instance({ meta: "B:order:1", id: "5", para: "a/b/c" });
const plain = instance({ meta: "B:plain:1", id: "6", para: "a/b/c" });
const account = instance({ meta: "B:account:1", id: "7", version: 2 });
const auto = { executor: { protocol: "auto", url: "" } } as const;
const hash = (from: Instance, to: string, index = 0): string => idOfOutput({ from, to, index });

describe("the id of a target with states (§3.4)", () => {
  test.each<[string, Instance, Partial<Mission> & { to: string }, Output, string]>([
    [
      "is target.id before all else",
      order,
      { to: "B:state:1", sysContext: { "target.id": "99" }, useUpstreamId: true },
      { id: "3" },
      "99",
    ],
    ["without an executor is that of siblings of one master", account, { to: "B:state:1", ...auto }, {}, "7"],
    ["with an executor is not that of siblings", account, { to: "B:state:1" }, { id: "3" }, "3"],
    ["is the upstream's where the relation says so", plain, { to: "B:free:1", useUpstreamId: true }, { id: "3" }, "6"],
    ["is the upstream's where that is the master", order, { to: "B:state:1" }, { id: "3" }, "5"],
    ["is what the executor gave otherwise", plain, { to: "B:free:1" }, { id: "0003" }, "3"],
    ["is made from where it comes from otherwise", plain, { to: "B:free:1" }, {}, hash(plain, "B:free:1")],
    ["is 0 where a para names it", plain, { to: "B:free:1" }, { para: "x" }, "0"],
  ])("%s", (_what, upstream, given, output, id) => {
    expect(placed(upstream, given, output).id).toBe(id);
  });

  test("is refused when target.id is no number", () => {
    expect(() => placed(order, { to: "B:state:1", sysContext: { "target.id": "x1" } })).toThrow(
      expect.objectContaining({ code: "instance.invalid" }),
    );
  });
});

describe("the id of a target without states (§3.4)", () => {
  test.each<[string, Instance, Partial<Mission> & { to: string }, Output, string]>([
    ["is the upstream's where the relation says so", plain, { to: "B:other:1", useUpstreamId: true }, { id: "3" }, "6"],
    ["is the upstream's where that is the master", order, { to: "B:child:1" }, { id: "3" }, "5"],
    [
      "is what the executor gave, whatever target.id says",
      plain,
      { to: "B:other:1", sysContext: { "target.id": "99" } },
      { id: "3" },
      "3",
    ],
    ["is made from where it comes from otherwise", plain, { to: "B:other:1" }, { id: "0" }, hash(plain, "B:other:1")],
  ])("%s", (_what, upstream, given, output, id) => {
    expect(placed(upstream, given, output).id).toBe(id);
  });

  test("differs between empty outputs of different upstreams, and between those of one (I-4, D-25)", () => {
    const others = [plain, instance({ ...plain, id: "8" })].flatMap((from) =>
      [0, 1].map((at) => placed(from, { to: "B:other:1" }, {}, at).id),
    );
    expect(new Set(others).size).toBe(4);
  });

  test("is refused when the executor gave none", () => {
    expect(() => placed(plain, { to: "B:other:1" }, { id: "-3" })).toThrow(expect.objectContaining({ code: "instance.invalid" }));
  });
});

describe("the para of a target (§3.4)", () => {
  test.each<[string, Partial<Mission> & { to: string }, Output, string]>([
    [
      "with states is what is picked, in place of the executor's",
      { to: "B:free:1", target: { appendPara: [2, 0] }, sysContext: { "target.para": "t" } },
      { para: "x" },
      "c/a",
    ],
    [
      "with states is the bridged one where nothing is picked",
      { to: "B:free:1", sysContext: { "target.para": "t" } },
      { para: "x" },
      "t",
    ],
    ["with states is the executor's otherwise", { to: "B:free:1" }, { para: "x" }, "x"],
    [
      "without states is the executor's with what is picked behind it",
      { to: "B:other:1", target: { appendPara: [0, 2] } },
      { para: "x/y" },
      "x/y/a/c",
    ],
    ["without states is what is picked where the executor gave none", { to: "B:other:1", target: { appendPara: [1] } }, {}, "b"],
    ["without states does not look at target.para", { to: "B:other:1", sysContext: { "target.para": "t" } }, {}, ""],
  ])("%s", (_what, given, output, para) => {
    expect(placed(plain, given, output).para).toBe(para);
  });

  test("is the same for the lookup of the last version and for what is stored (D-20)", () => {
    const ground = {
      catalog,
      mission: mission({ to: "B:free:1", sysContext: { "target.id": "4", "target.para": "t" } }),
      upstream: plain,
    };
    expect(resolveTarget(ground)).toMatchObject({ id: "4", para: "t" });
  });

  test("is refused where a part is missing, and where it cannot be part of a key", () => {
    expect(() => placed(plain, { to: "B:other:1", target: { appendPara: [3] } })).toThrow(
      expect.objectContaining({ code: "instance.invalid" }),
    );
    expect(() => placed(plain, { to: "B:other:1" }, { para: "a|b" })).toThrow(
      expect.objectContaining({ code: "instance.invalid" }),
    );
  });
});

describe("what an output tells the next step (§6.1, §6.2)", () => {
  const cde = instance({ meta: "B:plain:1", para: "c/d/e" });

  test("is the appended part of a para under the relation's name (§15)", () => {
    const one = placed(cde, { to: "B:other:1", target: { appendPara: [0, 2], dynamicPara: "(a)" } }, { para: "a/b" });
    expect(one.para).toBe("a/b/c/e");
    expect(one.sysContext).toEqual({ "para.dynamic": '[["(a)","c/e"]]' });
  });

  test("is the whole para for a target with states, behind what the executor said", () => {
    const sysContext = { "para.dynamic": '[["(x)","1"]]', mine: "" };
    const one = placed(cde, { to: "B:free:1", target: { dynamicPara: "(a)" } }, { para: "p/q", sysContext });
    expect(one.sysContext).toEqual({ "para.dynamic": '[["(x)","1"],["(a)","p/q"]]', mine: "" });
  });

  test("is nothing of a name where nothing is appended", () => {
    expect(placed(cde, { to: "B:other:1", target: { dynamicPara: "(a)" } }).sysContext).toEqual({});
  });

  test("is the upstream's identity over an id bridge, or the one that was bridged to it", () => {
    expect(placed(plain, { to: "B:other:1", idBridge: true }).sysContext).toEqual({ "target.id": "6", "target.para": "a/b/c" });
    expect(placed(account, { to: "B:other:1", idBridge: true }).sysContext).toEqual({ "target.id": "7" });
    const sysContext = { "target.id": "1", "target.para": "p" };
    expect(placed(plain, { to: "B:other:1", idBridge: true, sysContext }).sysContext).toEqual(sysContext);
  });

  test("does not touch the id that is made for it", () => {
    expect(placed(account, { to: "B:other:1", idBridge: true }).id).toBe(placed(account, { to: "B:other:1" }).id);
  });
});

describe("the meta of an output of an M target (§1.7, §15)", () => {
  const metaOf = (to: string, output: Output): string => placed(plain, { to }, output).meta;

  test("is its one member, whatever the executor says", () => {
    expect(metaOf("M:one:1", {})).toBe("B:plain:1");
    expect(metaOf("M:one:1", { meta: "garbage" })).toBe("B:plain:1");
  });

  test("is the member that the executor names, and no other", () => {
    expect(metaOf("M:two:1", { meta: "B:plain:1" })).toBe("B:plain:1");
    expect(metaOf("M:two:1", { meta: "B:other:1" })).toBe("B:other:1");
    for (const output of [{}, { meta: "B:order:1" }, { meta: "M:two:1" }]) {
      expect(() => metaOf("M:two:1", output)).toThrow(expect.objectContaining({ code: "executor.logic" }));
    }
  });

  test("of any other target is the target", () => {
    expect(metaOf("B:other:1", { meta: "B:plain:1" })).toBe("B:other:1");
  });
});

describe("the states of the next version (§2.6)", () => {
  const meta = catalog.meta("B:state:1");
  const last = (states: string[]): Instance => instance({ meta: "B:state:1", version: 3, states });
  const states = (target: Mission["target"], output: string[] | undefined, before?: Instance): string[] =>
    nextStates(mission({ to: "B:state:1", target }), meta, output === undefined ? {} : { states: output }, before);

  test.each<[string, Mission["target"], string[] | undefined, string[] | undefined, string[]]>([
    [
      "are the last ones with the change, whatever the executor gave",
      { addStates: ["paid"] },
      ["closed"],
      ["new", "seen"],
      ["paid", "seen"],
    ],
    [
      "lose what is removed before anything is added",
      { addStates: ["seen"], removeStates: ["new", "seen"] },
      [],
      ["new", "seen"],
      ["seen"],
    ],
    [
      "are the executor's with the change where there is no last version",
      { addStates: ["paid"] },
      ["new", "seen"],
      undefined,
      ["paid", "seen"],
    ],
    ["are what is left where states are only removed", { removeStates: ["new"] }, ["closed"], ["new", "seen"], ["seen"]],
    ["are exactly the executor's where the relation says nothing", {}, ["paid"], ["new", "seen"], ["paid"]],
    ["are none where nobody says anything", {}, undefined, ["new", "seen"], []],
    ["leave out what the meta does not know any more (D-2)", { addStates: ["paid"] }, [], ["gone", "seen"], ["paid", "seen"]],
  ])("%s", (_what, target, output, before, expected) => {
    expect(states(target, output, before === undefined ? undefined : last(before))).toEqual(expected);
  });

  test.each<[string, Mission["target"], string[]]>([
    ["names one that is unknown", {}, ["x"]],
    ["names two that exclude each other", {}, ["new", "paid"]],
    ["names an unknown one with a change and no last version", { addStates: ["paid"] }, ["x"]],
  ])("are refused when the executor %s", (_what, target, output) => {
    expect(() => states(target, output)).toThrow(expect.objectContaining({ code: "instance.state" }));
  });
});
