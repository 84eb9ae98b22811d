import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { compileGraph, openStreams } from "../../src/index.ts";
import { UploadStore } from "../../src/upload/upload-store.ts";
import { range } from "../run/counting.ts";
import { testFolder } from "../tools/folder.ts";

const bytes = (text: string): AsyncIterable<Uint8Array> =>
  (async function* () {
    yield Buffer.from(text);
  })();

describe("the store of uploaded programs", () => {
  test("keeps versions by name, each content once, and nobody can change them", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    expect(await store.put("filter", bytes("one"))).toMatchObject({ version: 1, bytes: 3 });
    expect(await store.put("filter", bytes("one"))).toMatchObject({ version: 1 });
    expect(await store.put("filter", bytes("two"))).toMatchObject({ version: 2 });
    expect(await store.put("other", bytes("one"))).toMatchObject({ version: 1 });
    expect(store.find("filter")?.version).toBe(2);
    expect(store.find("filter@1")?.version).toBe(1);
    const contents = readdirSync(folder).filter((file) => file.startsWith("sha256-"));
    expect(contents).toHaveLength(2);
    for (const file of contents) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o500);
    const again = await UploadStore.open({ folder });
    expect(again.list()).toEqual(store.list());
  });

  test.each(["", "../up", "a/b", ".hidden", "-x", "a b", "1a", "a".repeat(101)])("refuses the name %j", async (name) => {
    const store = await UploadStore.open({ folder: testFolder() });
    await expect(store.put(name, bytes("x"))).rejects.toMatchObject({ code: "usage.invalid" });
  });

  test("refuses what is too large, and keeps nothing of it, nor of what breaks off", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder, maxBytes: 10 });
    await expect(store.put("big", bytes("x".repeat(11)))).rejects.toMatchObject({ code: "stream.too_large" });
    const broken = (async function* () {
      yield Buffer.from("half");
      throw new Error("the line is cut");
    })();
    await expect(store.put("broken", broken)).rejects.toMatchObject({ code: "stream.storage" });
    writeFileSync(join(folder, "incoming-left"), "of a crash");
    await UploadStore.open({ folder });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("removes versions, and content that nothing names any more", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    await store.put("filter", bytes("one"));
    await store.put("filter", bytes("two"));
    await store.remove("filter@1");
    expect(store.list().map(({ version }) => version)).toEqual([2]);
    await store.remove("filter");
    expect(readdirSync(folder)).toEqual(["index.json"]);
    await expect(store.remove("filter")).rejects.toMatchObject({ code: "stream.action_unknown" });
  });

  test("never gives the number of a removed version to another content", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    await store.put("filter", bytes("one"));
    await store.put("filter", bytes("two"));
    await store.remove("filter@2");
    expect(store.get("filter").version).toBe(1);
    expect(await store.put("filter", bytes("three"))).toMatchObject({ version: 3 });
    await store.remove("filter");
    const again = await UploadStore.open({ folder });
    expect(await again.put("filter", bytes("four"))).toMatchObject({ version: 4 });
    expect(again.find("filter@1")).toBeUndefined();
    expect(await again.put("constructor", bytes("five"))).toMatchObject({ version: 1 });
  });

  test("knows of no version that it could not store", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    await store.put("filter", bytes("one"));
    mkdirSync(join(folder, "index.json.new")); // where the next index would be written
    await expect(store.put("filter", bytes("two"))).rejects.toMatchObject({ code: "stream.storage" });
    expect(store.list().map(({ version }) => version)).toEqual([1]);
  });

  test("mends a changed program when it is uploaded again", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    const { hash } = await store.put("filter", bytes("one"));
    chmodSync(join(folder, `sha256-${hash}`), 0o700);
    writeFileSync(join(folder, `sha256-${hash}`), "evil");
    await expect(store.checkOut("filter", join(folder, "out"))).rejects.toMatchObject({ code: "stream.storage" });
    expect(await store.put("filter", bytes("one"))).toMatchObject({ version: 1 });
    expect(readFileSync(await store.checkOut("filter", join(folder, "out")), "utf8")).toBe("one");
  });

  test("gives out only what is still what was uploaded", async () => {
    const folder = testFolder();
    const store = await UploadStore.open({ folder });
    const { hash } = await store.put("filter", bytes("one"));
    const file = await store.checkOut("filter", join(folder, "out"));
    expect(readFileSync(file, "utf8")).toBe("one");
    chmodSync(join(folder, `sha256-${hash}`), 0o700);
    writeFileSync(join(folder, `sha256-${hash}`), "evil");
    await expect(store.checkOut("filter", join(folder, "out"))).rejects.toMatchObject({ code: "stream.storage" });
    expect(existsSync(file)).toBe(false);
  });
});

describe("an uploaded program in a graph", () => {
  const marking = (mark: string): AsyncIterable<Uint8Array> => bytes(`#!/bin/sh\nexec sed -u "s/^/${mark}/"\n`);

  test("is pinned to its version, and goes on when it is removed while it runs", async () => {
    const seen: string[] = [];
    let give: (count: number) => void = () => undefined;
    const { NumberSource } = await import("../run/counting.ts");
    const source = new NumberSource();
    give = (count) => source.give(count);
    const streams = await openStreams({
      folder: testFolder(),
      functions: { numbers: { source: () => source }, keep: (line: string) => void seen.push(line) },
    });
    await using _streams = streams;
    await streams.uploads.put("mark", marking("a"));
    const nodes = [
      { name: "numbers" },
      { name: "mark", codec: "lines" as const, answers: "one" as const, backoffMs: [0] },
      { name: "keep" },
    ];
    const document = { name: "g", nodes, expression: "numbers; mark; keep" };
    expect(compileGraph(document).graph.nodes[1]?.action).toBeUndefined();
    expect((await streams.apply(document)).graph.nodes.find(({ name }) => name === "mark")?.action).toBe("mark@1");
    await streams.run("g");
    give(10);
    await vi.waitFor(() => expect(seen).toEqual(range(10).map((n) => `a${n}`)), 5_000);
    await streams.uploads.put("mark", marking("b"));
    await expect(streams.removeAction("mark")).rejects.toMatchObject({ code: "state.conflict" });
    await streams.removeAction("mark@1", { force: true });
    const pid = streams.status("g")?.nodes.find(({ name }) => name === "mark")?.details?.pid as number;
    process.kill(pid, "SIGKILL");
    give(10);
    await vi.waitFor(() => expect(seen).toHaveLength(20), 5_000);
    expect(seen.at(-1)).toBe("a19"); // its own copy, started again
    expect(await streams.apply(document)).toMatchObject({ version: 2 });
    give(10);
    await vi.waitFor(() => expect(seen.at(-1)).toBe("b29"), 5_000);
  });
});
