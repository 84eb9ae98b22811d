import { type Converter, type ConvertRequest, type ConvertResult, jsonConverter, refuse, tryLater } from "@metanode/nature";

/** An order, as customers place it. */
export interface Order {
  readonly user_id: number;
  readonly price: number;
  readonly items: readonly {
    readonly item: { readonly id: number; readonly name: string; readonly price: number };
    readonly num: number;
  }[];
  readonly address: string;
}

/** What is to be paid for an order, and what was. */
export interface Account {
  readonly receivable: number;
  readonly total_paid: number;
  readonly last_paid: number;
  readonly reason: "NewOrder" | "Pay";
  /** Paid minus receivable. */
  readonly diff: number;
}

/** One payment. */
export interface Payment {
  readonly order: string;
  readonly from_account: string;
  readonly paid: number;
  /** Milliseconds since the Unix epoch. Two payments that say the same are one. */
  readonly pay_time: number;
}

/** Opens the account of an order. */
export const orderReceivable = jsonConverter<Order, Account>(({ content: { price } }) => {
  if (!Number.isFinite(price)) throw refuse("the order has no price");
  return { value: { receivable: price, total_paid: 0, last_paid: 0, reason: "NewOrder", diff: -price } };
});

/** Adds a payment to the account. What is paid too much is left to people: the account stays `partial`. */
export const payCount = jsonConverter<Payment, Account>(({ content: { paid }, last }) => {
  if (last === undefined) throw tryLater("the account is not there yet");
  if (!(paid > 0)) throw refuse(`a payment of ${paid} pays nothing`);
  const { receivable, total_paid } = last;
  const diff = total_paid + paid - receivable;
  return {
    value: { receivable, total_paid: Math.min(total_paid + paid, receivable), last_paid: paid, reason: "Pay", diff },
    states: [diff === 0 ? "paid" : "partial"],
  };
});

/** Tells the stock what goes out. Only the fact is kept: the target is of type N. */
export function stockOutApplication({ master }: ConvertRequest): ConvertResult {
  if (master === undefined) throw refuse("there is no order to take out of the stock");
  return { type: "none" };
}

/** Makes a waybill, which is named by its number at the carrier. */
export function goExpress({ from }: ConvertRequest): ConvertResult {
  return { type: "instances", instances: [{ para: `/ems/${from.id}` }] };
}

/** Signs for a customer who did not. */
export function autoSign(now: () => number): Converter {
  return () => ({ type: "instances", instances: [{ content: `type=auto,time=${now()}` }] });
}
