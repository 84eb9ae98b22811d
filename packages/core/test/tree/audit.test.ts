import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNode, type MetaNode } from "../../src/index.ts";
import { treeModule } from "../../src/tree/index.ts";

let node: MetaNode;

beforeEach(async () => {
  node = await createNode({ name: "root", modules: [treeModule()], logger: pino({ level: "silent" }) });
});
afterEach(() => node.close());

describe("the audit of a tree", () => {
  test.each([
    ["release", {}],
    ["release", { child: 7 }],
    ["approve", { child: ["a"] }],
    ["transfer", { to: { id: "a", token: "b" } }],
    ["move", { to: "/root" }],
    ["adopt", { token: "a", as: 7 }],
    ["maintain", { node: {} }],
    ["maintain", { subtree: 7 }],
    ["members", {}],
    ["members", { desired: "all" }],
    ["authority", { action: "rotate", operation: 7 }],
    ["authority", { action: "rotate", caller: { name: "anna" } }],
  ])("has nothing of an order that is none: %s of %j", async (verb, data) => {
    await expect(node.call({ type: `metanode.tree.${verb}`, data })).rejects.toMatchObject({
      code: expect.stringMatching(/\.invalid$/),
    });
    expect(await node.call({ type: "metanode.tree.audit" })).toEqual([]);
  });

  test("says who did what to whom, and what it came to, also where it failed", async () => {
    await node.call({ type: "metanode.node.labels", data: { set: { region: "eu" }, caller: "anna" } });
    await expect(node.call({ type: "metanode.tree.release", data: { child: "nobody" } })).rejects.toThrow();
    expect(await node.call({ type: "metanode.tree.audit" })).toMatchObject([
      { caller: "local", verb: "release", target: "nobody", ok: false, code: "tree.not_managed" },
      { caller: "anna", verb: "labels", target: "/root", ok: true, answer: { region: "eu" } },
    ]);
  });
});
