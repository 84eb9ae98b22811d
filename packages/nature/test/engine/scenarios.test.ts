import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { jsonConverter } from "../../src/executor/local.ts";
import { keyOf } from "../../src/instance/instance.ts";
import { createTestNature } from "../../src/testing/index.ts";
import { relation } from "../fixtures/things.ts";

const local = (url: string) => ({ protocol: "local", url }) as const;
const builtin = (url: string, settings: object) => ({ protocol: "builtin", url, settings: JSON.stringify(settings) }) as const;

describe("several warehouses (§11.2)", () => {
  const executor = local("multi_warehouse");
  const open = () =>
    createTestNature({
      metas: [{ meta: "B:order:1" }, { meta: "B:warehouse/self:1" }, { meta: "B:warehouse/third:1" }],
      relations: [
        relation("B:order:1", "B:warehouse/self:1", { selector: { context: { all: ["self"] } }, executor }),
        relation("B:order:1", "B:warehouse/third:1", { selector: { context: { all: ["third"] } }, executor }),
      ],
      executors: { multi_warehouse: ({ from }) => ({ type: "instances", instances: [{ content: from.content }] }) },
    });

  test("each order goes where its context says, also to both or to none", async () => {
    await using nature = open();
    const self = { self: "self" };
    const third = { third: "third" };
    const orders = [
      ["A", self, "1487267541922457568"],
      ["B", third, "5511124463593097989"],
      ["C", { ...self, ...third }, "13159812850727140160"],
      ["D", {}, "9688354360942590765"],
    ] as const;
    for (const [name, context, id] of orders) {
      const { instance } = await nature.input({ meta: "B:order:1", content: JSON.stringify(name), context });
      expect(instance.id).toBe(id);
    }
    await nature.settle();
    const contents = (meta: string): string[] =>
      nature
        .instances(meta)
        .map(({ content }) => content)
        .sort();
    expect(contents("B:warehouse/self:1")).toEqual(['"A"', '"C"']);
    expect(contents("B:warehouse/third:1")).toEqual(['"B"', '"C"']);
    expect(nature.instances("B:warehouse/self:1").every(({ context }) => Object.keys(context).length === 0)).toBe(true);
  });

  test("outputs that say nothing stay apart, whatever they were made from (I-4, D-25)", async () => {
    await using nature = createTestNature({
      metas: [{ meta: "B:order:1" }, { meta: "B:warehouse/self:1" }],
      relations: [relation("B:order:1", "B:warehouse/self:1")],
    });
    for (const content of ["A", "B", "C"]) await nature.input({ meta: "B:order:1", content });
    await nature.settle();
    expect(nature.instances("B:warehouse/self:1")).toHaveLength(3);
  });
});

interface Order {
  readonly items: readonly { readonly item: { readonly id: number; readonly price: number }; readonly num: number }[];
}

describe("statistics of sales (§11.5)", () => {
  const money = "B:sale/item/money:1";
  const count = "B:sale/item/count:1";
  const tag = "B:sale/item/money/tag_second:1";
  const second = "B:sale/item/money/second:1";
  const secondTag = "B:sale/money/second_tag:1";
  const top = "B:sale/money/secondTop:1";
  const looper = "L:sale/money/secondTopLooper:1";
  const prefix = (meta: string, start: string) => ({ key_gt: `${meta}|0|${start}/`, key_lt: `${meta}|0|${start}0` });

  const open = (clock: VirtualClock) =>
    createTestNature({
      clock,
      metas: [
        { meta: "B:sale/order:1" },
        { meta: money },
        { meta: count },
        { meta: "M:sale/order/to_item:1", settings: { multiMeta: [count, money] } },
        { meta: tag, settings: { cacheSaved: true } },
        { meta: second },
        { meta: secondTag, settings: { cacheSaved: true } },
        { meta: top },
        { meta: looper, settings: { multiMeta: [top], onlyOne: true } },
      ],
      relations: [
        relation("B:sale/order:1", "M:sale/order/to_item:1", { executor: local("order_to_item") }),
        relation(money, tag, {
          executor: builtin("time_range", {}),
          target: { appendPara: [0], dynamicPara: "(item)" },
        }),
        relation(tag, second, {
          before: [builtin("instance-loader", { ...prefix(money, "(item)"), time_part: [0, 1] })],
          executor: builtin("merge", {}),
          delayOnPara: { extraMs: 2_000, part: 1 },
        }),
        relation(second, secondTag, { target: { appendPara: [0, 1], dynamicPara: "(time)" } }),
        relation(secondTag, looper, {
          before: [
            builtin("task-checker", { key_gt: money, key_lt: `${money}|1`, time_part: [0, 1] }),
            builtin("task-checker", prefix(tag, "(time)")),
            builtin("task-checker", prefix(second, "(time)")),
            builtin("instance-loader", {
              ...prefix(second, "(time)"),
              page_size: 1,
              filters: [{ protocol: "builtIn", url: "para_as_key", settings: JSON.stringify({ part: [2], plain: true }) }],
            }),
          ],
          executor: builtin("merge", { key: "Content", sum_all: true, top: { MaxTop: 1 } }),
          delayOnPara: { extraMs: 2_000, part: 1 },
        }),
      ],
      executors: {
        order_to_item: jsonConverter<Order, number>(({ content: { items }, request: { from } }) =>
          items.flatMap(({ item, num }) => [
            { meta: money, para: `${item.id}/${from.id}`, value: num * item.price },
            { meta: count, para: `${item.id}/${from.id}`, value: num },
          ]),
        ),
      },
      engine: { backoffMs: 500, maxAttempts: 12 },
    });

  const item = (id: number, price: number, num: number) => ({ item: { id, name: `item ${id}`, price }, num });
  const order = (user: number, ...items: ReturnType<typeof item>[]) => ({
    meta: "B:sale/order:1",
    content: JSON.stringify({ user_id: user, items }),
  });

  test("orders become items, items of a second become sums, and the sums of a second its best", async () => {
    const clock = new VirtualClock();
    await using nature = open(clock);
    const firstMs = clock.now();
    const one = await nature.input(order(123, item(1, 800, 1), item(2, 100, 2)));
    await nature.advance(2_100);
    const two = await nature.input(order(124, item(3, 5, 1), item(2, 100, 3)));
    await nature.advance(100);
    const three = await nature.input(order(125, item(1, 700, 10), item(3, 6, 1)));
    await nature.finish();
    expect(nature.failed()).toEqual([]);
    const [o1, o2, o3] = [one, two, three].map(({ instance }) => instance.id);
    const byPara = (meta: string): Record<string, string> =>
      Object.fromEntries(nature.instances(meta).map(({ para, content }) => [para, content]));
    expect(byPara(money)).toEqual({
      [`1/${o1}`]: "800",
      [`2/${o1}`]: "200",
      [`3/${o2}`]: "5",
      [`2/${o2}`]: "300",
      [`1/${o3}`]: "7000",
      [`3/${o3}`]: "6",
    });
    expect(byPara(count)).toMatchObject({ [`1/${o3}`]: "10", [`2/${o2}`]: "3" });
    const [t1, t2] = [firstMs, firstMs + 2_000].map((ms) => `${ms}/${ms + 1_000}`) as [string, string];
    expect(Object.keys(byPara(tag)).sort()).toEqual([`${t1}/1`, `${t1}/2`, `${t2}/1`, `${t2}/2`, `${t2}/3`].sort());
    expect(byPara(second)).toEqual({
      [`${t1}/1`]: "800",
      [`${t1}/2`]: "200",
      [`${t2}/1`]: "7000",
      [`${t2}/2`]: "300",
      [`${t2}/3`]: "11",
    });
    expect(Object.keys(byPara(secondTag)).sort()).toEqual([t1, t2]);
    expect(JSON.parse(nature.instances(secondTag)[0]?.sysContext["para.dynamic"] ?? "")).toEqual([["(time)", t1]]);
    const loops = nature.instances(looper).filter(({ para }) => para.startsWith(t2));
    expect(loops.map(({ para }) => para)).toEqual([`${t2}/1`, `${t2}/2`, `${t2}/3`]);
    expect(loops.map(({ content }) => JSON.parse(content))).toEqual([
      { detail: { 1: 7000 }, total: 7000 },
      { detail: { 1: 7000 }, total: 7300 },
      { detail: { 1: 7000 }, total: 7311 },
    ]);
    expect(nature.instances(top).map((one) => [keyOf(one), JSON.parse(one.content), one.sysContext])).toEqual([
      [`${top}|0|${t1}|0`, { detail: { 1: 800 }, total: 1000 }, {}],
      [`${top}|0|${t2}|0`, { detail: { 1: 7000 }, total: 7311 }, {}],
    ]);
  });
});
