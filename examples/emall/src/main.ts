/**
 * Runs the mall on the embedded database and tells the story of one order: every instance that is stored, with its states and what it was made
 * from. Nothing is printed that did not come from the disk.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Instance, openSqliteStore } from "@metanode/nature";
import { ORDER, orderInput, outboundInput, paymentInput } from "./orders.ts";
import { shopFlow } from "./shop.ts";
import { Story } from "./story.ts";
import { openWarehouse } from "./warehouse.ts";
import { openWorkflows } from "./workflows.ts";

/** The longest wait for one step of the story, in milliseconds. */
const LIMIT_MS = 20_000;
const STATE = "B:sale/orderState:1";

const story = new Story((line) => process.stdout.write(`${line}\n`));
const warn = (what: unknown): void => void process.stderr.write(`${what instanceof Error ? what.message : String(what)}\n`);

async function main(): Promise<void> {
  // A folder for this run, so that the order is new every time.
  const folder = await mkdtemp(join(tmpdir(), "emall-"));
  try {
    await using store = await openSqliteStore({ folder });
    await using warehouse = await openWarehouse({ onError: warn });
    const reached = new Milestones();
    await using mall = await openWorkflows(
      store,
      shopFlow(warehouse.url, () => Date.now()),
      {
        onStored: (instance) => {
          story.tell(instance);
          reached.add(instance);
        },
        onReport: ({ text }) => warn(text),
      },
    );

    story.say("A customer orders a phone and two batteries. The order is sent twice, as clients do that are not sure.");
    const { instance: order } = await mall.nature.input(orderInput(ORDER));
    await mall.nature.input(orderInput(ORDER));
    await reached.line("B:finance/orderAccount:1", 1);

    story.say("Three payments come at the same moment, and one of them once more.");
    const payments = [paymentInput(order.id, "a", 100), paymentInput(order.id, "b", 200), paymentInput(order.id, "c", 700)];
    await Promise.all([...payments, ...payments.slice(1, 2)].map((payment) => mall.nature.input(payment)));
    await reached.line(STATE, 2);

    story.say(
      "The account is balanced: stock and warehouse are told. The warehouse answers that it will be a while, and calls back.",
    );
    await reached.line(STATE, 3);

    story.say("The parcel leaves the house. That is said from outside, as version 4 of the order's state.");
    await mall.nature.input(outboundInput(order.id));
    await reached.line(STATE, 5);

    story.say("Nobody signs for it, so a second later the mall does.");
    await reached.line(STATE, 6);
    story.say(`${reached.count} instances are stored, none of them was ever changed.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Which versions are stored by now, and who waits for one. */
class Milestones {
  count = 0;
  readonly #reached = new Map<string, PromiseWithResolvers<void>>();

  add({ meta, version }: Pick<Instance, "meta" | "version">): void {
    this.count++;
    this.#of(`${meta} v${version}`).resolve();
  }

  /** Resolves when a version of a meta is stored. There is one order here, so that is enough to know it by. */
  async line(meta: string, version: number): Promise<void> {
    const name = `${meta} v${version}`;
    const { promise, reject } = this.#of(name);
    const timer = setTimeout(() => reject(new Error(`${name} was not stored within ${LIMIT_MS} ms`)), LIMIT_MS);
    await promise;
    clearTimeout(timer);
  }

  #of(name: string): PromiseWithResolvers<void> {
    const known = this.#reached.get(name) ?? Promise.withResolvers<void>();
    this.#reached.set(name, known);
    return known;
  }
}

await main();
