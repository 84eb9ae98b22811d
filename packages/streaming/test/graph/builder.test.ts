import { describe, expect, expectTypeOf, test } from "vitest";
import { createGraphBuilder, type Flow, type Nothing, parallel } from "../../src/index.ts";
import { issuesOf, thrownBy } from "./thrown.ts";

interface Order {
  readonly id: string;
}
interface PaidOrder extends Order {
  readonly paidAt: number;
}

describe("the types of a builder", () => {
  const { source, stage, sink } = ((): ReturnType<typeof createGraphBuilder> => {
    const builder = createGraphBuilder();
    return {
      source: builder.source.bind(builder),
      stage: builder.stage.bind(builder),
      sink: builder.sink.bind(builder),
      node: builder.node.bind(builder),
      build: builder.build.bind(builder),
    };
  })();

  test("flow from stage to stage", () => {
    const orders = source<Order>("orders");
    const pay = stage<Order, PaidOrder>("pay");
    const store = sink<Order>("store");
    expectTypeOf(orders.to(pay)).toEqualTypeOf<Flow<never, PaidOrder>>();
    expectTypeOf(pay.to(store)).toEqualTypeOf<Flow<Order, Nothing>>();
    // What is paid is an order too.
    expectTypeOf(orders.to(pay).to(store)).toEqualTypeOf<Flow<never, Nothing>>();
  });

  test("of parts side by side are what all of them take, and what any of them gives", () => {
    const byId = stage<{ readonly id: string }, number>("byId");
    const byTime = stage<{ readonly paidAt: number }, string>("byTime");
    expectTypeOf(parallel(byId, byTime)).toEqualTypeOf<
      Flow<{ readonly id: string } & { readonly paidAt: number }, number | string>
    >();
    source<PaidOrder>("paid").to(parallel(byId, byTime)).to(sink<number | string>("all"));
  });

  test("refuse records of another type, what follows a sink, what leads to a source, and a part that cannot take all", () => {
    const numbers = source<number>("numbers");
    const texts = source<string>("texts");
    const half = stage<number, number>("half");
    const printed = sink<string>("printed");
    const anything = sink<unknown>("anything");
    // @ts-expect-error texts are no numbers
    texts.to(half);
    // @ts-expect-error numbers are no texts
    numbers.to(half).to(printed);
    // @ts-expect-error nothing follows a sink
    printed.to(half);
    // @ts-expect-error nothing follows a sink, not even what takes anything
    printed.to(anything);
    // @ts-expect-error a source takes nothing
    numbers.to(texts);
    // @ts-expect-error one of the two takes no numbers
    numbers.to(parallel(half, printed));
    // @ts-expect-error one of the two gives no numbers
    parallel(numbers, texts).to(half);
    // @ts-expect-error one of the two gives nothing
    parallel(half, printed).to(anything);
    // @ts-expect-error a setting that there is not
    stage<number, number>("other", { arguments: [] });
    numbers.to(half).to(anything);
  });
});

describe("a builder", () => {
  test("makes what no expression can say: an N shape and an edge that passes over a stage", () => {
    const builder = createGraphBuilder("shapes");
    const [a, b] = [builder.source<number>("a"), builder.source<number>("b")];
    const [c, d] = [builder.stage<number, number>("c"), builder.sink<number>("d")];
    a.to(c).to(d);
    b.to(parallel(c, d));
    expect(builder.build()).toEqual({
      graph: {
        version: 1,
        name: "shapes",
        nodes: [{ name: "a" }, { name: "b" }, { name: "c" }, { name: "d" }],
        edges: [
          ["a", "c"],
          ["b", "c"],
          ["b", "d"],
          ["c", "d"],
        ],
      },
      warnings: [],
    });
  });

  test("refuses stages that get nothing or give to nobody", () => {
    const builder = createGraphBuilder();
    builder.source("a");
    builder.stage("b");
    builder.sink("c");
    expect(issuesOf(() => builder.build())).toEqual([
      "unconnected-node a",
      "unconnected-node b",
      "unconnected-node b",
      "unconnected-node c",
    ]);
  });

  test("refuses a cycle, two edges for one, and names and settings that are wrong", () => {
    const builder = createGraphBuilder();
    const a = builder.source<number>("a");
    const b = builder.stage<number, number>("b");
    a.to(b);
    a.to(b).to(b);
    a.to(builder.sink<number>("9", { args: [""] }));
    expect(issuesOf(() => builder.build()).map((issue) => issue.split(" ")[0])).toEqual([
      "bad-name",
      "bad-value",
      "bad-name",
      "duplicate-edge",
      "cycle",
    ]);
  });

  test("refuses a name twice and parts of another graph", () => {
    const [one, other] = [createGraphBuilder(), createGraphBuilder()];
    const a = one.source<number>("a");
    expect(thrownBy(() => one.sink("a")).code).toBe("stream.graph");
    expect(thrownBy(() => a.to(other.sink<number>("b"))).message).toContain("b belongs to another graph");
    expect(thrownBy(() => parallel(a, other.source("c"))).code).toBe("stream.graph");
    expect(thrownBy(() => a.to({} as Flow<number, number>)).message).toContain("this is no part of a graph");
  });
});
