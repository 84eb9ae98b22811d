import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode, type MetaNode } from "@metanode/core";
import { treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StreamingModule, streaming } from "../../src/module/index.ts";

const PROGRAM = fileURLToPath(new URL("./placed-host.ts", import.meta.url));

let folder: string;
let node: MetaNode;
let module: StreamingModule;
let tree: ReturnType<typeof treeModule>;
const children: ChildProcess[] = [];

/** An agent in a process of its own, adopted. */
async function agent(name: string, labels: Record<string, string>): Promise<ChildProcess> {
  const child = fork(PROGRAM, [name, JSON.stringify(labels)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  const [token] = (await once(child, "message")) as [string];
  await tree.tree.adopt(token);
  return child;
}

const out = (): string[] =>
  existsSync(join(folder, "out")) ? readFileSync(join(folder, "out"), "utf8").split("\n").slice(0, -1) : [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "placed-"));
  module = streaming();
  tree = treeModule({ listen: "127.0.0.1:0", heartbeatMs: 300 });
  node = await createNode({
    name: "root",
    folder: join(folder, "data"),
    modules: [module, tree],
    logger: pino({ level: "silent" }),
  });
});

afterEach(async () => {
  await node.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** Counts up, marks each number on a node that fits, and writes down what comes back. */
const counting = (on: string, command: string, more: object = {}) => ({
  name: "placed",
  expression: "numbers; mark; keep",
  nodes: [
    { name: "numbers", action: "generate", with: { intervalMs: 2, template: "{n}" } },
    { name: "mark", command, on, runMs: 50, ...more },
    { name: "keep", action: "file.write", with: { path: join(folder, "out") } },
  ],
});

describe("a stage that runs on another node", () => {
  test("gets its records there, and what it makes of them comes back, in order", async () => {
    const eu = await agent("eu", { region: "eu" });
    await agent("us", { region: "us" });
    await module.streams.apply(counting("region=eu", "sh -c 'while read n; do echo $n $PPID; done'"));
    await module.streams.run("placed");
    await expect.poll(() => out().length, { timeout: 15_000 }).toBeGreaterThan(100);
    const lines = out();
    expect(lines.map((line) => Number(line.split(" ")[0]))).toEqual(lines.map((_, n) => n + (lines[0]?.startsWith("0") ? 0 : 1)));
    // The programs are children of the other node, and of nobody here.
    const parents = new Set(lines.map((line) => Number(line.split(" ")[1])));
    expect(parents.has(process.pid)).toBe(false);
    expect(eu.exitCode).toBeNull();
    expect(module.streams.status("placed")?.state).toBe("running");
  });

  test("goes to another that fits when its node is killed: nothing is lost", async () => {
    const first = await agent("one", { pool: "x" });
    const second = await agent("two", { pool: "x" });
    await module.streams.apply(counting("pool=x", "sh -c 'while read n; do echo $n; done'"));
    await module.streams.run("placed");
    await expect.poll(() => out().length, { timeout: 15_000 }).toBeGreaterThan(50);
    // Whichever of the two is at work dies in the middle; then the other does all there is.
    first.kill("SIGKILL");
    const before = out().length;
    await expect.poll(() => out().length, { timeout: 20_000 }).toBeGreaterThan(before + 200);
    await module.streams.stop("placed");
    const numbers = out().map(Number);
    const distinct = [...new Set(numbers)].sort((a, b) => a - b);
    expect(distinct).toEqual(Array.from({ length: distinct.length }, (_, n) => (distinct[0] ?? 0) + n));
    expect(second.exitCode).toBeNull();
  });

  test("waits for a node that fits, and begins when one comes", async () => {
    await module.streams.apply(counting("gpu=yes", "cat"));
    await module.streams.run("placed");
    const complaint = (): boolean =>
      module.streams
        .graph("placed")
        .log.last(100)
        .some(({ text }) => text.includes("no node of the tree fits"));
    await expect.poll(complaint).toBe(true);
    expect(out()).toEqual([]);
    await agent("late", { gpu: "yes" });
    await expect.poll(() => out().length, { timeout: 15_000 }).toBeGreaterThan(10);
  });

  test("turns to the machines that a scheme names, in their order, and stays here where the tree has none of them", async () => {
    await agent("second", {});
    await agent("first", {});
    const placement = [
      { host: "first", port: 80 },
      { host: "second", port: 80 },
    ];
    const { nodes, ...rest } = counting("", "cat");
    const document = (hosts: object) => ({
      ...rest,
      nodes: nodes.map((one) => (one.name === "mark" ? { name: "mark", command: "cat", runMs: 50, ...hosts } : one)),
    });
    await module.streams.apply(document({ placement }) as never);
    await module.streams.run("placed");
    await expect.poll(() => out().length, { timeout: 15_000 }).toBeGreaterThan(20);
    const details = (): unknown => JSON.stringify(module.streams.status("placed"));
    expect(details()).toContain('"last":"/root/first"');
    await module.streams.stop("placed");
    await module.streams.apply(document({ placement: [{ host: "nowhere", port: 80 }] }) as never);
    const before = out().length;
    await module.streams.run("placed");
    await expect.poll(() => out().length, { timeout: 15_000 }).toBeGreaterThan(before + 20);
    expect(details()).not.toContain("/root/");
  });

  test("sends back what failed there: it becomes a dead letter here, with its record", async () => {
    await agent("eu", { region: "eu" });
    const failing = counting("region=eu", "sh -c 'while read n; do [ $n = 7 ] && exit 3; echo $n; done'", {
      attempts: 1,
      runMs: 5,
    });
    await module.streams.apply(failing);
    await module.streams.run("placed");
    await expect.poll(async () => (await node.deadLetters.list()).items.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const { items } = await node.deadLetters.list();
    expect(items.some(({ message }) => JSON.stringify(message.data).includes("7"))).toBe(true);
  });

  test.each([
    ["remembers", { name: "mark", action: "window.tumbling", on: "a=b", with: { sizeMs: 1_000 } }],
    ["needs all records", { name: "mark", command: "sort", settle: "end", on: "a=b" }],
  ])("is refused where the action %s", async (_what, mark) => {
    const { nodes, ...rest } = counting("a=b", "cat");
    const document = { ...rest, nodes: nodes.map((one) => (one.name === "mark" ? mark : one)) };
    const { issues } = module.streams.check(document as never);
    expect(issues.map(({ message }) => message).join()).toContain("cannot be placed");
  });
});
