import { defineFlow, meta } from "@metanode/nature";
import { autoSign, goExpress, orderReceivable, payCount, stockOutApplication } from "./shop-executors.ts";

/**
 * The main flow of the mall: an order gets an account and a state; payments fill the account; a paid order is packed, sent and signed.
 * @param warehouseUrl – where the warehouse takes paid orders; see warehouse.ts
 * @param now – the moment that a signature carries, in milliseconds since the Unix epoch
 */
export function shopFlow(warehouseUrl: string, now: () => number) {
  return defineFlow({
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
      order_receivable: orderReceivable,
      pay_count: payCount,
      stock_out_application: stockOutApplication,
      send_to_warehouse: { protocol: "http", url: warehouseUrl },
      go_express: goExpress,
      auto_sign: autoSign(now),
    },
    relations: (relate) => [
      // Without an executor the engine makes the next version by itself; it has the order's id, because the order is its master.
      relate("order", "orderState", { target: { addStates: ["new"] } }),
      relate("order", "orderAccount", { executor: "order_receivable", target: { addStates: ["unpaid"] } }),
      // A payment says in its context which account it is for: `target.id`.
      relate("payment", "orderAccount", { executor: "pay_count" }),
      relate("orderAccount", "orderState", { selector: { states: { all: ["paid"] } }, target: { addStates: ["paid"] } }),
      relate("orderState", "outApplication", {
        selector: { states: { all: ["paid"] } },
        executor: "stock_out_application",
      }),
      relate("orderState", "orderState", {
        selector: { states: { all: ["paid"] } },
        executor: "send_to_warehouse",
        target: { addStates: ["package"] },
      }),
      // The waybill has an identity of its own; the bridge tells the next step for which order it is.
      relate("orderState", "waybill", {
        selector: { states: { all: ["outbound"] } },
        executor: "go_express",
        idBridge: true,
      }),
      relate("waybill", "orderState", { target: { addStates: ["dispatching"] } }),
      relate("orderState", "orderSign", {
        selector: { states: { all: ["dispatching"] } },
        executor: "auto_sign",
        delayMs: 1_000,
        idBridge: true,
      }),
      relate("orderSign", "orderState", { target: { addStates: ["signed"] } }),
    ],
  });
}
