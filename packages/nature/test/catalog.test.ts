import { describe, expect, test } from "vitest";
import { Catalog } from "../src/catalog/catalog.ts";
import { loadMeta, type Meta } from "../src/meta/meta.ts";
import type { RelationSettings } from "../src/relation/relation.ts";
import { catalogOf, problemsOf, relation } from "./fixtures/things.ts";

const plain: Meta = { meta: "B:a:1" };
const stateful: Meta = { meta: "B:s:1", states: "new|paid,seen" };

describe("a meta", () => {
  test.each<[string, Meta]>([
    ["V-1: multiMeta names an M meta", { meta: "M:x:1", settings: { multiMeta: ["M:y:1"] } }],
    ["V-1: multiMeta names an L meta, whoever owns it", { meta: "B:x:1", settings: { multiMeta: ["L:y:1"] } }],
    ["V-2: an M meta has states", { meta: "M:x:1", states: "a", settings: { multiMeta: ["B:a:1"] } }],
    ["V-2: an L meta has versions", { meta: "L:x:1", settings: { isState: true, multiMeta: ["B:a:1"] } }],
    ["V-3: an M meta stands for nothing", { meta: "M:x:1" }],
    ["V-3: an L meta stands for nothing", { meta: "L:x:1", settings: { multiMeta: [] } }],
    ["V-4: onlyOne stands for two", { meta: "L:x:1", settings: { onlyOne: true, multiMeta: ["B:a:1", "B:b:1"] } }],
    ["onlyOne is no loop's", { meta: "B:x:1", settings: { onlyOne: true } }],
  ])("is refused where %s", (_why, meta) => {
    expect(() => loadMeta(meta)).toThrow(expect.objectContaining({ code: "meta.invalid" }));
  });

  test.each<[string, unknown]>([
    ["settings.isSate", { meta: "B:x:1", settings: { isSate: true } }],
    ["settings.isState", { meta: "B:x:1", settings: { isState: "yes" } }],
    ["settings.multiMeta", { meta: "M:x:1", settings: { multiMeta: "B:a:1" } }],
    ["settings.multiMeta[1]", { meta: "M:x:1", settings: { multiMeta: ["B:a:1", 7] } }],
    ["settings.retentionMs", { meta: "B:x:1", settings: { retentionMs: 0 } }],
    ["settings", { meta: "B:x:1", settings: [] }],
    ["states", { meta: "B:x:1", states: 3 }],
    ["fields", { meta: "B:x:1", fields: "any" }],
    ["enabled", { meta: "B:x:1", enabled: 1 }],
  ])("says at %s what was found and what was expected", (path, meta) => {
    expect(() => loadMeta(meta as Meta)).toThrow(
      expect.objectContaining({
        code: "config.invalid",
        details: expect.objectContaining({ path: expect.stringContaining(path) }),
      }),
    );
  });

  test("takes null for what may be left out, as the documents of multi_meta do", () => {
    const meta = { meta: "B:x:1", states: null, settings: { master: null, multiMeta: null, isState: null, name: null } };
    expect(loadMeta(meta as unknown as Meta)).toMatchObject({ multiMeta: [], isStateful: false, settings: {} });
  });

  test("with named states is stateful whatever isState says (S-2, S-3)", () => {
    expect(loadMeta({ meta: "B:x:1", states: "a", settings: { isState: false } }).isStateful).toBe(true);
    expect(loadMeta({ meta: "B:x:1", settings: { isState: true } }).isStateful).toBe(true);
    expect(loadMeta({ meta: "B:x:1", states: "" }).isStateful).toBe(false);
  });

  test("keeps what it stands for as a sorted set", () => {
    const meta = loadMeta({ meta: "M:x:1", settings: { multiMeta: ["B:b:1", "B:/a:01", "B:a:1", "B:b:1"] } });
    expect(meta.multiMeta).toEqual(["B:a:1", "B:b:1"]);
  });
});

describe("a catalog", () => {
  test("drops a meta that stands for one that is unknown or has states (V-5)", () => {
    const metas = [
      stateful,
      { meta: "M:x:1", settings: { multiMeta: ["B:s:1"] } },
      { meta: "M:y:1", settings: { multiMeta: ["B:z:1"] } },
    ];
    expect(problemsOf({ metas })).toEqual(["M:x:1: meta.invalid", "M:y:1: meta.unknown"]);
  });

  test("lets D and N metas be stood for without being declared (V-5)", () => {
    expect(problemsOf({ metas: [{ meta: "M:x:1", settings: { multiMeta: ["D:d:1", "N::1"] } }] })).toEqual([]);
  });

  test("drops a meta whose master is unknown, and what needs it (V-6, C1)", () => {
    const metas: Meta[] = [
      plain,
      { meta: "B:b:1", settings: { master: "B:nobody:1" } },
      { meta: "B:c:1", settings: { master: "B:b:1" } },
    ];
    expect(problemsOf({ metas })).toEqual(["B:b:1: meta.unknown", "B:c:1: meta.unknown"]);
    expect(new Catalog({ metas, relations: [] }).metas().map(({ meta }) => meta)).toEqual(["B:a:1"]);
  });

  test("takes a master of any kind, also one with states (V-6)", () => {
    expect(problemsOf({ metas: [stateful, { meta: "B:b:1", settings: { master: "B:s:1" } }] })).toEqual([]);
  });

  test("finds masters that go round in a circle, also of one alone, and does not hang (V-7)", () => {
    const circle: Meta[] = ["a", "b", "c"].map((key, at, all) => ({
      meta: `B:${key}:1`,
      settings: { master: `B:${all[(at + 1) % 3]}:1` },
    }));
    expect(problemsOf({ metas: circle })[0]).toBe("B:a:1: meta.invalid");
    expect(new Catalog({ metas: circle, relations: [] }).metas()).toEqual([]);
    expect(problemsOf({ metas: [{ meta: "B:a:1", settings: { master: "B:a:1" } }] })).toEqual(["B:a:1: meta.invalid"]);
  });

  test("says of an unknown meta which one was meant", () => {
    const catalog = catalogOf([{ meta: "B:sale/order:1" }]);
    expect(() => catalog.meta("B:sale/oder:1")).toThrow("did you mean B:sale/order:1?");
  });

  test("knows N and D metas without a row, and no others", () => {
    const catalog = catalogOf([]);
    expect(catalog.meta("N::1").type).toBe("N");
    expect(catalog.meta("D:any:1").type).toBe("D");
    for (const type of ["B", "S", "M", "L", "T", "P", "C"]) {
      expect(() => catalog.meta(`${type}:any:1`)).toThrow(expect.objectContaining({ code: "meta.unknown" }));
    }
  });

  test("uses the row of a D meta if there is one", () => {
    expect(catalogOf([{ meta: "D:d:1", states: "a" }]).meta("D:d:1").isStateful).toBe(true);
  });

  test("takes a meta that is not enabled for one that is not declared (C2)", () => {
    expect(problemsOf({ metas: [{ ...plain, enabled: false }], relations: [relation("B:a:1", "N::1")] })).toEqual([
      "B:a:1 -> N::1: meta.unknown",
    ]);
  });

  test("keeps relations that fit beside those that do not (R-3, D-27)", () => {
    const catalog = new Catalog({
      metas: [plain, stateful],
      relations: [
        relation("B:a:1", "B:s:1", { target: { addStates: ["payd"] } }),
        relation("B:a:1", "N::1"),
        relation("B:a:1", "B:z:1"),
      ],
    });
    expect(catalog.problems.map(({ what }) => what)).toEqual(["B:a:1 -> B:s:1", "B:a:1 -> B:z:1"]);
    expect(catalog.relationsFrom("B:a:1").map(({ to }) => to.meta)).toEqual(["N::1"]);
  });

  test("has one relation from a meta to another", () => {
    expect(problemsOf({ metas: [plain], relations: [relation("B:a:1", "N::1"), relation("B:/a:01", "N:x:y")] })).toEqual([
      "B:/a:01 -> N:x:y: relation.exists",
    ]);
  });
});

describe("a relation", () => {
  const metas: Meta[] = [
    plain,
    stateful,
    { meta: "M:m:1", settings: { multiMeta: ["B:a:1"] } },
    { meta: "L:l:1", settings: { multiMeta: ["B:a:1"] } },
  ];
  const problem = (from: string, to: string, settings: unknown): string | undefined =>
    problemsOf({ metas, relations: [relation(from, to, settings as RelationSettings)] })[0]?.split(": ")[1];

  test("leaves no M or L meta (R-4)", () => {
    expect(problem("M:m:1", "B:a:1", {})).toBe("relation.invalid");
    expect(problem("L:l:1", "B:a:1", {})).toBe("relation.invalid");
    expect(problem("B:a:1", "M:m:1", {})).toBeUndefined();
    expect(problem("B:a:1", "L:l:1", {})).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ["adds a state that the target does not have (R-2)", { target: { addStates: ["payd"] } }],
    ["removes a state that the target does not have (R-2)", { target: { removeStates: ["x"] } }],
    ["asks for a state that the target does not have", { downSelector: { all: ["x"] } }],
  ])("is refused when it %s", (_what, settings) => {
    expect(problem("B:a:1", "B:s:1", settings)).toBe("instance.state");
  });

  test.each<[string, string, string, unknown]>([
    ["adds states that exclude each other", "B:a:1", "B:s:1", { target: { addStates: ["new", "paid"] } }],
    ["adds states to what has none", "B:s:1", "B:a:1", { target: { addStates: ["new"] } }],
    ["asks an upstream without states for one", "B:a:1", "B:s:1", { selector: { states: { all: ["new"] } } }],
    ["names auto (R-3)", "B:a:1", "N::1", { executor: { protocol: "auto", url: "x" } }],
    ["names an unknown protocol", "B:a:1", "N::1", { executor: { protocol: "HTTP", url: "http://x" } }],
    ["has an executor without an address", "B:a:1", "N::1", { executor: { protocol: "local", url: "" } }],
    ["has an address of another protocol", "B:a:1", "N::1", { executor: { protocol: "https", url: "http://x/" } }],
    ["has an address that is none", "B:a:1", "N::1", { before: [{ protocol: "http", url: "localhost:80/x" }] }],
    ["publishes under no name", "B:a:1", "N::1", { target: { dynamicPara: "" } }],
    ["has null as an executor of a chain", "B:a:1", "N::1", { after: [null] }],
  ])("is refused when it %s", (_what, from, to, settings) => {
    expect(problem(from, to, settings)).toBe("relation.invalid");
  });

  test.each<[string, unknown]>([
    ["an unknown setting", { delay: 5 }],
    ["last_* inside selector, where Nature ignores it", { selector: { last_all: ["new"] } }],
    ["text in place of a list of states", { target: { addStates: "new" } }],
    ["text in place of a condition's list", { selector: { states: { all: "new" } } }],
    ["a list in place of an object", { target: [] }],
    ["a negative wait", { delayMs: -1 }],
    ["a half millisecond", { delayMs: 0.5 }],
    ["a wrong index", { target: { appendPara: [256] } }],
    ["text in place of indexes", { target: { appendPara: "0" } }],
    ["a flag that is none", { useUpstreamId: "yes" }],
    ["an unknown member of an executor", { executor: { protocol: "local", url: "x", timeout: 3 } }],
    ["settings of an executor that are no text", { executor: { protocol: "local", url: "x", settings: {} } }],
    ["a chain that is no list", { before: { protocol: "local", url: "x" } }],
  ])("is refused with %s", (_what, settings) => {
    expect(problem("B:s:1", "B:s:1", settings)).toBe("config.invalid");
  });

  test("takes null for what may be left out, at any depth", () => {
    const settings = { selector: null, target: { addStates: null, dynamicPara: null }, executor: null, delayOnPara: null };
    const catalog = catalogOf(metas, [relation("B:a:1", "B:s:1", settings as unknown as RelationSettings)]);
    expect(catalog.relations()[0]?.settings).toEqual({ target: {} });
  });
});
