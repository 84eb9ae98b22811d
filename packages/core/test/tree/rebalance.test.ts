import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { createNode, handlerMember, type MetaNode } from "../../src/index.ts";
import { createGroup, one } from "../../src/member/index.ts";
import { createMessage } from "../../src/message/message.ts";
import { type Tree, treeModule } from "../../src/tree/index.ts";

const nodes: MetaNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

async function start(name: string): Promise<Tree> {
  const module = treeModule({ listen: "127.0.0.1:0" });
  const node = await createNode({ name, modules: [module], logger: pino({ level: "silent" }) });
  node.router.register({ type: "keep", member: handlerMember("keep", () => name) });
  nodes.push(node);
  return module.tree;
}

const KEYS = 400;

test("M-47: children are members as any others: sharded over them, a node that comes or goes moves its share of the keys, and no more", async () => {
  const root = await start("root");
  const join = async (name: string): Promise<void> => {
    const tree = await start(name);
    await root.adopt((await tree.token({ purpose: "adopt" })).text);
  };
  for (const name of ["a", "b", "c", "d"]) await join(name);
  const shards = createGroup({ id: "shards", members: () => root.children.list(), select: one.byKey() });
  const owners = (): Promise<unknown[]> =>
    Promise.all(
      Array.from({ length: KEYS }, (_, key) =>
        shards.call(createMessage({ type: "keep", subject: `key ${key}` }), { deadlineMs: Date.now() + 10_000 }),
      ),
    );
  const four = await owners();
  await join("e");
  const five = await owners();
  const moved = five.filter((owner, key) => owner !== four[key]);
  expect(moved.every((owner) => owner === "e")).toBe(true);
  expect(moved.length).toBeGreaterThan(0);
  // A fifth, and what chance adds to it.
  expect(moved.length / KEYS).toBeLessThan(1 / 5 + 0.1);
  await root.release("e");
  expect(await owners()).toEqual(four);
});
