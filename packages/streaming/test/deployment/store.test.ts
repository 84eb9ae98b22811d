import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GraphStore } from "../../src/deployment/store.ts";
import { compileGraph, graphHash, MemoryProgress, type ProgressStore } from "../../src/index.ts";
import { testFolder } from "../tools/folder.ts";

function put(store: GraphStore, expression: string) {
  const document = { name: "g", expression };
  const { graph } = compileGraph(document);
  return store.put("g", { graph, hash: graphHash(graph), document, atMs: 1 });
}

function openSqlite(): ProgressStore {
  const store = new GraphStore(join(testFolder(), "streams.sqlite"));
  put(store, "a; b");
  return store.progressOf("g", store.nextEpoch("g"));
}

describe.each([
  ["in memory", () => new MemoryProgress()],
  ["on SQLite", openSqlite],
])("progress %s", (_where, open) => {
  test("gives back what was committed: positions and state together", async () => {
    const store: ProgressStore = open();
    await store.commit({
      sources: new Map([["a", { position: "7", sequence: 70 }]]),
      state: [
        { stage: "b", key: "x", value: "1" },
        { stage: "b", key: "y", value: "2" },
      ],
    });
    await store.commit({
      sources: new Map([["a", { position: "8", sequence: 80 }]]),
      state: [
        { stage: "b", key: "x", value: undefined },
        { stage: "b", key: "y", value: "3" },
      ],
    });
    const { sources, state } = await store.load();
    expect([...sources]).toEqual([["a", { position: "8", sequence: 80 }]]);
    expect([...(state.get("b") ?? [])]).toEqual([["y", "3"]]);
  });

  test("is empty at the beginning", async () => {
    const { sources, state } = await open().load();
    expect([sources.size, state.size]).toEqual([0, 0]);
  });
});

describe("the store of graphs", () => {
  test("fences an older run: only the younger one can store", async () => {
    const store = new GraphStore(join(testFolder(), "streams.sqlite"));
    put(store, "a; b");
    const older = store.progressOf("g", store.nextEpoch("g"));
    const younger = store.progressOf("g", store.nextEpoch("g"));
    const commit = { sources: new Map([["a", { position: "1", sequence: 1 }]]), state: [] };
    await younger.commit(commit);
    await expect(older.commit({ ...commit, sources: new Map([["a", { position: "0", sequence: 0 }]]) })).rejects.toMatchObject({
      code: "stream.fenced",
    });
    expect((await younger.load()).sources.get("a")?.position).toBe("1");
  });

  test("keeps everything over being opened again, and two can have it open", async () => {
    const file = join(testFolder(), "streams.sqlite");
    const first = new GraphStore(file);
    put(first, "a; b");
    first.setDesired("g", "running");
    const second = new GraphStore(file);
    expect(second.get("g")).toMatchObject({ version: 1, desired: "running", document: { expression: "a; b" } });
    first.close();
    second.close();
  });

  test("makes a new version of what has changed, and none of what has not", () => {
    const store = new GraphStore(join(testFolder(), "streams.sqlite"));
    expect(put(store, "a; b").version).toBe(1);
    expect(put(store, "a;  b").version).toBe(1);
    expect(put(store, "a; b; c").version).toBe(2);
    expect(store.history("g").map(({ version }) => version)).toEqual([2, 1]);
  });

  test("says so when its file is no database", async () => {
    const folder = testFolder();
    const { writeFileSync } = await import("node:fs");
    writeFileSync(join(folder, "streams.sqlite"), "no database ".repeat(1_000));
    expect(() => new GraphStore(join(folder, "streams.sqlite"))).toThrow(expect.objectContaining({ code: "stream.storage" }));
  });
});
