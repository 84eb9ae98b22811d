import { describe, expect, test } from "vitest";
import { Catalog } from "../../src/catalog/catalog.ts";
import { defineFlow, type JoinedFlows, joinFlows, meta } from "../../src/declare/index.ts";
import { createTestNature } from "../../src/testing/index.ts";
import { emall } from "./emall.ts";

describe("the shop of the specification, declared as code", () => {
  test("is a catalog without problems, with each meta and relation once", () => {
    const catalog = new Catalog(emall);
    expect(catalog.problems).toEqual([]);
    expect(catalog.metas().map(({ meta }) => meta)).toEqual(emall.metas.map(({ meta }) => meta));
    expect(catalog.relations()).toHaveLength(10);
  });

  test("has its metas in the form that is stored, and none of type N", () => {
    expect(emall.metas).toEqual([
      { meta: "B:sale/order:1" },
      {
        meta: "B:sale/orderState:1",
        states: "new|paid|package|outbound|dispatching|signed|canceling|canceled",
        settings: { master: "B:sale/order:1" },
      },
      { meta: "B:finance/payment:1" },
      { meta: "B:finance/orderAccount:1", states: "unpaid|partial|paid", settings: { master: "B:sale/order:1" } },
      { meta: "B:third/waybill:1" },
      { meta: "B:sale/orderSign:1" },
    ]);
    expect(emall.names.outApplication).toBe("N::1");
  });

  test("names its own functions as local executors, and others as they were given", () => {
    const from = (name: string, to: string) => emall.relations.find((one) => one.from === name && one.to === to);
    const { orderState, payment, orderAccount, orderSign } = emall.names;
    expect(from(payment, orderAccount)).toEqual({
      from: "B:finance/payment:1",
      to: "B:finance/orderAccount:1",
      enabled: true,
      settings: { executor: { protocol: "local", url: "payCount" } },
    });
    expect(from(orderState, orderState)?.settings).toEqual({
      selector: { states: { all: ["paid"] } },
      executor: { protocol: "http", url: "http://127.0.0.1:8082/send_to_warehouse" },
      target: { addStates: ["package"] },
    });
    expect(from(orderState, orderSign)?.settings).toMatchObject({ delayMs: 1_000, idBridge: true });
    expect(Object.keys(emall.executors)).toEqual(["orderReceivable", "payCount", "stockOutApplication", "goExpress", "autoSign"]);
  });
});

describe("a flow that is run as it is", () => {
  test("carries an order to its account, and three payments at once to the state paid", async () => {
    await using nature = createTestNature({
      ...emall,
      resolvers: { http: { resolve: () => ({ convert: () => ({ type: "none" }) }) } },
    });
    const { names } = emall;
    const { instance: order } = await nature.input({ meta: names.order, content: '{"price":1000}' });
    await nature.settle();
    const pay = (paid: number) =>
      nature.input({ meta: names.payment, content: JSON.stringify({ paid }), sysContext: { "target.id": order.id } });
    await Promise.all([100, 200, 700].map(pay));
    await nature.settle();
    const accounts = nature.instances(names.orderAccount);
    expect(accounts.map(({ version, states }) => [version, states])).toEqual([
      [1, ["unpaid"]],
      [2, ["partial"]],
      [3, ["partial"]],
      [4, ["paid"]],
    ]);
    expect(JSON.parse(accounts[3]?.content ?? "")).toMatchObject({ total_paid: 1_000, diff: 0 });
    expect(nature.instances(names.orderState).map(({ version, states }) => [version, states])).toEqual([
      [1, ["new"]],
      [2, ["paid"]],
    ]);
    expect(nature.failed()).toEqual([]);
  });
});

describe("a flow that only fails at run time", () => {
  test.each([
    ["a state expression that is none", () => defineFlow({ metas: { a: meta("B:a:1", { states: "new|" }) } }), "meta.syntax"],
    ["one meta under two names", () => defineFlow({ metas: { a: meta("B:a:1"), b: meta("B:/a:01") } }), "meta.exists"],
    ["masters in a circle", () => defineFlow({ metas: { a: meta("B:a:1", { master: "a" }) } }), "meta.invalid"],
    [
      "two relations between the same metas",
      () => defineFlow({ metas: { a: meta("B:a:1") }, relations: (relate) => [relate("a", "a"), relate("a", "a")] }),
      "relation.exists",
    ],
    [
      "states that exclude each other added together",
      () =>
        defineFlow({
          metas: { a: meta("B:a:1", { states: "x|y" }) },
          relations: (relate) => [relate("a", "a", { target: { addStates: ["x", "y"] } })],
        }),
      "relation.invalid",
    ],
  ])("names %s", (_what, define, code) => {
    expect(define).toThrow(expect.objectContaining({ code }));
  });

  test("says everything that is wrong at once", () => {
    const define = () =>
      defineFlow({
        metas: { a: meta("B:a:1", { onlyOne: true }), b: meta("B:b:1") },
        relations: (relate) => [relate("b", "b", { delayMs: -1 })],
      });
    expect(define).toThrow(/onlyOne is for metas of type L.*delayMs is -1/);
  });
});

describe("several flows", () => {
  const base = defineFlow({ metas: { order: meta("B:order:1") }, executors: { log: () => ({ type: "none" }) } });
  const more = defineFlow({
    metas: { ...base.specs, bill: meta("B:bill:1") },
    executors: { send: () => ({ type: "none" }) },
    relations: (relate) => [relate("order", "bill", { executor: "send" })],
  });

  test("are one, with what they share once", () => {
    const joined = joinFlows(base, more, more);
    expect(joined.metas.map((one) => one.meta)).toEqual(["B:order:1", "B:bill:1"]);
    expect(joined.relations).toHaveLength(1);
    expect(joined.executors).toEqual({ ...base.executors, ...more.executors });
  });

  test("are refused where they use one name for different things", () => {
    const clash = (flow: JoinedFlows, code: string) =>
      expect(() => joinFlows(more, flow)).toThrow(expect.objectContaining({ code }));
    clash(defineFlow({ metas: { order: meta("B:order:1", { states: "a" }) } }), "meta.exists");
    clash(defineFlow({ metas: { order: meta("B:order:1") }, executors: { send: () => ({ type: "none" }) } }), "config.invalid");
    clash(defineFlow({ metas: more.specs, relations: (relate) => [relate("order", "bill", { delayMs: 5 })] }), "relation.exists");
  });
});
