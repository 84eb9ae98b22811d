import { createNode, handlerMember, type Message, type MetaNode } from "@metanode/core";
import { describe, expect, test } from "vitest";
import type { ConvertResult, Executor } from "../../src/executor/executor.ts";
import { messageExecutors } from "../../src/executor/messages.ts";
import { remoteExecutors } from "../../src/executor/remote.ts";
import { filterRequest, instance, request } from "../fixtures/things.ts";

const from = instance({ meta: "B:a:1", id: "5", para: "p", content: '{"sku":"tea"}' });

/** A node on which one type is handled. */
async function openNode(
  answer: (message: Message) => unknown,
): Promise<{ node: MetaNode; executor: Executor; seen: Message[] } & AsyncDisposable> {
  const node = await createNode();
  const seen: Message[] = [];
  const member = handlerMember("order", (message) => {
    seen.push(message);
    return answer(message);
  });
  node.router.register({ type: "order.price", member });
  const executor = messageExecutors(node).resolve("order.price");
  return { node, executor, seen, [Symbol.asyncDispose]: () => node.close() };
}

describe("an executor behind a message type", () => {
  test("is asked with the whole request, the line as subject, the task as key, deadline and trace", async () => {
    const result: ConvertResult = { type: "instances", instances: [{ content: "12" }] };
    await using one = await openNode(() => result);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const deadlineMs = Date.now() + 60_000;
    const traced = { ...from, context: { traceparent } };
    const last = instance({ meta: "B:b:1", version: 2 });
    expect(await one.executor.convert?.(request({ from: traced, last, taskId: 9, settings: "s", deadlineMs }))).toEqual(result);
    const [message] = one.seen;
    expect(message).toMatchObject({
      subject: "B:a:1|5|p",
      idempotencykey: "task-9",
      deadline: deadlineMs,
      traceparent: expect.stringContaining("0af7651916cd43dd8448eb211c80319c"),
    });
    expect(message?.data).toEqual({ role: "convert", from: traced, last, taskId: 9, credential: "secret", settings: "s" });
  });

  test("need not know of workflows: with pass content it gets the content and gives the content", async () => {
    await using one = await openNode(({ data }) => ({ ...(data as object), price: 12 }));
    const settings = '{"pass":"content"}';
    expect(await one.executor.convert?.(request({ from, settings }))).toEqual({
      type: "instances",
      instances: [{ content: '{"sku":"tea","price":12}' }],
    });
    expect(one.seen[0]?.data).toEqual({ sku: "tea" });
    await expect(one.executor.convert?.(request({ from: { ...from, content: "x" }, settings }))).rejects.toMatchObject({
      code: "executor.logic",
    });
    await expect(one.executor.convert?.(request({ from, settings: '{"pass":"all"}' }))).rejects.toMatchObject({
      code: "executor.logic",
    });
    await expect(one.executor.convert?.(request({ from, settings: '{"pass":"content","x":1}' }))).rejects.toMatchObject({
      code: "config.invalid",
    });
  });

  test("that answers nothing to a content makes nothing", async () => {
    await using one = await openNode(() => undefined);
    expect(await one.executor.convert?.(request({ from, settings: '{"pass":"content"}' }))).toEqual({ type: "none" });
  });

  test("may filter before and behind an executor", async () => {
    await using one = await openNode(({ data }) => {
      const given = data as { role: string; instance: object; instances: object[] };
      return given.role === "before" ? { ...given.instance, content: "b" } : [...given.instances, { content: "c" }];
    });
    expect(await one.executor.before?.(from, filterRequest({ settings: "s" }))).toEqual({ ...from, content: "b" });
    expect(await one.executor.after?.([{ content: "a" }], filterRequest({}))).toEqual([{ content: "a" }, { content: "c" }]);
    expect(one.seen[0]?.data).toMatchObject({ role: "before", to: "B:to:1", settings: "s" });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await one.executor.before?.(from, filterRequest({ traceparent }));
    await one.executor.after?.([], filterRequest({ traceparent }));
    expect(one.seen.slice(2).map((message) => message.traceparent?.slice(3, 35))).toEqual(
      Array(2).fill(traceparent.slice(3, 35)),
    );
  });

  test.each<unknown>([
    7,
    null,
    {},
    { type: "instances" },
    { type: "instances", instances: [7] },
    { type: "instances", instances: [{ id: 7 }] },
    { type: "instances", instances: [{ states: [1] }] },
    { type: "instances", instances: [{ context: { k: 1 } }] },
    { type: "delay", delayMs: 0 },
    { type: "logic" },
    { type: "self-route", instances: [{ instance: {}, converters: [] }] },
    { type: "self-route", instances: [{ instance: {}, converters: [{ executor: "x" }] }] },
  ])("that answers %j is refused, and it says why", async (answer) => {
    await using one = await openNode(() => answer);
    await expect(one.executor.convert?.(request({ from }))).rejects.toMatchObject({
      code: "executor.logic",
      details: { protocol: "processor", url: "order.price" },
    });
  });

  test("that filters garbage is refused", async () => {
    await using one = await openNode(() => ({ meta: "B:a:1" }));
    await expect(one.executor.before?.(from, filterRequest({}))).rejects.toMatchObject({
      code: "executor.logic",
      message: expect.stringContaining("id is missing"),
    });
    await expect(one.executor.after?.([], filterRequest({}))).rejects.toMatchObject({ code: "executor.logic" });
  });

  test("that nobody handles is asked again later: processors come and go", async () => {
    await using one = await openNode(() => ({ type: "none" }));
    const missing = messageExecutors(one.node).resolve("order.nobody");
    await expect(missing.convert?.(request({ from }))).rejects.toMatchObject({ code: "executor.environment", retryable: true });
  });

  test("keeps its own errors with their codes", async () => {
    await using one = await openNode(() => {
      throw new Error("broken");
    });
    await expect(one.executor.convert?.(request({ from }))).rejects.toThrow("broken");
  });

  test("is left when its time is up", async () => {
    await using one = await openNode(() => Promise.withResolvers().promise);
    await expect(one.executor.convert?.(request({ from, deadlineMs: Date.now() - 1 }))).rejects.toMatchObject({
      code: "call.deadline",
    });
  });

  test("gets no subject that a message cannot have", async () => {
    await using one = await openNode(() => ({ type: "none" }));
    await one.executor.convert?.(request({ from: { ...from, para: "a\nb" } }));
    expect(one.seen[0]?.subject).toBeUndefined();
  });
});

describe("an executor that somebody else knows how to ask", () => {
  test("is asked by its url in all roles", async () => {
    const asked: unknown[] = [];
    const actors = remoteExecutors("actor", async (target, data, { subject }) => {
      asked.push([target, (data as { role: string }).role, subject]);
      return (data as { role: string }).role === "convert" ? { type: "delay", delayMs: 5 } : [];
    });
    const { convert, after } = actors.resolve("clerk");
    expect(await convert?.(request({ from }))).toEqual({ type: "delay", delayMs: 5 });
    expect(await after?.([], filterRequest({}))).toEqual([]);
    expect(asked).toEqual([
      ["clerk", "convert", "B:a:1|5|p"],
      ["clerk", "after", undefined],
    ]);
  });
});
