import { describe, expect, test } from "vitest";
import { keyOf } from "../../src/instance/instance.ts";
import { createTestNature } from "../../src/testing/index.ts";
import type { TestNature } from "../../src/testing/test-nature.ts";
import { emall, emallExecutors, ORDER, payment } from "../fixtures/emall.ts";

function openMall(): TestNature & { waiting: number[] } {
  const waiting: number[] = [];
  const nature: TestNature = createTestNature({
    ...emall,
    executors: emallExecutors(
      () => nature.clock.now(),
      (taskId) => waiting.push(taskId),
    ),
  });
  return Object.assign(nature, { waiting });
}

const ACCOUNT = "B:finance/orderAccount:1";
const STATE = "B:sale/orderState:1";

describe("the e-mall (§11.1)", () => {
  test("carries an order from its coming to its signature", async () => {
    await using mall = openMall();
    const { instance: order, isNew } = await mall.input({ meta: "B:sale/order:1", content: ORDER });
    expect([order.id, isNew]).toEqual(["6548010827999420547", true]);
    expect((await mall.input({ meta: "B:sale/order:1", content: ORDER })).instance.id).toBe(order.id);
    await mall.settle();
    const fromOrder = { meta: "B:sale/order:1", id: order.id, para: "", version: 0 };
    expect(mall.instances(STATE)).toMatchObject([{ id: order.id, version: 1, states: ["new"], content: "", from: fromOrder }]);
    expect(mall.instances(ACCOUNT)).toMatchObject([
      {
        id: order.id,
        version: 1,
        states: ["unpaid"],
        content: '{"receivable":1000,"total_paid":0,"last_paid":0,"reason":"NewOrder","diff":-1000}',
        from: fromOrder,
      },
    ]);

    const payments = [payment(order.id, "a", 100), payment(order.id, "b", 200), payment(order.id, "c", 700)];
    for (const one of payments) {
      await mall.input(one);
      await mall.settle();
    }
    const again = await mall.input(payments[1] as (typeof payments)[0]);
    expect(again.isNew).toBe(false);
    await mall.settle();
    expect(
      mall.instances(ACCOUNT).map(({ version, states, content }) => [version, states[0], JSON.parse(content).total_paid]),
    ).toEqual([
      [1, "unpaid", 0],
      [2, "partial", 100],
      [3, "partial", 300],
      [4, "paid", 1000],
    ]);
    expect(mall.instances("B:finance/payment:1")).toHaveLength(3);
    expect(mall.instances("N::1")).toHaveLength(1);
    expect(mall.instances(STATE).map(({ states }) => states[0])).toEqual(["new", "paid"]);

    expect(mall.waiting).toHaveLength(1);
    const [paid] = mall.instances(STATE).slice(1);
    await mall.callback(mall.waiting[0] as number, { type: "instances", instances: [paid as never] });
    await mall.settle();
    expect(mall.instances(STATE)[2]).toMatchObject({ version: 3, states: ["package"], from: { meta: STATE, version: 2 } });

    const outbound = { meta: STATE, id: order.id, states: ["outbound"] };
    await expect(mall.input({ ...outbound, version: 5 })).rejects.toMatchObject({ code: "instance.version_gap" });
    await expect(mall.input({ ...outbound, version: 2 })).rejects.toMatchObject({ code: "instance.conflict" });
    await mall.input({ ...outbound, version: 4 });
    await mall.settle();
    expect(mall.instances("B:third/waybill:1").map(keyOf)).toEqual([`B:third/waybill:1|0|/ems/${order.id}|0`]);
    expect(mall.instances("B:third/waybill:1")[0]?.sysContext).toEqual({ "target.id": order.id });
    expect(mall.instances(STATE).map(({ states }) => states[0])).toEqual(["new", "paid", "package", "outbound", "dispatching"]);
    expect(mall.instances("B:sale/orderSign:1")).toEqual([]);

    await mall.advance(1_000);
    expect(mall.instances("B:sale/orderSign:1")).toMatchObject([
      { content: `type=auto,time=${mall.clock.now()}`, sysContext: { "target.id": order.id } },
    ]);
    expect(mall.instances(STATE)[5]).toMatchObject({ version: 6, states: ["signed"], id: order.id });
    expect(mall.failed()).toEqual([]);
    expect(mall.disk.tasks.size).toBe(0);
  });

  test("payments of the same moment become versions 2, 3 and 4, once each, 1000 in all, in 100 runs of 100", async () => {
    for (let run = 0; run < 100; run++) {
      await using mall = openMall();
      const { instance: order } = await mall.input({ meta: "B:sale/order:1", content: ORDER });
      await mall.settle();
      const payments = [payment(order.id, "a", 100), payment(order.id, "b", 200), payment(order.id, "c", 700)];
      await Promise.all(payments.map((one) => mall.input(one)));
      await mall.settle();
      const versions = mall.instances(ACCOUNT);
      expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
      expect(versions.at(-1)).toMatchObject({ states: ["paid"] });
      expect(JSON.parse(versions.at(-1)?.content ?? "").total_paid).toBe(1_000);
      expect(new Set(versions.map(({ from }) => from?.id)).size).toBe(4);
    }
  });
});
