import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instanceLoader } from "../../src/builtin/instance-loader.ts";
import { paraAsKey } from "../../src/builtin/para-as-key.ts";
import { byBytes } from "../../src/byte-order.ts";
import type { BeforeFilter } from "../../src/executor/executor.ts";
import type { Resolvers } from "../../src/executor/executors.ts";
import { type Instance, keyOf } from "../../src/instance/instance.ts";
import { storedId } from "../../src/store/rows.ts";
import type { RangeQuery } from "../../src/store/store.ts";
import { filterRequest, instance } from "../fixtures/things.ts";

/** The parts of a key, or of its beginning, as they are compared. */
function parts(key: string): (string | number)[] {
  const [meta = "", id, para, version] = key.split("|");
  const all = [
    meta,
    id === undefined ? undefined : storedId(id || "0"),
    para,
    version === undefined ? undefined : Number(version),
  ];
  return all.filter((part) => part !== undefined);
}

/** Tuples by their order; one that is the beginning of the other is equal to it. */
function compare(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [x, y] = [left[at], right[at]];
    const order = typeof x === "number" && typeof y === "number" ? x - y : byBytes(String(x), String(y));
    if (order !== 0) return order;
  }
  return 0;
}

/** What the contract of the store says of ranges, over a list. */
function storeOf(all: readonly Instance[]) {
  const queries: RangeQuery[] = [];
  const range = async (query: RangeQuery): Promise<Instance[]> => {
    queries.push(query);
    const { keyGt = "", keyLt = "", createdGeMs = 0, createdLtMs = Number.POSITIVE_INFINITY, limit } = query;
    return all
      .filter((one) => compare(keyOf(one), keyGt) > 0 && compare(keyOf(one), keyLt) < 0)
      .filter(({ createdMs }) => createdMs >= createdGeMs && createdMs < createdLtMs)
      .sort((a, b) => compare(keyOf(a), keyOf(b)))
      .slice(0, limit);
  };
  return { queries, range };
}

const row = (para: string, content = para, createdMs = 5): Instance => instance({ meta: "B:x:1", para, content, createdMs });
const bounds = { key_gt: "B:x:1|0|a/", key_lt: "B:x:1|0|a0" };
const upstream = instance({ meta: "B:up:1", para: "100/200" });

interface Given {
  readonly rows: readonly Instance[];
  readonly settings?: object;
  readonly to?: string;
  readonly from?: Instance;
  readonly resolvers?: Resolvers;
}

async function load({ rows, settings = {}, to = "B:to:1", from = upstream, resolvers = {} }: Given) {
  const store = storeOf(rows);
  const filter: BeforeFilter = instanceLoader({ store, resolvers: () => resolvers });
  const loaded = await filter(from, filterRequest({ settings: JSON.stringify({ ...bounds, ...settings }), to }));
  return { loaded, contents: JSON.parse(loaded.content) as string[], queries: store.queries };
}

describe("instance-loader towards a loop (§5.4)", () => {
  const rows = ["a/5", "a/1", "b/0", "a/3", "a0", "a/2", "a/4", "a"].map((para) => row(para));

  test("reads page after page in the order of keys, strictly behind the last one, and ends with a page that is not full (D-11)", async () => {
    let from = upstream;
    const pages: string[][] = [];
    for (;;) {
      const { loaded, contents } = await load({ rows, settings: { page_size: 2 }, to: "L:l:1", from });
      pages.push(contents);
      expect(loaded.sysContext["loop.id"]).toBe(String(pages.length));
      if (Object.hasOwn(loaded.sysContext, "loop.finished")) break;
      from = { ...upstream, sysContext: { "loop.id": String(pages.length), "loop.next": loaded.sysContext["loop.next"] ?? "" } };
    }
    expect(pages).toEqual([["a/1", "a/2"], ["a/3", "a/4"], ["a/5"]]);
  });

  test("needs one more page, an empty one, where the last is full (§6.3)", async () => {
    const sysContext = { "loop.id": "2", "loop.next": "B:x:1|0|a/4|0" };
    const { loaded, contents } = await load({
      rows: rows.slice(1),
      settings: { page_size: 2 },
      to: "L:l:1",
      from: { ...upstream, sysContext },
    });
    expect(contents).toEqual([]);
    expect(loaded.sysContext).toEqual({ "loop.id": "3", "loop.next": "B:x:1|0|a/4|0", "loop.finished": "" });
  });

  test("leaves everything else of the upstream as it is", async () => {
    const { loaded } = await load({ rows, to: "L:l:1" });
    expect({ ...loaded, content: "", sysContext: {} }).toEqual(upstream);
  });
});

describe("instance-loader towards any other target (§5.4)", () => {
  test("reads all pages at once (D-35)", async () => {
    const paras = fc.uniqueArray(fc.stringMatching(/^a\/[a-z0-9]{1,4}$/), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(paras, fc.integer({ min: 1, max: 40 }), async (all, page_size) => {
        const { contents, loaded } = await load({ rows: all.map((para) => row(para)), settings: { page_size } });
        expect(contents).toEqual([...all].sort(byBytes));
        expect(loaded.sysContext).toHaveProperty(["loop.finished"]);
      }),
      { numRuns: 100 },
    );
  });

  test("asks the store for no more than a thousand at a time, however long a page is", async () => {
    const rows = Array.from({ length: 2_500 }, (_, at) => row(`a/${String(at).padStart(5, "0")}`));
    const { contents, queries } = await load({ rows, settings: { page_size: 2_200 } });
    expect(contents).toHaveLength(2_500);
    expect(queries.map(({ limit }) => limit)).toEqual([1_000, 1_000, 200, 1_000]);
  });

  test("ends with the signal", async () => {
    const filter = instanceLoader({ store: storeOf([]), resolvers: () => ({}) });
    const given = filterRequest({ settings: JSON.stringify(bounds), signal: AbortSignal.abort(new Error("stop")) });
    await expect(filter(upstream, given)).rejects.toThrow("stop");
  });
});

describe("instance-loader", () => {
  test("reads what was made in the window of time that the para tells, in milliseconds, without its end (D-17)", async () => {
    const rows = [row("a/1", "1", 99), row("a/2", "2", 100), row("a/3", "3", 199), row("a/4", "4", 200)];
    expect((await load({ rows, settings: { time_part: [0, 1] } })).contents).toEqual(["2", "3"]);
  });

  test("puts each instance through the filters, which may be spelled as Nature spells them", async () => {
    const filters = [{ protocol: "builtIn", url: "para_as_key", settings: '{"part":[1],"plain":true}' }];
    const resolvers: Resolvers = { builtin: { resolve: () => ({ before: paraAsKey }) } };
    const { contents } = await load({ rows: [row("a/1", "10"), row("a/2", "20")], settings: { filters }, resolvers });
    expect(contents).toEqual(['["1",10]', '["2",20]']);
  });

  test("refuses what is no filter before an executor", async () => {
    const settings = { filters: [{ protocol: "local", url: "x" }] };
    await expect(load({ rows: [row("a/1")], settings })).rejects.toMatchObject({ code: "executor.unknown" });
    const resolvers: Resolvers = { local: { resolve: () => ({ convert: () => ({ type: "none" }) }) } };
    await expect(load({ rows: [row("a/1")], settings, resolvers })).rejects.toMatchObject({ code: "executor.logic" });
  });

  test.each<[object, string]>([
    [{ key_gt: undefined }, "config.invalid"],
    [{ key_lt: 7 }, "config.invalid"],
    [{ page_size: 0 }, "config.invalid"],
    [{ page_size: 65_536 }, "config.invalid"],
    [{ time_part: [0] }, "config.invalid"],
    [{ time_part: [0, 1, 2] }, "config.invalid"],
    [{ filters: {} }, "config.invalid"],
    [{ filters: [{ protocol: "local", url: "x", before: [] }] }, "config.invalid"],
    [{ filters: [{ protocol: "carrier pigeon", url: "x" }] }, "relation.invalid"],
    [{ key_ge: "" }, "config.invalid"],
    [{ time_part: [0, 5] }, "instance.invalid"],
  ])("refuses the settings %o", async (settings, code) => {
    await expect(load({ rows: [], settings })).rejects.toMatchObject({ code });
  });
});
