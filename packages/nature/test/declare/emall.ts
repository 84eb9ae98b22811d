import { defineFlow, meta } from "../../src/declare/index.ts";
import type { ConvertRequest, ConvertResult } from "../../src/executor/executor.ts";

interface Account {
  readonly receivable: number;
  readonly total_paid: number;
  readonly last_paid: number;
  readonly reason: string;
  readonly diff: number;
}

const account = (value: Account, state?: string): ConvertResult => ({
  type: "instances",
  instances: [{ content: JSON.stringify(value), ...(state === undefined ? {} : { states: [state] }) }],
});

/** The shop of the specification: an order, its states, its account, payments, warehouse, delivery. @source spec of the workflow model, §11.1 */
export const emall = defineFlow({
  metas: {
    order: meta("B:sale/order:1"),
    orderState: meta("B:sale/orderState:1", {
      states: "new|paid|package|outbound|dispatching|signed|canceling|canceled",
      master: "order",
    }),
    payment: meta("B:finance/payment:1"),
    orderAccount: meta("B:finance/orderAccount:1", { states: "unpaid|partial|paid", master: "order" }),
    waybill: meta("B:third/waybill:1"),
    orderSign: meta("B:sale/orderSign:1"),
    outApplication: meta("N:warehouse/outApplication:1"),
  },
  executors: {
    orderReceivable: ({ from }) => {
      const { price } = JSON.parse(from.content) as { price: number };
      return account({ receivable: price, total_paid: 0, last_paid: 0, reason: "NewOrder", diff: -price });
    },
    payCount,
    stockOutApplication: ({ master }) => (master === undefined ? { type: "logic", message: "no order" } : { type: "none" }),
    sendToWarehouse: { protocol: "http", url: "http://127.0.0.1:8082/send_to_warehouse" },
    goExpress: ({ from }) => ({ type: "instances", instances: [{ para: `/ems/${from.id}` }] }),
    autoSign: async ({ deadlineMs }) => ({ type: "instances", instances: [{ content: `type=auto,time=${deadlineMs}` }] }),
  },
  relations: (relate) => [
    relate("order", "orderState", { target: { addStates: ["new"] } }),
    relate("order", "orderAccount", { executor: "orderReceivable", target: { addStates: ["unpaid"] } }),
    relate("payment", "orderAccount", { executor: "payCount" }),
    relate("orderAccount", "orderState", { selector: { states: { all: ["paid"] } }, target: { addStates: ["paid"] } }),
    relate("orderState", "outApplication", { selector: { states: { all: ["paid"] } }, executor: "stockOutApplication" }),
    relate("orderState", "orderState", {
      selector: { states: { all: ["paid"] } },
      executor: "sendToWarehouse",
      target: { addStates: ["package"] },
    }),
    relate("orderState", "waybill", { selector: { states: { all: ["outbound"] } }, idBridge: true, executor: "goExpress" }),
    relate("waybill", "orderState", { target: { addStates: ["dispatching"] } }),
    relate("orderState", "orderSign", {
      selector: { states: { all: ["dispatching"] } },
      delayMs: 1_000,
      idBridge: true,
      executor: "autoSign",
    }),
    relate("orderSign", "orderState", { target: { addStates: ["signed"] } }),
  ],
});

function payCount({ from, last }: ConvertRequest): ConvertResult {
  if (last === undefined) return { type: "environment", message: "no account yet" };
  const { paid } = JSON.parse(from.content) as { paid: number };
  const before = JSON.parse(last.content) as Account;
  const total = before.total_paid + paid;
  const diff = total - before.receivable;
  return account(
    { ...before, total_paid: Math.min(total, before.receivable), last_paid: paid, reason: "Pay", diff },
    diff === 0 ? "paid" : "partial",
  );
}
