import { type Instance, keyOf } from "@metanode/nature";
import { describe, expect, test } from "vitest";
import { ORDER, orderInput, outboundInput, paymentInput } from "../src/orders.ts";
import { shopFlow } from "../src/shop.ts";
import { openWarehouse } from "../src/warehouse.ts";
import { type DatabaseKind, databases, postgres } from "./databases.ts";
import { openTestMall, type TestMall } from "./test-mall.ts";

/* The acceptance tests of the e-mall. @source spec of the workflow model, §11.1 */

const STATE = "B:sale/orderState:1";
const ACCOUNT = "B:finance/orderAccount:1";
const PAYMENT = "B:finance/payment:1";
const ORDER_ID = "6548010827999420547";
/** The number that the order of the demo has in Nature, too. */
const FROM_ORDER = `B:sale/order:1|${ORDER_ID}||0`;

interface OpenShop extends TestMall {
  /** Orders that the warehouse was sent. */
  readonly sent: () => number;
}

async function openShop(kind: DatabaseKind): Promise<OpenShop> {
  const warehouse = await openWarehouse({ packMs: 0 });
  const mall = await openTestMall(kind, (clock) => shopFlow(warehouse.url, () => clock.now()));
  return {
    ...mall,
    sent: warehouse.received,
    async [Symbol.asyncDispose]() {
      await mall[Symbol.asyncDispose]();
      await warehouse[Symbol.asyncDispose]();
    },
  };
}

/** A row as the tables of the specification write it: key, states, content, and what it was made from. */
function row({ states, content, from, ...key }: Instance): readonly unknown[] {
  return [keyOf(key), states, content, from === undefined ? undefined : keyOf(from)];
}

/** The account after each payment. */
const account = (total: number, last: number): string =>
  JSON.stringify({ receivable: 1_000, total_paid: total, last_paid: last, reason: "Pay", diff: total - 1_000 });

const isState = (version: number) => (one: Instance) => one.meta === STATE && one.version === version;

async function payInTurn(mall: TestMall): Promise<Instance[]> {
  const payments: Instance[] = [];
  for (const [from, paid] of [
    ["a", 100],
    ["b", 200],
    ["c", 700],
  ] as const) {
    payments.push(await mall.input(paymentInput(ORDER_ID, from, paid)));
    await mall.settle();
  }
  return payments;
}

describe.each(databases)("the e-mall on $title", (kind) => {
  const skip = kind.skip !== undefined;

  test.skipIf(skip)("carries an order from its coming to its signature, every row as the model says", async () => {
    await using mall = await openShop(kind);

    // The order, sent twice.
    expect(await mall.engine.input(orderInput(ORDER))).toMatchObject({ instance: { id: ORDER_ID }, isNew: true });
    expect(await mall.engine.input(orderInput(ORDER))).toMatchObject({ instance: { id: ORDER_ID }, isNew: false });
    await mall.settle();
    const newAccount = '{"receivable":1000,"total_paid":0,"last_paid":0,"reason":"NewOrder","diff":-1000}';
    const afterOrder = [
      [`${ACCOUNT}|${ORDER_ID}||1`, ["unpaid"], newAccount, FROM_ORDER],
      [FROM_ORDER, [], JSON.stringify(ORDER), undefined],
      [`${STATE}|${ORDER_ID}||1`, ["new"], "", FROM_ORDER],
    ];
    expect((await mall.rows()).map(row)).toEqual(afterOrder);

    // Three payments, and one of them again.
    const payments = await payInTurn(mall);
    const [a, b, c] = payments.map(keyOf);
    const again = await mall.engine.input(paymentInput(ORDER_ID, "b", 200));
    expect([keyOf(again.instance), again.isNew]).toEqual([b, false]);
    await mall.settle();
    expect((await mall.rows(PAYMENT)).map(keyOf).sort()).toEqual([a, b, c].sort());
    expect((await mall.rows(PAYMENT)).every(({ from }) => from === undefined)).toBe(true);
    expect((await mall.rows(ACCOUNT)).slice(1).map(row)).toEqual([
      [`${ACCOUNT}|${ORDER_ID}||2`, ["partial"], account(100, 100), a],
      [`${ACCOUNT}|${ORDER_ID}||3`, ["partial"], account(300, 200), b],
      [`${ACCOUNT}|${ORDER_ID}||4`, ["paid"], account(1_000, 700), c],
    ]);

    // The stock and the warehouse, by themselves.
    await mall.stored(isState(3));
    await mall.settle();
    const outApplications = await mall.rows("N::1");
    expect(outApplications.map(({ content, from }) => [content, from && keyOf(from)])).toEqual([["", `${STATE}|${ORDER_ID}||2`]]);
    expect((await mall.rows(STATE)).slice(1).map(row)).toEqual([
      [`${STATE}|${ORDER_ID}||2`, ["paid"], "", `${ACCOUNT}|${ORDER_ID}||4`],
      [`${STATE}|${ORDER_ID}||3`, ["package"], "", `${STATE}|${ORDER_ID}||2`],
    ]);
    expect(mall.sent()).toBe(1);

    // The parcel leaves.
    await mall.input(outboundInput(ORDER_ID));
    await mall.settle();
    const waybill = `B:third/waybill:1|0|/ems/${ORDER_ID}|0`;
    expect((await mall.rows("B:third/waybill:1")).map((one) => [...row(one), one.sysContext])).toEqual([
      [waybill, [], "", `${STATE}|${ORDER_ID}||4`, { "target.id": ORDER_ID }],
    ]);
    expect((await mall.rows(STATE)).slice(3).map(row)).toEqual([
      [`${STATE}|${ORDER_ID}||4`, ["outbound"], "", undefined],
      [`${STATE}|${ORDER_ID}||5`, ["dispatching"], "", waybill],
    ]);

    // A second later it is signed for, and not before.
    await mall.advance(999);
    expect(await mall.rows("B:sale/orderSign:1")).toEqual([]);
    await mall.advance(1);
    const signs = await mall.rows("B:sale/orderSign:1");
    expect(signs).toMatchObject([
      {
        para: "",
        version: 0,
        content: `type=auto,time=${mall.clock.now()}`,
        sysContext: { "target.id": ORDER_ID },
        from: { meta: STATE, id: ORDER_ID, para: "", version: 5 },
      },
    ]);
    expect((await mall.rows(STATE)).slice(5).map(row)).toEqual([
      [`${STATE}|${ORDER_ID}||6`, ["signed"], "", keyOf(signs[0] as Instance)],
    ]);

    // That is all: nothing was done twice, nothing failed, nothing is left.
    await mall.advance(86_400_000);
    expect(await mall.rows()).toHaveLength(17);
    expect(mall.sent()).toBe(1);
    expect(mall.reports).toEqual([]);
    expect(await mall.engine.backlog()).toMatchObject({ owned: 0, due: 0, delayed: 0, failed: 0 });
  });

  test.skipIf(skip)("refuses what does not follow from what is stored, and stores nothing of it", async () => {
    await using mall = await openShop(kind);
    await mall.input(orderInput(ORDER));
    await mall.settle();
    await payInTurn(mall);
    await mall.stored(isState(3));
    await mall.settle();
    const before = await mall.rows();
    const outbound = outboundInput(ORDER_ID);
    const { id: _id, ...withoutId } = outbound;
    const refused = async (input: Parameters<TestMall["input"]>[0], code: string): Promise<void> => {
      await expect(mall.input(input), JSON.stringify(input)).rejects.toMatchObject({ code });
    };
    // A gap: version 3 is stored, 4 is not.
    await refused({ ...outbound, version: 5 }, "instance.version_gap");
    // Without its id it would belong to another order, of which nothing is stored.
    await refused(withoutId, "instance.version_gap");
    // Versions that are stored, with other data.
    for (const version of [1, 2, 3]) await refused({ ...outbound, version }, "instance.conflict");
    await refused({ ...outbound, version: -1 }, "instance.invalid");
    await refused({ ...outbound, states: ["shipped"] }, "instance.state");
    await refused({ ...outbound, states: ["outbound", "signed"] }, "instance.state");
    await refused({ ...orderInput(ORDER), version: 1 }, "instance.invalid");
    await refused({ ...orderInput(ORDER), states: ["new"] }, "instance.state");
    await refused({ ...outbound, id: "eight" }, "instance.invalid");
    await refused({ ...outbound, meta: "B:sale/orderStates:1" }, "meta.unknown");
    await refused({ ...outbound, meta: "sale/orderState" }, "meta.syntax");
    await mall.settle();
    expect(await mall.rows()).toEqual(before);

    // What is there already, said again, is the same.
    expect(await mall.engine.input({ ...outbound, version: 3, states: ["package"] })).toMatchObject({ isNew: false });
    expect(await mall.rows()).toEqual(before);
  });

  test.skipIf(skip)("gives up what can never be right, and leaves the account as it was", async () => {
    await using mall = await openShop(kind);
    await mall.input({ meta: "B:sale/order:1", content: "a phone, please" });
    await mall.input(orderInput(ORDER));
    await mall.settle();
    await mall.input(paymentInput(ORDER_ID, "a", 0));
    await mall.settle();
    expect(await mall.rows(ACCOUNT)).toHaveLength(1);
    const failed = await mall.engine.failedTasks({ limit: 10 });
    expect(failed.map(({ to, code, upstream }) => [to, code, upstream.meta])).toEqual([
      [ACCOUNT, "executor.logic", "B:sale/order:1"],
      [ACCOUNT, "executor.logic", PAYMENT],
    ]);
  });

  test.skipIf(skip)("keeps a payment that comes before its order, and adds it once the account is there", async () => {
    await using mall = await openShop(kind);
    await mall.input(paymentInput(ORDER_ID, "a", 100));
    await mall.settle();
    expect(await mall.rows(ACCOUNT)).toEqual([]);
    await mall.input(orderInput(ORDER));
    await mall.advance(10_000);
    expect((await mall.rows(ACCOUNT)).map(({ version, states }) => [version, ...states])).toEqual([
      [1, "unpaid"],
      [2, "partial"],
    ]);
  });

  test.skipIf(skip)(
    "makes versions 2, 3 and 4, once each, of payments of the same moment, 1000 in all, in 100 runs of 100",
    async () => {
      await using mall = await openShop(kind);
      for (let run = 0; run < 100; run++) {
        const { id } = await mall.input(orderInput({ ...ORDER, address: `a.b.${run}` }));
        await mall.stored((one) => one.meta === ACCOUNT && one.id === id);
        await Promise.all(paymentsOf(id).map((one) => mall.input(one)));
        await mall.stored((one) => one.meta === STATE && one.id === id && one.states[0] === "package");
        await checkAccount(mall, id);
      }
      expect(mall.sent()).toBe(100);
      expect(mall.reports).toEqual([]);
    },
    60_000,
  );
});

describe("two engines on one database", () => {
  test.skipIf(postgres.skip !== undefined)(
    "share the payments of the same moment without losing or doubling any, in 20 runs of 20",
    async () => {
      await using mall = await openShop(postgres);
      const other = await mall.another();
      const engines = [mall.engine, other.nature.engine, mall.engine];
      for (let run = 0; run < 20; run++) {
        const { id } = await mall.input(orderInput({ ...ORDER, address: `a.b.${run}` }));
        await mall.stored((one) => one.meta === ACCOUNT && one.id === id);
        await Promise.all(paymentsOf(id).map((one, at) => engines[at]?.input(one)));
        await mall.stored((one) => one.meta === STATE && one.id === id && one.states[0] === "package");
        await checkAccount(mall, id);
      }
      expect(mall.sent()).toBe(20);
      expect(await mall.engine.backlog()).toMatchObject({ failed: 0 });
    },
    60_000,
  );
});

function paymentsOf(orderId: string) {
  return [paymentInput(orderId, "a", 100), paymentInput(orderId, "b", 200), paymentInput(orderId, "c", 700)];
}

/** Four versions, one of each payment, and the sum of them all. */
async function checkAccount(mall: TestMall, id: string): Promise<void> {
  const versions = (await mall.rows(ACCOUNT)).filter((one) => one.id === id);
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  expect(versions.at(-1)).toMatchObject({ states: ["paid"] });
  const contents = versions.map(({ content }) => JSON.parse(content));
  expect(contents.at(-1)).toMatchObject({ total_paid: 1_000, diff: 0 });
  expect(contents.map(({ last_paid }) => last_paid).sort((x, y) => x - y)).toEqual([0, 100, 200, 700]);
  expect(new Set(versions.map(({ from }) => from && keyOf(from))).size).toBe(4);
  const states = (await mall.rows(STATE)).filter((one) => one.id === id);
  expect(states.map((one) => one.states[0])).toEqual(["new", "paid", "package"]);
}
