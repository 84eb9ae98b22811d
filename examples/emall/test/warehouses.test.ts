import { keyOf } from "@metanode/nature";
import { describe, expect, test } from "vitest";
import { warehousesFlow } from "../src/warehouses.ts";
import { databases } from "./databases.ts";
import { openTestMall } from "./test-mall.ts";

/* The acceptance tests of several warehouses. @source spec of the workflow model, §11.2 */

const SELF = "B:warehouse/self:1";
const THIRD = "B:warehouse/third:1";

/** Content, keys of the context, and the id that Nature gives such an order, too. */
const ORDERS = [
  ["A", ["self"], "1487267541922457568"],
  ["B", ["third"], "5511124463593097989"],
  ["C", ["self", "third"], "13159812850727140160"],
  ["D", [], "9688354360942590765"],
] as const;

const order = (name: string, keys: readonly string[]) => ({
  meta: "B:order:1",
  content: JSON.stringify(name),
  context: Object.fromEntries(keys.map((key) => [key, key])),
});

describe.each(databases)("several warehouses on $title", (kind) => {
  const skip = kind.skip !== undefined;

  test.skipIf(skip)(
    "get the orders whose context names them, each once, with their content and without their context",
    async () => {
      await using mall = await openTestMall(kind, () => warehousesFlow);
      for (const [name, keys, id] of ORDERS) expect(await mall.input(order(name, keys))).toMatchObject({ id });
      // Each again: the same order.
      for (const [name, keys] of ORDERS) {
        expect(await mall.engine.input(order(name, keys))).toMatchObject({ isNew: false });
      }
      await mall.settle();
      const received = async (meta: string) =>
        new Map((await mall.rows(meta)).map(({ content, context, from }) => [content, { context, from: from && keyOf(from) }]));
      const from = (at: 0 | 1 | 2) => ({ context: {}, from: `B:order:1|${ORDERS[at][2]}||0` });
      expect(await received(SELF)).toEqual(
        new Map([
          ['"A"', from(0)],
          ['"C"', from(2)],
        ]),
      );
      expect(await received(THIRD)).toEqual(
        new Map([
          ['"B"', from(1)],
          ['"C"', from(2)],
        ]),
      );
      expect(await mall.rows()).toHaveLength(8);
      expect(mall.reports).toEqual([]);
    },
  );

  test.skipIf(skip)("get every order under an id of its own, the same whenever it is made again", async () => {
    const idsOf = async (): Promise<string[]> => {
      await using mall = await openTestMall(kind, () => warehousesFlow);
      await Promise.all(ORDERS.map(([name, keys]) => mall.input(order(name, keys))));
      await mall.settle();
      return (await mall.rows()).filter(({ meta }) => meta !== "B:order:1").map(keyOf);
    };
    const [once, again] = [await idsOf(), await idsOf()];
    expect(again).toEqual(once);
    expect(new Set(once.map((key) => key.split("|")[1])).size).toBe(4);
  });
});
