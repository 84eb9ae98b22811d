import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { MetaNode, TypedClient } from "../../src/node/node.ts";
import { defineProcessor, type PayloadsOf } from "../../src/processor/author.ts";

const pricing = defineProcessor({
  name: "pricing",
  types: {
    "order.price": {
      input: z.object({ sku: z.string(), amount: z.number() }),
      output: z.object({ cents: z.number() }),
      handle: ({ sku, amount }) => ({ cents: sku.length * amount }),
    },
    "order.count": {
      async *handle({ n }: { n: number }) {
        for (let i = 1; i <= n; i++) yield i;
      },
    },
  },
});

type Client = TypedClient<PayloadsOf<typeof pricing>["input"], PayloadsOf<typeof pricing>["output"]>;

/** Never called: what it says is checked by the compiler. */
async function typesOf(node: MetaNode): Promise<void> {
  const client: Client = node.client<typeof pricing>();
  const price: { cents: number } = await client.call("order.price", { sku: "tea", amount: 2 });
  for await (const item of client.stream("order.count", { n: 3 })) item satisfies number;
  // @ts-expect-error no such type
  await client.call("order.prise", { sku: "tea", amount: 2 });
  // @ts-expect-error amount is a number
  await client.call("order.price", { sku: "tea", amount: "2" });
  // @ts-expect-error sku is missing
  await client.call("order.price", { amount: 2 });
  // @ts-expect-error the answer has no euros
  price.euros;
  // @ts-expect-error the answer's cents are a number
  price.cents satisfies string;
  // @ts-expect-error casts are checked as well
  client.cast("order.price", { sku: 1, amount: 2 });
  // @ts-expect-error durable sends are checked as well
  await client.send("order.count", { n: "three" });
}

describe("M-12 users define their own types", () => {
  test("whose client knows their payloads, as the compiler finds in typesOf", () => {
    expect(typesOf).toBeTypeOf("function");
  });

  test("the definition carries each type with its version, and the client's types are inferred from it", () => {
    expect([...pricing.types.keys()]).toEqual(["order.price@1", "order.count@1"]);
    expect(pricing.types.get("order.count@1")?.streaming).toBe(true);
    expect(typesOf).toBeTypeOf("function");
  });
});
