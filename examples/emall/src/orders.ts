import type { InstanceInput } from "@metanode/nature";
import type { Order, Payment } from "./shop-executors.ts";

const phone = { id: 1, name: "phone", price: 800 };
const battery = { id: 2, name: "battery", price: 100 };

/** A phone and two batteries, to be sent to an address. */
export const ORDER: Order = {
  user_id: 123,
  price: 1_000,
  items: [
    { item: phone, num: 1 },
    { item: battery, num: 2 },
  ],
  address: "a.b.c",
};

/** An order as it is put in. */
export function orderInput(order: Order): InstanceInput {
  return { meta: "B:sale/order:1", content: JSON.stringify(order) };
}

/** A payment for the order with an id, as it is put in. */
export function paymentInput(orderId: string, from: string, paid: number): InstanceInput {
  const payment: Payment = { order: orderId, from_account: from, paid, pay_time: 1_596_207_966_000 };
  return { meta: "B:finance/payment:1", content: JSON.stringify(payment), sysContext: { "target.id": orderId } };
}

/** What the parcel service of the warehouse says of an order: version 4 of its state, the one behind `package`. */
export function outboundInput(orderId: string): InstanceInput {
  return { meta: "B:sale/orderState:1", id: orderId, version: 4, states: ["outbound"] };
}
