import { createNode, handlerMember, type MetaNode } from "@metanode/core";
import { type TreeModule, treeModule } from "@metanode/core/tree";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JSON_BODY, silent, type TestGateway, testGateway } from "./harness.ts";

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
}

let subject: TestGateway;
const nodes: { node: MetaNode; tree: TreeModule }[] = [];

async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await subject.request(path, {
    method,
    ...(body === undefined ? {} : { headers: JSON_BODY, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = text !== "" && !text.includes("\n{");
  return { status: response.status, text, body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

async function leaf(name: string): Promise<{ node: MetaNode; tree: TreeModule }> {
  const tree = treeModule({ labels: { region: name === "eu" ? "eu" : "us" } });
  const node = await createNode({ name, modules: [tree], logger: silent });
  node.router.register({ type: "greet", member: handlerMember("greeter", ({ data }) => `${name} greets ${String(data)}`) });
  nodes.push({ node, tree });
  return { node, tree };
}

beforeAll(async () => {
  subject = await testGateway({ name: "root" });
});

afterAll(async () => {
  for (const { node } of nodes) await node.close();
  await subject[Symbol.asyncDispose]();
});

describe("the tree over HTTP", () => {
  test("a node joins with a token made here, another is adopted with a token made there", async () => {
    const made = await ask("POST", "/tree/tokens", { purpose: "join" });
    expect(made.status).toBe(201);
    const eu = await leaf("eu");
    eu.tree.tree.join(String(made.body.text));
    const us = await leaf("us");
    const { text } = await us.tree.tree.token({ purpose: "adopt" });
    const adopted = await ask("POST", "/tree/adopt", { token: text });
    expect(adopted.body).toMatchObject({ name: "us", path: "/root/us", state: "managed", epoch: 1 });
    await expect.poll(() => eu.tree.tree.path).toBe("/root/eu");
    const { body } = await ask("GET", "/tree");
    expect((body.nodes as { path: string; state: string }[]).map(({ path, state }) => `${path} ${state}`)).toEqual([
      "/root free",
      "/root/eu managed",
      "/root/us managed",
    ]);
    expect((await ask("GET", "/tree/tokens")).body.items).toMatchObject([
      { purpose: "join", uses: 1, usedBy: [expect.any(String)] },
    ]);
  });

  test("M-72: a child is named the standby, shown, and dismissed", async () => {
    expect((await ask("GET", "/tree/standby")).body).toEqual({ isReady: false, isFenced: false });
    const named = await ask("POST", "/tree/standby", { node: "/root/eu" });
    expect(named.body).toMatchObject({ name: "eu", isReady: true, isFenced: false });
    const seen = await ask("GET", "/tree/standby?under=/root/eu");
    expect(seen.body.manager).toMatchObject({ name: "root", isTaken: false });
    expect((await ask("POST", "/tree/standby", { node: "/root/nobody" })).body).toMatchObject({ code: "tree.not_managed" });
    expect((await ask("POST", "/tree/standby", {})).body).toEqual({ isReady: false, isFenced: false });
  });

  test("a message goes to the node that its target names, by path and by id, and by type to whoever handles it", async () => {
    const send = async (headers: Record<string, string>): Promise<unknown> => {
      const response = await subject.request("/messages", {
        method: "POST",
        headers: {
          "ce-specversion": "1.0",
          "ce-id": crypto.randomUUID(),
          "ce-source": "/test",
          "ce-type": "greet",
          "content-type": "application/json",
          ...headers,
        },
        body: '"anna"',
      });
      return response.json();
    };
    expect(await send({ "ce-target": "/root/eu" })).toBe("eu greets anna");
    expect(await send({ "ce-target": nodes[1]?.tree.tree.id ?? "" })).toBe("us greets anna");
    expect(await send({})).toMatch(/^(eu|us) greets anna$/);
    expect(await send({ "ce-target": "/root/mars" })).toMatchObject({ code: "resource.not_found" });
  });

  test("a for-all tells targets and outcomes as they come, and its verdict", async () => {
    const { text, status } = await ask("POST", "/tree/all", { type: "greet", data: "all", where: "region=*" });
    expect(status).toBe(200);
    const events = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; path?: string; value?: unknown; verdict?: boolean });
    expect(
      events
        .filter(({ kind }) => kind === "target")
        .map(({ path }) => path)
        .sort(),
    ).toEqual(["/root/eu", "/root/us"]);
    expect(
      events
        .filter(({ kind }) => kind === "outcome")
        .map(({ value }) => value)
        .sort(),
    ).toEqual(["eu greets all", "us greets all"]);
    expect(events.at(-1)).toMatchObject({ kind: "done", verdict: true, tally: { ok: 2 } });
    expect((await ask("GET", "/tree/audit")).body.items).toContainEqual(
      expect.objectContaining({ verb: "all", caller: "admin:owner", ok: true }),
    );
  });

  test("maintenance of a node shows in the tree, and leaves nothing to it", async () => {
    const on = await ask("POST", "/tree/maintenance", { node: "/root/eu", on: true, reason: "new disk", waitMs: 5_000 });
    expect(on.body).toMatchObject({ drained: true, node: { state: "drained", reason: "new disk" } });
    const node = await ask("GET", "/tree/node?target=/root/eu");
    expect(node.body.node).toMatchObject({ state: "maintenance", maintenance: { reason: "new disk", by: "admin:owner" } });
    const second = await ask("POST", "/tree/maintenance", { node: "/root/us", on: true });
    expect([second.status, second.body.code]).toEqual([409, "state.conflict"]);
    expect((await ask("POST", "/tree/maintenance", { node: "/root/eu", on: false })).status).toBe(200);
  });

  test("M-73: the metrics say in which state the nodes below are", async () => {
    const response = await fetch(`${subject.gateway.url}/metrics`);
    expect(await response.text()).toContain('metanode_tree_children{state="managed"} 2');
  });

  test("labels, a move and a release", async () => {
    expect((await ask("POST", "/tree/labels", { node: "/root/eu", set: { rack: "r1" }, remove: ["region"] })).body).toEqual({
      rack: "r1",
    });
    const moved = await ask("POST", "/tree/move", { node: "/root/us", to: "/root/eu" });
    expect(moved.status, moved.text).toBe(200);
    await expect.poll(() => nodes[1]?.tree.tree.path).toBe("/root/eu/us");
    const old = await ask("GET", "/tree/node?target=/root/us");
    expect([old.status, old.body.code]).toEqual([421, "tree.moved"]);
    const released = await ask("POST", "/tree/release", { node: "/root/eu" });
    expect(released.body).toMatchObject({ name: "eu", unfinished: 0 });
    expect(nodes[0]?.tree.tree.upward.state).toBe("free");
  });

  test("a message of the platform says who sent it, and only an admin may send any", async () => {
    const made = await ask("POST", "/tokens", { name: "otto", role: "operator" });
    const headers = {
      authorization: `Bearer ${String(made.body.token)}`,
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "/test",
      "ce-type": "metanode.tree.audit",
      "ce-caller": "admin:owner",
    };
    const response = await subject.request("/messages", { method: "POST", headers });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, "auth.denied"]);
    const all = await subject.request("/tree/all", {
      method: "POST",
      headers: { ...JSON_BODY, authorization: headers.authorization },
      body: JSON.stringify({ type: "metanode.tree.audit" }),
    });
    expect(all.status).toBe(403);
  });
});
