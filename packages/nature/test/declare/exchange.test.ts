import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Catalog, type Declarations } from "../../src/catalog/catalog.ts";
import { normalMeta, normalRelation } from "../../src/catalog/normal.ts";
import { fromFile, toFile } from "../../src/declare/file.ts";
import { fromNatureRows, type NatureRows, toNatureRows } from "../../src/declare/nature-rows.ts";
import { fromNatureSql, toNatureSql } from "../../src/declare/nature-sql.ts";
import { declarations } from "./arbitrary.ts";
import { emall } from "./emall.ts";

const normal = ({ metas, relations }: Declarations): Declarations => ({
  metas: metas.map((one) => normalMeta(one)),
  relations: relations.map((one) => normalRelation(one)),
});

describe("declarations as a file", () => {
  test("come back from JSON as they were, and again the same", () => {
    fc.assert(
      fc.property(declarations, (given) => {
        const file = JSON.parse(JSON.stringify(toFile(given)));
        expect(fromFile(file)).toEqual(normal(given));
        expect(toFile(fromFile(file))).toEqual(file);
      }),
    );
  });

  test.each<[unknown, string]>([
    [null, "file"],
    [[], "file"],
    [{ metas: [] }, "format"],
    [{ ...toFile(emall), version: 2 }, "version"],
    [{ ...toFile(emall), meta: [] }, "meta"],
    [{ ...toFile(emall), metas: {} }, "metas"],
    [{ ...toFile(emall), metas: [{}] }, "metas[0].meta"],
    [{ ...toFile(emall), metas: ["B:a:1"] }, "metas[0]"],
    [{ ...toFile(emall), metas: [{ meta: "B:a:1", settings: { multiMeta: ["B:b:1", 7] } }] }, "metas[0].settings.multiMeta[1]"],
    [{ ...toFile(emall), metas: [{ meta: "B:a:1", settings: { mastr: "B:b:1" } }] }, "metas[0].settings.mastr"],
    [{ ...toFile(emall), relations: [{ from: "B:a:1" }] }, "relations[0].to"],
    [
      { ...toFile(emall), relations: [{ from: "B:a:1", to: "B:a:1", settings: { delayOnPara: {} } }] },
      "relations[0].settings.delayOnPara.extraMs",
    ],
  ])("say where %j is wrong", (file, path) => {
    expect(() => fromFile(file)).toThrow(
      expect.objectContaining({ code: "config.invalid", details: expect.objectContaining({ path }) }),
    );
  });
});

describe("declarations as Nature's rows", () => {
  test("come back as they were, through rows and through SQL, whatever Nature cannot say", () => {
    fc.assert(
      fc.property(declarations, (given) => {
        expect(new Catalog(given).problems).toEqual([]);
        const { rows } = toNatureRows(given);
        const back = fromNatureRows(JSON.parse(JSON.stringify(rows)));
        expect(back).toEqual({ declarations: normal(given), notes: [] });
        const sql = fromNatureSql(toNatureSql(rows));
        expect(sql).toEqual({ rows, notes: [] });
      }),
      { numRuns: 300 },
    );
  });

  test("are spelt as Nature spells them", () => {
    const { rows, notes } = toNatureRows({
      metas: [
        {
          meta: "B:a/b:2",
          description: "it's",
          states: "x|y",
          settings: { name: "A", master: "B:m:1", isState: true, cacheSaved: true },
        },
        { meta: "L:l:1", settings: { multiMeta: ["B:m:1"], onlyOne: true }, enabled: false },
      ],
      relations: [
        {
          from: "B:m:1",
          to: "B:a/b:2",
          enabled: true,
          settings: {
            description: "ship",
            selector: { states: { all: ["p"], none: ["f"] }, context: { any: ["e", "a"] }, sysContext: { none: ["n"] } },
            downSelector: { none: ["c"], any: ["o"] },
            executor: { protocol: "local", url: "lib:fun", settings: '{"zone":"(zone)"}' },
            before: [{ protocol: "builtin", url: "para_as_key", settings: '{"part":[0]}' }],
            after: [{ protocol: "http", url: "http://exec.local:9000/stamp" }],
            useUpstreamId: true,
            target: { addStates: ["x"], removeStates: ["y"], appendPara: [1, 0], dynamicPara: "(zone)" },
            delayMs: 30_000,
            delayOnPara: { extraMs: 60_000, part: 1 },
            idBridge: true,
          },
        },
      ],
    });
    expect(notes).toEqual([]);
    expect(rows.meta).toEqual([
      {
        meta_type: "B",
        meta_key: "a/b",
        description: "it's",
        version: 2,
        states: "x|y",
        fields: "",
        config: '{"name":"A","is_state":true,"master":"B:m:1","cache_saved":true}',
        flag: 1,
      },
      {
        meta_type: "L",
        meta_key: "l",
        description: "",
        version: 1,
        states: "",
        fields: "",
        config: '{"multi_meta":["B:m:1"],"only_one":true}',
        flag: 0,
      },
    ]);
    expect(JSON.parse(rows.relation[0]?.settings ?? "")).toEqual({
      description: "ship",
      selector: { context_any: ["e", "a"], sys_context_none: ["n"], state_none: ["f"], state_all: ["p"] },
      down_selector: { last_none: ["c"], last_any: ["o"] },
      executor: { protocol: "localRust", url: "lib:fun", settings: '{"zone":"(zone)"}' },
      convert_before: [{ protocol: "builtIn", url: "para_as_key", settings: '{"part":[0]}' }],
      convert_after: [{ protocol: "http", url: "http://exec.local:9000/stamp" }],
      use_upstream_id: true,
      target: { state_add: ["x"], state_remove: ["y"], append_para: [1, 0], dynamic_para: "(zone)" },
      delay: 30,
      delay_on_para: [60, 1],
      id_bridge: true,
    });
    expect(toNatureSql({ meta: rows.meta.slice(0, 1), relation: [] })).toBe(
      "INSERT INTO `meta` (`meta_type`, `meta_key`, `description`, `version`, `states`, `fields`, `config`, `flag`) " +
        `VALUES ('B', 'a/b', 'it''s', 2, 'x|y', '', '{"name":"A","is_state":true,"master":"B:m:1","cache_saved":true}', 1);\n`,
    );
  });

  test("tell what Nature does not understand", () => {
    const { notes } = toNatureRows({
      metas: [{ meta: "B:a:1", fields: { type: "object" }, settings: { retentionMs: 5, name: "n".repeat(2_100) } }],
      relations: [
        {
          from: "B:a:1",
          to: "B:a:1",
          enabled: true,
          settings: {
            executor: { protocol: "processor", url: "order.price", timeoutMs: 5 },
            before: [
              { protocol: "local", url: "fun" },
              { protocol: "builtin", url: "random" },
            ],
            delayMs: 1_500,
            delayOnPara: { extraMs: 0, part: 3 },
          },
        },
      ],
    });
    expect(notes.map(({ level, where, path, text }) => `${level} ${where} ${path}: ${text}`)).toEqual([
      "lost B:a:1 fields: Nature does not check content",
      "lost B:a:1 settings.retentionMs: Nature keeps instances for ever",
      "lost B:a:1 config: is longer than the 2047 characters that Nature's column holds",
      "lost B:a:1 -> B:a:1 executor: Nature has no executors of protocol processor; it will not load this relation",
      "lost B:a:1 -> B:a:1 executor.timeoutMs: Nature has no time limit for executors",
      'lost B:a:1 -> B:a:1 before[0]: Nature looks for a local executor by library:function, not by "fun"',
      "lost B:a:1 -> B:a:1 before[1]: Nature has no built-in random",
      "changed B:a:1 -> B:a:1 delayMs: 1500 ms are 2 s in Nature",
      "changed B:a:1 -> B:a:1 delayOnPara.extraMs: 0 ms are 1 s in Nature",
    ]);
  });
});

const metaRow = (key: string, more: object = {}): object => ({ meta_type: "B", meta_key: key, version: 1, ...more });

/** What comes of one relation between a meta with states and another, and what is told of it. */
function imported(settings: unknown, flag?: unknown): { settings: unknown; notes: string[] } {
  const { declarations: found, notes } = fromNatureRows({
    meta: [metaRow("a", { states: "new|paid" }), metaRow("b", { states: "open|closed" })],
    relation: [
      {
        from_meta: "B:a:1",
        to_meta: "B:b:1",
        settings: typeof settings === "string" ? settings : JSON.stringify(settings),
        flag,
      },
    ],
  });
  return { settings: found.relations[0]?.settings, notes: notes.map(({ level, path, text }) => `${level} ${path}: ${text}`) };
}

describe("Nature's own rows", () => {
  test("are read with protocols in letters of either case, and built-ins by their old names", () => {
    const { settings, notes } = imported({
      executor: { protocol: "LocalRust", url: "lib:fun" },
      convert_before: [
        { protocol: "BUILTIN", url: "dimensionSplit" },
        { protocol: "builtIn", url: "sum" },
        { protocol: "Http", url: "http://a/b" },
      ],
    });
    expect(settings).toEqual({
      executor: { protocol: "local", url: "lib:fun" },
      before: [
        { protocol: "builtin", url: "scatter" },
        { protocol: "builtin", url: "merge" },
        { protocol: "http", url: "http://a/b" },
      ],
    });
    expect(notes).toEqual([
      "changed convert_before[0].url: the built-in dimensionSplit is called scatter today",
      "changed convert_before[1].url: the built-in sum is called merge today",
    ]);
  });

  test.each<[string, object, object, readonly string[]]>([
    ["target_states", { target_states: { add: ["open"] } }, { target: { addStates: ["open"] } }, ["changed target_states"]],
    ["target_states as a list", { target_states: ["open"] }, { target: { addStates: ["open"] } }, ["changed target_states"]],
    [
      "target.states",
      { target: { states: { add: ["open"], remove: ["closed"] } } },
      { target: { addStates: ["open"], removeStates: ["closed"] } },
      ["changed target.states"],
    ],
    [
      "filter_before and filter_after",
      { filter_before: [{ protocol: "http", url: "http://a" }], filter_after: [{ protocol: "http", url: "http://b" }] },
      { before: [{ protocol: "http", url: "http://a" }], after: [{ protocol: "http", url: "http://b" }] },
      ["changed filter_before", "changed filter_after"],
    ],
    [
      "an executor in a list",
      { executor: [{ protocol: "http", url: "http://a" }] },
      { executor: { protocol: "http", url: "http://a" } },
      ["changed executor"],
    ],
    [
      "selector.source_state_include",
      { selector: { source_state_include: ["paid"] } },
      { selector: { states: { all: ["paid"] } } },
      ["changed selector.source_state_include"],
    ],
    [
      "last_* in the selector",
      { selector: { last_none: ["closed"], last_any: ["open"] } },
      { downSelector: { none: ["closed"], any: ["open"] } },
      ["changed selector.last_none", "changed selector.last_any"],
    ],
  ])("with the old spelling %s mean what they meant, and it is told", (_what, given, settings, told) => {
    const found = imported(given);
    expect(found.settings).toEqual(settings);
    expect(found.notes).toEqual(told.map((one) => `${one}: is an old spelling, taken for today's`));
  });

  test("with spellings that nobody knows, or whose meaning is gone, are read without them, and each is told", () => {
    const { settings, notes } = imported({
      copy_para: [1],
      target: { upstream_para: [0], context_name: "x", stat_add: ["open"], append_para: [2] },
      conflict_avoid: true,
      selector: { stat_all: ["paid"] },
      executor: { protocol: "http", url: "http://a", proportion: 5 },
    });
    expect(settings).toEqual({ target: { appendPara: [2] }, executor: { protocol: "http", url: "http://a" } });
    const stale = "is a spelling of older versions, which Nature ignores; look up what it was for";
    expect(notes.sort()).toEqual(
      [
        "lost executor.proportion: is not known",
        "lost selector.stat_all: is not known; did you mean state_all?",
        `lost target.upstream_para: ${stale}`,
        `lost target.context_name: ${stale}`,
        "lost target.stat_add: is not known; did you mean state_add?",
        `lost copy_para: ${stale}`,
        `lost conflict_avoid: ${stale}`,
      ].sort(),
    );
  });

  test.each<[string, unknown, string]>([
    ["no JSON", "{", "settings is"],
    ["a list", "[]", "settings is"],
    ["an unknown protocol", { executor: { protocol: "ftp", url: "a" } }, "executor.protocol is"],
    ["auto written out", { executor: { protocol: "auto", url: "" } }, "executor.protocol is"],
    ["several executors", { executor: [{}, {}] }, "executor is"],
    ["a delay that is no number", { delay: "5" }, "delay is"],
    ["a state that the target does not have", { target: { state_add: ["opn"] } }, '"opn" is no state'],
    ["a flag that is none", { id_bridge: 1 }, "id_bridge is"],
  ])("with %s are refused and told", (_what, given, text) => {
    const { settings, notes } = imported(given);
    expect(settings).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining(`refused : `)]);
    expect(notes[0]).toContain(text);
  });

  test("are enabled by a flag of 1 or none, and by no other", () => {
    const enabled = (flag: unknown): boolean | undefined =>
      fromNatureRows({ meta: [metaRow("a")], relation: [{ from_meta: "B:a:1", to_meta: "B:a:1", settings: "", flag }] })
        .declarations.relations[0]?.enabled;
    expect([1, "1", undefined, null, 0, 2, "0"].map(enabled)).toEqual([true, true, true, true, false, false, false]);
  });

  test("are metas with their key in its one spelling, and nothing that does not fit", () => {
    const { declarations: found, notes } = fromNatureRows({
      meta: [
        metaRow("/a/", { id: 5, create_time: "2020-01-01 00:00:00", description: null, states: null, fields: null, config: "" }),
        metaRow("free", { fields: '{"anything":"goes"}', config: '{"master":"B:a:1","multi_meta":null,"colour":"red"}' }),
        metaRow("schema", { fields: '{"type":"object"}' }),
        metaRow("lenient", { states: "x,,y" }),
        metaRow("orphan", { config: '{"master":"B:none:1"}' }),
        metaRow("a"),
        { meta_type: "X", meta_key: "x", version: 1 },
        { meta_type: "N", meta_key: "x", version: 7 },
        "row",
      ],
      relation: [{ from_meta: "B:orphan:1", to_meta: "B:a:1", settings: "{}" }],
    });
    expect(found).toEqual({
      metas: [
        { meta: "B:a:1" },
        { meta: "B:free:1", settings: { master: "B:a:1" } },
        { meta: "B:schema:1", fields: { type: "object" } },
      ],
      relations: [],
    });
    expect(notes.map(({ level, where, path }) => `${level} ${where} ${path}`.trim())).toEqual([
      "lost B:free:1 fields",
      "lost B:free:1 config.colour",
      "refused B:lenient:1",
      "refused X:x:1",
      "changed N:x:7",
      "refused meta[8]",
      "refused B:a:1",
      "refused B:orphan:1",
      "refused B:orphan:1 -> B:a:1",
    ]);
  });
});

describe("SQL", () => {
  test("is read as MySQL reads it: quotes, escapes, comments, many rows, columns or none", () => {
    const { rows, notes } = fromNatureSql(`
      -- the shop; not yet
      CREATE TABLE \`meta\` (id int DEFAULT ';');
      /* INSERT INTO meta VALUES (1); */
      insert ignore into nature.\`meta\` (meta_type, \`meta_key\`, description, version, states)
      values ('B', 'it''s', "say \\"hi\\"\\n\\\\", 1, NULL), # a comment
             ("S", 'b', '', 02, 'x|y')
      ON DUPLICATE KEY UPDATE flag = 1;
      INSERT INTO relation VALUES (7, 'B:a:1', 'B:b:1', '{"a":"\\\\"q\\\\""}', 1), (NULL, 'x', 'y', '', 0);
      REPLACE INTO meta (meta_type, create_time) VALUE ('B', NOW())`);
    expect(notes).toEqual([]);
    expect(rows).toEqual({
      meta: [
        { meta_type: "B", meta_key: "it's", description: 'say "hi"\n\\', version: 1, states: null },
        { meta_type: "S", meta_key: "b", description: "", version: 2, states: "x|y" },
        { meta_type: "B" },
      ],
      relation: [
        { id: 7, from_meta: "B:a:1", to_meta: "B:b:1", settings: '{"a":"\\"q\\""}', flag: 1 },
        { id: null, from_meta: "x", to_meta: "y", settings: "", flag: 0 },
      ],
    });
  });

  test("tells what it does not read", () => {
    const { rows, notes } = fromNatureSql(
      "DELETE FROM meta WHERE id = 5;\nINSERT INTO instances VALUES (1);\nINSERT INTO relation (from_meta) VALUES ('a', 'b');",
    );
    expect(rows).toEqual({ meta: [], relation: [] });
    expect(notes.map(({ level, where, text }) => `${level} ${where}: ${text}`)).toEqual([
      "lost line 1: DELETE is not read, only INSERT and REPLACE are",
      "lost line 2: rows of the table instances are no declarations",
      "refused line 3: has 2 values for 1 columns",
    ]);
  });

  test.each([
    ["INSERT INTO meta (a) VALUES ('x)", 1, 30, "expected a value"],
    ["INSERT INTO meta (a) VALUES\n ('x' 'y')", 2, 7, "expected , or ) behind a value"],
    ["INSERT INTO meta (a) VALUES ('x') ('y')", 1, 35, "expected , or ; behind a row"],
    ["INSERT INTO meta (a) SELECT 1", 1, 22, "expected VALUES"],
    ["INSERT INTO meta (a) VALUES 1", 1, 29, "expected ( before the values of a row"],
    ["SET @x = 'open", 1, 10, "the quote is not closed"],
  ])("says where %j is none", (text, line, column, what) => {
    expect(() => fromNatureSql(text)).toThrow(
      expect.objectContaining({
        code: "meta.syntax",
        message: `SQL, line ${line}, column ${column}: ${what}`,
        details: { text, line, column },
      }),
    );
  });

  test("is read or refused, and never hangs, whatever the text is", () => {
    const piece = fc.constantFrom(
      "INSERT INTO meta ",
      "VALUES ",
      "(",
      ")",
      ",",
      ";",
      "'",
      '"',
      "`",
      "\\",
      "--",
      "-- ",
      "/*",
      "*/",
      "#",
      "\n",
      "1",
      "a",
      "NULL",
      "NOW()",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          fromNatureSql(pieces.join(""));
        } catch (error) {
          expect(error).toMatchObject({ code: "meta.syntax" });
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("of the shop brings the shop back", () => {
    const sql = toNatureSql(toNatureRows(emall).rows);
    const { declarations: found, notes } = fromNatureRows(fromNatureSql(sql).rows as unknown as NatureRows);
    expect(found).toEqual({ metas: emall.metas, relations: emall.relations });
    expect(notes).toEqual([]);
  });
});
