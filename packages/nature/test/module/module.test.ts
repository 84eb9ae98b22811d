import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode, handlerMember, type MetaNode, processors } from "@metanode/core";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { defineFlow, meta } from "../../src/index.ts";
import { type InputAnswer, type NatureModule, type NatureModuleOptions, nature } from "../../src/module/index.ts";
import { eventually, testFolder } from "../fixtures/folder.ts";

const shop = defineFlow({
  metas: {
    order: meta("B:shop/order:1"),
    priced: meta("B:shop/priced:1"),
    routed: meta("B:shop/routed:1"),
    state: meta("B:shop/state:1", { isState: true }),
  },
  executors: {
    price: { protocol: "processor", url: "order.price", settings: { pass: "content" } },
    route: { protocol: "processor", url: "order.route" },
  },
  relations: (relate) => [relate("order", "priced", { executor: "price" }), relate("order", "routed", { executor: "route" })],
});

const options: NatureModuleOptions = {
  flows: [shop],
  inputs: { "order.placed": shop.names.order, "order.moved": shop.names.state },
  outputs: { [shop.names.priced]: { type: "order.told", pass: "content" }, [shop.names.state]: "order.told" },
  engine: { backoffMs: 50, pollMs: 100, maxAttempts: 20 },
};

interface Hosted extends AsyncDisposable {
  readonly node: MetaNode;
  readonly module: NatureModule;
  /** What the processor was told. */
  told(): { data: unknown; id: string; key: string; subject: string }[];
}

/** A node with workflows, and a processor in a process of its own if wanted. */
async function openNode(folder: string, given: { withProcessor?: boolean; options?: NatureModuleOptions } = {}): Promise<Hosted> {
  const ledger = join(folder, "ledger");
  const module = nature(given.options ?? options);
  const file = fileURLToPath(new URL("../fixtures/shop-processor.ts", import.meta.url));
  const hosted = given.withProcessor === false ? [] : [processors([{ name: "shop", file, env: { FIXTURE_LEDGER: ledger } }])];
  const node = await createNode({
    name: "test",
    folder: join(folder, "data"),
    modules: [...hosted, module],
    logger: pino({ level: "silent" }),
  });
  const told = () => {
    const text = existsSync(ledger) ? readFileSync(ledger, "utf8") : "";
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  };
  return { node, module, told, [Symbol.asyncDispose]: () => node.drain() };
}

describe("workflows on a node", () => {
  test("take messages as inputs, have processors convert, and tell the node what was stored", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path);
    const { node, module, told } = hosted;
    for (let amount = 1; amount <= 10; amount++) await node.send({ type: "order.placed", data: { amount } });
    await eventually("ten prices to be told", () => told().length >= 10);
    expect(told().map(({ data }) => data)).toEqual(
      expect.arrayContaining(Array.from({ length: 10 }, (_, n) => ({ amount: n + 1, price: 3 * (n + 1) }))),
    );
    await module.nature.engine.idle();
    const { items } = await module.nature.reads.recent("B:shop/routed:1");
    expect(items).toHaveLength(10);
    expect(items[0]?.content).toMatch(/^routed by \d+$/);
    expect(items[0]?.content).not.toBe(`routed by ${process.pid}`);
    expect(told()).toHaveLength(10);
    expect(told()[0]?.subject).toMatch(/^B:shop\/priced:1\|\d+\|$/);
    expect(module.health()).toEqual({ status: "ok", reasons: [] });
  });

  test("answer a call with what was stored, and take each message once, however often it comes", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path);
    const { node, module } = hosted;
    const first = await node.call({ type: "order.placed", data: { amount: 1 }, id: "m-1", source: "/test" });
    const again = await node.call({ type: "order.placed", data: { amount: 1 }, id: "m-1", source: "/test" });
    const other = await node.call({ type: "order.placed", data: { amount: 1 }, id: "m-2", source: "/test" });
    const keyed = await node.call({
      type: "order.placed",
      data: { amount: 1 },
      id: "m-3",
      idempotencykey: "m-2",
      source: "/test",
    });
    expect(first).toEqual({ meta: "B:shop/order:1", id: expect.stringMatching(/^\d+$/), para: "", version: 0, isNew: true });
    expect(again).toEqual({ ...(first as object), isNew: false });
    expect(other).toMatchObject({ isNew: true });
    expect(keyed).toEqual({ ...(other as object), isNew: false });
    const stored = await module.nature.instance(first as never);
    expect(stored).toMatchObject({ content: '{"amount":1}', from: { meta: "S:message:1" } });
    expect(stored?.context.traceparent).toMatch(/^00-/);
  });

  test("make each message for data with states the next version of its subject, once", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path);
    const { node, told } = hosted;
    const move = (id: string, subject: string) => node.call({ type: "order.moved", data: { id }, id, subject, source: "/test" });
    expect(await move("1", "order-7")).toMatchObject({ id: "0", para: "order-7", version: 1, isNew: true });
    expect(await move("2", "order-7")).toMatchObject({ para: "order-7", version: 2, isNew: true });
    expect(await move("1", "order-7")).toMatchObject({ para: "order-7", version: 1, isNew: false });
    expect(await move("3", "order-8")).toMatchObject({ para: "order-8", version: 1, isNew: true });
    await eventually("three moves to be told", () => told().length >= 3);
    expect(
      told()
        .map(({ key }) => key)
        .sort(),
    ).toEqual(["B:shop/state:1|0|order-7|1", "B:shop/state:1|0|order-7|2", "B:shop/state:1|0|order-8|1"]);
    expect(told()[0]?.data).toMatchObject({ meta: "B:shop/state:1", para: "order-7", content: '{"id":"1"}' });
  });

  test("map messages as they are told to, and refuse what does not fit the schema", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path, {
      withProcessor: false,
      options: {
        flows: [shop],
        inputs: {
          "shop.order": {
            meta: "B:shop/order:1",
            map: ({ data }) => ({ id: String((data as { no: number }).no), content: "mapped", context: { vip: "" } }),
            inputSchema: { type: "object", required: ["no"] },
          },
        },
      },
    });
    const { node, module } = hosted;
    expect(await node.call({ type: "shop.order", data: { no: 5 } })).toMatchObject({ id: "5", isNew: true });
    expect(await module.nature.instance({ meta: "B:shop/order:1", id: "5", para: "", version: 0 })).toMatchObject({
      content: "mapped",
      context: { vip: "" },
    });
    await expect(node.call({ type: "shop.order", data: {} })).rejects.toMatchObject({ code: "message.schema" });
  });

  test("know what is mapped as the same again, and keep its trace, whatever trace it comes in", async () => {
    await using folder = await testFolder();
    const mapped = { "shop.data": "B:shop/order:1", "shop.moved": "B:shop/state:1" } as const;
    await using hosted = await openNode(folder.path, {
      withProcessor: false,
      options: {
        flows: [shop],
        inputs: {
          // The data itself says which one it is.
          "shop.data": { meta: mapped["shop.data"], map: () => ({ id: "0", context: { vip: "" } }) },
          "shop.moved": { meta: mapped["shop.moved"], map: () => ({ para: "order-9", version: 1 }) },
        },
      },
    });
    const { node, module } = hosted;
    for (const type of Object.keys(mapped)) {
      const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
      const first = (await node.call({ type, data: { no: 5 }, traceparent })) as InputAnswer;
      expect(await node.call({ type, data: { no: 5 } })).toEqual({ ...first, isNew: false });
      expect((await module.nature.instance(first))?.context).toMatchObject({ traceparent });
    }
  });

  test("keep what nobody is there to do, and do it when the node comes up with somebody who can", async () => {
    await using folder = await testFolder();
    {
      await using hosted = await openNode(folder.path, { withProcessor: false });
      await hosted.node.call({ type: "order.placed", data: { amount: 2 } });
      await eventually("a try to fail", () => hosted.module.nature.engine.stats.retried >= 2);
    }
    await using hosted = await openNode(folder.path);
    await eventually("the price to be told", () => hosted.told().length >= 1);
    expect(hosted.told().map(({ data }) => data)).toEqual([{ amount: 2, price: 6 }]);
  });

  test("complain of tasks that failed and of metas that are missing, and go on", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path, {
      options: { ...options, inputs: { ...options.inputs, "no.such": "B:no/such:1" } },
    });
    const { node, module } = hosted;
    expect(module.health()).toEqual({
      status: "degraded",
      reasons: ["messages of type no.such are for B:no/such:1, which is not declared"],
    });
    await node.call({ type: "order.placed", data: { amount: 13 } });
    await eventually("the task to fail", () => module.nature.engine.stats.failed === 1);
    expect(await module.nature.engine.failedTasks({ limit: 5 })).toMatchObject([
      { to: "B:shop/routed:1", code: "executor.logic", error: "we do not sell thirteen" },
    ]);
    await expect(node.call({ type: "no.such" })).rejects.toMatchObject({ code: "meta.unknown" });
  });

  test("show themselves in the node's metrics", async () => {
    await using folder = await testFolder();
    await using hosted = await openNode(folder.path);
    const { node, told } = hosted;
    await node.call({ type: "order.placed", data: { amount: 4 } });
    await eventually("the price to be told", () => told().length >= 1);
    await hosted.module.nature.engine.idle();
    const text = await node.metrics.metrics();
    for (const line of [
      "metanode_nature_inputs_total 1",
      "metanode_nature_stored_total 3",
      'metanode_nature_converted_total{from="B:shop/order:1",to="B:shop/priced:1"} 1',
      'metanode_nature_task_seconds_count{from="B:shop/order:1",to="B:shop/priced:1"} 1',
      'metanode_nature_task_seconds_bucket{from="B:shop/order:1",to="B:shop/priced:1",le="+Inf"} 1',
      "metanode_nature_store_up 1",
      'metanode_nature_tasks{state="failed"} 0',
      'metanode_nature_tasks_in_memory{state="running"} 0',
      "metanode_nature_oldest_due_seconds 0",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  test("that drain refuse messages, and finish what they have taken", async () => {
    await using folder = await testFolder();
    const hosted = await openNode(folder.path);
    const member = handlerMember("slow", () => new Promise((resolve) => setImmediate(() => resolve(null))));
    hosted.node.router.register({ type: "slow.type", member });
    await Promise.all(Array.from({ length: 20 }, (_, amount) => hosted.node.call({ type: "order.placed", data: { amount } })));
    await hosted.node.drain();
    expect(() => hosted.module.nature).toThrow(expect.objectContaining({ code: "node.closed" }));
    await using next = await openNode(folder.path);
    await eventually("all prices to be told", () => next.told().length >= 20);
    await eventually("nothing to be left", async () => {
      const { owned, due, delayed } = await next.module.nature.backlog();
      return owned + due + delayed === 0;
    });
    expect(new Set(next.told().map(({ key }) => key)).size).toBe(20);
  });
});

describe("the options of the module", () => {
  test.each<[string, NatureModuleOptions, string]>([
    ["an unknown setting", { input: {} } as never, "input"],
    ["an unknown setting of an input", { inputs: { a: { meta: "B:a:1", mop: 1 } as never } }, "inputs.a.mop"],
    ["an input to a meta of which only the engine makes instances", { inputs: { a: "L:a:1" } }, "inputs.a.meta"],
    ["an output without a type", { outputs: { "B:a:1": "" } }, "outputs.B:a:1.type"],
    ["what is not told of an instance", { outputs: { "B:a:1": { type: "a", pass: "id" as never } } }, "outputs.B:a:1.pass"],
    [
      "a selector that is none",
      { outputs: { "B:a:1": { type: "a", selector: { states: { every: ["sent"] } } as never } } },
      "outputs.B:a:1.selector.states.every",
    ],
    ["an age that is none", { maxBacklogAgeMs: 0 }, "maxBacklogAgeMs"],
  ])("refuse %s, and say where it stands", (_what, given, path) => {
    expect(() => nature(given)).toThrow(
      expect.objectContaining({ code: "config.invalid", details: expect.objectContaining({ path: `nature.${path}` }) }),
    );
  });
});
