import { handlerMember, type Message } from "@metanode/core";
import { describe, expect, test } from "vitest";
import { functionAction } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, runInARow, turns } from "./graphs.ts";
import { testNode } from "./nodes.ts";

describe("the router as a stage", () => {
  test("answers each record in its place, in order, with messages whose ids are those of the records", async () => {
    await using node = await testNode();
    const ids: string[] = [];
    const double = handlerMember("double", async ({ data, id }: Message) => {
      for (let turn = 0; turn < (data as number) % 3; turn++) await turns(1);
      ids.push(id);
      return (data as number) * 2;
    });
    node.services.router.register({ type: "number.double", member: double });
    const kept = new Keeper();
    const numbers = { action: "generate", with: { count: 200 } };
    const call = { action: "router.call", with: { type: "number.double" } };
    const run = await runInARow({ numbers, call, keep: kept.node }, node);
    expect((await run.ended).outcome).toBe("completed");
    expect(kept.records).toEqual(range(200).map((number) => number * 2));
    expect(new Set(ids).size).toBe(200);
    expect(ids).toContain("test/numbers:7");
  });

  test("keeps a record as a dead letter for which there is no answer", async () => {
    await using node = await testNode();
    const dead: unknown[] = [];
    const run = await runInARow(
      {
        numbers: { action: "generate", with: { count: 1 } },
        call: { action: "router.call", with: { type: "number.unknown" }, attempts: 1 },
      },
      { ...node, onDeadLetter: async ({ error }) => void dead.push(error) },
    );
    expect((await run.ended).outcome).toBe("completed");
    expect(dead).toMatchObject([{ code: "message.unknown_type" }]);
  });

  test("sends durably, and once although the graph runs again", async () => {
    await using node = await testNode();
    const seen: unknown[] = [];
    node.services.router.register({ type: "number.told", member: handlerMember("told", ({ data }) => void seen.push(data)) });
    const kept = new Keeper();
    const nodes = {
      numbers: { action: "generate", with: { count: 20 } },
      send: { action: "router.send", with: { type: "number.told" } },
      keep: kept.node,
    };
    for (let times = 0; times < 2; times++) await (await runInARow(nodes, node)).ended;
    while (seen.length < 20) await turns(1);
    await turns(20);
    expect(kept.records.length).toBe(40);
    expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(range(20));
  });
});

describe("the router as a source", () => {
  const receive = (more: object = {}) => ({ action: "router.receive", with: { type: "number.in", ...more } });

  test("answers a call once the record has reached every sink", async () => {
    await using node = await testNode();
    const { router } = node.services;
    const gate = Promise.withResolvers<void>();
    const reached: unknown[] = [];
    const slow = functionAction(async (record: unknown) => {
      reached.push(record);
      await gate.promise;
    });
    await using _run = await runInARow({ receive: receive(), slow: { does: slow } }, node);
    let isAnswered = false;
    const call = router.call({ type: "number.in", data: 1 }).then(() => {
      isAnswered = true;
    });
    while (reached.length === 0) await turns(1);
    await turns(20);
    expect(isAnswered).toBe(false);
    gate.resolve();
    await call;
    expect(reached).toEqual([1]);
  });

  test("answers a call once the graph has the record, where that is enough", async () => {
    await using node = await testNode();
    const reached: unknown[] = [];
    const stuck = functionAction((record: unknown) => {
      reached.push(record);
      return new Promise<void>(() => undefined);
    });
    const run = await runInARow({ receive: receive({ answer: "accepted" }), stuck: { does: stuck } }, node);
    await node.services.router.call({ type: "number.in", data: 1 });
    expect(reached).toEqual([1]);
    await run.close();
  });

  test("refuses what it has no room for, as something that passes", async () => {
    await using node = await testNode();
    const stuck = functionAction(() => new Promise<void>(() => undefined));
    const nodes = { receive: receive({ maxWaiting: 2, answer: "accepted" }), stuck: { does: stuck } };
    const run = await runInARow(nodes, { ...node, credit: { maxRecords: 1 } });
    const answers = range(10).map((data) => node.services.router.call({ type: "number.in", data }).catch((error) => error.code));
    await turns(10);
    expect(await answers.at(-1)).toBe("call.resource_exhausted");
    await run.close();
    expect(await Promise.all(answers)).toContain("stream.stopped");
  });

  test("loses no durable send, although runs are cut off under it", async () => {
    await using node = await testNode();
    const { router } = node.services;
    const seen = new Set<unknown>();
    const nodes = { receive: receive(), keep: { does: functionAction((record: unknown) => void seen.add(record)) } };
    const first = await runInARow(
      { receive: receive(), stuck: { does: functionAction(() => new Promise<void>(() => undefined)) } },
      node,
    );
    for (const data of range(50)) await router.send({ type: "number.in", data });
    while (first.status().nodes.find(({ name }) => name === "receive")?.out !== 50) await turns(1);
    await first.close();
    await using _second = await runInARow(nodes, node);
    while (seen.size < 50) await turns(1);
    expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(range(50));
  });

  test("gives records the ids of their messages, so that those which are sent again are known again", async () => {
    await using node = await testNode();
    const kept = new Keeper();
    await using _run = await runInARow({ receive: receive(), keep: kept.node }, node);
    for (let times = 0; times < 2; times++) await node.services.router.call({ type: "number.in", id: "seven", data: 7 });
    expect(kept.ids).toEqual(["receive=seven", "receive=seven"]);
  });

  test("handles the type only as long as the graph runs", async () => {
    await using node = await testNode();
    const kept = new Keeper();
    const run = await runInARow({ receive: receive(), keep: kept.node }, node);
    expect(node.services.router.find("number.in")?.memberId).toBe("graph:test/receive");
    await run.drain();
    await expect(node.services.router.call({ type: "number.in", data: 1 })).rejects.toMatchObject({
      code: "message.unknown_type",
    });
  });
});
