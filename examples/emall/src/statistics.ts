import { defineFlow, type JsonOutput, jsonConverter, meta } from "@metanode/nature";
import type { Order } from "./shop-executors.ts";

/** How long after the end of a second its numbers are made: what was sold at its end has to be stored by then. */
const SETTLE_MS = 2_000;

const money = "B:sale/item/money:1";
const tagSecond = "B:sale/item/money/tag_second:1";
const second = "B:sale/item/money/second:1";
const looper = "L:sale/money/secondTopLooper:1";

/** Above every para of an item or a window of time: `0` is the character behind `/`. */
const within = (name: string, part: string) => ({ key_gt: `${name}|0|${part}/`, key_lt: `${name}|0|${part}0` });

/**
 * What is sold, second by second: each order is taken apart into its items; a second of an item is summed up once it is over; and the items of a
 * second come to a total and to the one that sold best, page by page in a loop.
 */
export const statisticsFlow = defineFlow({
  metas: {
    order: meta("B:sale/order:1"),
    count: meta("B:sale/item/count:1"),
    money: meta(money),
    toItem: meta("M:sale/order/to_item:1", { multiMeta: ["count", "money"] }),
    // Every item that is sold asks for its second; the cache drops all but the first of them before the database is asked.
    tagSecond: meta(tagSecond, { cacheSaved: true }),
    second: meta(second),
    secondTag: meta("B:sale/money/second_tag:1", { cacheSaved: true }),
    secondTop: meta("B:sale/money/secondTop:1"),
    looper: meta(looper, { multiMeta: ["secondTop"], onlyOne: true }),
  },
  executors: { order_to_item: orderToItem() },
  relations: (relate) => [
    relate("order", "toItem", { executor: "order_to_item" }),
    relate("money", "tagSecond", {
      executor: { protocol: "builtin", url: "time_range", settings: { unit: "s" } },
      target: { appendPara: [0], dynamicPara: "(item)" },
    }),
    relate("tagSecond", "second", {
      before: [{ protocol: "builtin", url: "instance-loader", settings: { ...within(money, "(item)"), time_part: [0, 1] } }],
      executor: { protocol: "builtin", url: "merge" },
      delayOnPara: { extraMs: SETTLE_MS, part: 1 },
    }),
    relate("second", "secondTag", { target: { appendPara: [0, 1], dynamicPara: "(time)" } }),
    relate("secondTag", "looper", {
      before: [
        // Nothing that counts for this second may still be under way.
        {
          protocol: "builtin",
          url: "task-checker",
          settings: { key_gt: `${money}|0|`, key_lt: `${money}|1`, time_part: [0, 1] },
        },
        { protocol: "builtin", url: "task-checker", settings: within(tagSecond, "(time)") },
        { protocol: "builtin", url: "task-checker", settings: within(second, "(time)") },
        {
          protocol: "builtin",
          url: "instance-loader",
          settings: {
            ...within(second, "(time)"),
            page_size: 1,
            filters: [{ protocol: "builtin", url: "para_as_key", settings: '{"part":[2],"plain":true}' }],
          },
        },
      ],
      executor: {
        protocol: "builtin",
        url: "merge",
        settings: { key: "Content", sum_all: true, top: { MaxTop: 1 } },
      },
      delayOnPara: { extraMs: SETTLE_MS, part: 1 },
    }),
  ],
});

/** Two instances for each item: for how much, and how many. */
function orderToItem() {
  return jsonConverter<Order, number>(({ content: { items }, request: { from } }) =>
    items.flatMap(({ item, num }): JsonOutput<number>[] => {
      const para = `${item.id}/${from.id}`;
      return [
        { meta: money, para, value: num * item.price },
        { meta: "B:sale/item/count:1", para, value: num },
      ];
    }),
  );
}
