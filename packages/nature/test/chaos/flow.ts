import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type ConvertRequest, type ConvertResult, defineFlow, meta } from "../../src/index.ts";

/** Lines of versions that orders go to: few, so that engines meet on them. */
export const ACCOUNTS = 7;

/** What an order puts into its account. */
export function amountOf(order: number): number {
  return 1 + (order % 97);
}

/** The account of an order; its id. */
export function accountOf(order: number): string {
  return String(1 + (order % ACCOUNTS));
}

/** What an account holds, as its content. */
export interface Account {
  readonly total: number;
  readonly orders: number;
}

/**
 * An order goes through three steps, of which two take their time, so that they are tasks in the database, and is summed up in an
 * account. Each run of the first step is written down.
 */
export function chaosFlow(ledger: string) {
  return defineFlow({
    metas: {
      order: meta("B:chaos/order:1"),
      packed: meta("B:chaos/packed:1"),
      sent: meta("B:chaos/sent:1"),
      done: meta("B:chaos/done:1"),
      account: meta("B:chaos/account:1", { isState: true }),
    },
    executors: {
      pack: async (request: ConvertRequest) => {
        appendFileSync(ledger, `${request.from.id}\n`);
        return handOn(request);
      },
      send: ({ from }: ConvertRequest): ConvertResult => ({ type: "instances", instances: [{ content: from.content }] }),
      close: handOn,
      sum: ({ from, last }: ConvertRequest): ConvertResult => {
        const before: Account = last === undefined ? { total: 0, orders: 0 } : JSON.parse(last.content);
        const after: Account = { total: before.total + Number(from.content), orders: before.orders + 1 };
        return { type: "instances", instances: [{ content: JSON.stringify(after) }] };
      },
    },
    relations: (relate) => [
      relate("order", "packed", { executor: "pack", useUpstreamId: true }),
      relate("packed", "sent", { executor: "send", useUpstreamId: true }),
      relate("sent", "done", { executor: "close", useUpstreamId: true }),
      relate("order", "account", { executor: "sum" }),
    ],
  });
}

async function handOn({ from }: ConvertRequest): Promise<ConvertResult> {
  await delay(Number(from.id) % 5);
  return { type: "instances", instances: [{ content: from.content }] };
}
