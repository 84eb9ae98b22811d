import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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

interface Agent {
  readonly child: ChildProcess;
  readonly token: string;
  readonly address: string;
}

/** An agent in a process of its own; with a folder it is the same node as before, at the address where its manager looks for it. */
async function begin(name: string, labels: Record<string, string>, listen = "127.0.0.1:0", own = ""): Promise<Agent> {
  const child = fork(PROGRAM, [name, JSON.stringify(labels), listen, own], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  const [said] = (await once(child, "message")) as [{ token: string; address: string }];
  return { child, ...said };
}

/** An agent in a process of its own, adopted. */
async function agent(name: string, labels: Record<string, string>): Promise<ChildProcess> {
  const { child, token } = await begin(name, labels);
  await tree.tree.adopt(token);
  return child;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
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

describe("a source that is read on another node", () => {
  const file = (): string => join(folder, "access.log");
  /** A file that grows on another node, copied here. */
  const copying = (source: object) => ({
    name: "placed",
    expression: "there; keep",
    nodes: [
      { name: "there", on: "role=web", ...source },
      { name: "keep", action: "file.write", with: { path: join(folder, "out") } },
    ],
  });
  const growing = () => copying({ action: "file.read", with: { path: file(), follow: true } });
  const write = (from: number, to: number): void =>
    appendFileSync(file(), Array.from({ length: to - from }, (_, n) => `${from + n}\n`).join(""));
  const numbers = (to: number): string[] => Array.from({ length: to }, (_, n) => String(n));
  const copied = (to: number) => expect.poll(() => out().length, { timeout: 20_000 }).toBe(to);

  test("gives its records there, in order and each once, and reads on behind them in the next run", async () => {
    write(0, 500);
    await agent("db", { role: "db" });
    await agent("web", { role: "web" });
    await module.streams.apply(growing());
    await module.streams.run("placed");
    await copied(500);
    write(500, 1_000);
    await copied(1_000);
    await module.streams.stop("placed");
    write(1_000, 1_500);
    await module.streams.run("placed");
    await copied(1_500);
    expect(out()).toEqual(numbers(1_500));
  });

  test("stays with its node: the graph waits while that is dead, others that fit are left alone, and no record is lost", async () => {
    write(0, 300);
    const own = join(folder, "web");
    const web = await begin("web", { role: "web" }, "127.0.0.1:0", own);
    await tree.tree.adopt(web.token);
    await module.streams.apply(growing());
    await module.streams.run("placed");
    await copied(300);
    web.child.kill("SIGKILL");
    await once(web.child, "exit");
    await agent("other", { role: "web" });
    write(300, 600);
    const said = (): number =>
      module.streams
        .graph("placed")
        .log.last(100)
        .filter(({ text }) => text.includes("only it knows where to read on")).length;
    await expect.poll(said, { timeout: 20_000 }).toBe(1);
    expect(out()).toEqual(numbers(300));
    // It can be stopped meanwhile, and waits again.
    await module.streams.stop("placed");
    expect(module.streams.status("placed")?.state ?? "stopped").toBe("stopped");
    await module.streams.run("placed");
    await expect.poll(said).toBe(2);
    await begin("web", { role: "web" }, web.address, own);
    await copied(600);
    expect(out()).toEqual(numbers(600));
    expect(said(), "once for each wait").toBe(2);
  });

  test("goes on where it was after its node was frozen for so long that the link broke", async () => {
    write(0, 300);
    const { pid = 0 } = await agent("web", { role: "web" });
    await module.streams.apply(growing());
    await module.streams.run("placed");
    await copied(300);
    process.kill(pid, "SIGSTOP");
    write(300, 600);
    const retries = (): number => module.streams.status("placed")?.nodes.find((one) => one.name === "there")?.counts.retries ?? 0;
    await expect.poll(retries, { timeout: 20_000 }).toBeGreaterThan(0);
    process.kill(pid, "SIGCONT");
    await copied(600);
    expect(out()).toEqual(numbers(600));
  });

  test("does not keep its node from maintenance, and reads on when that is over", async () => {
    write(0, 300);
    await agent("web", { role: "web" });
    await module.streams.apply(growing());
    await module.streams.run("placed");
    await copied(300);
    const maintain = (on: boolean) =>
      node.call({ type: "metanode.tree.maintain", data: { node: "/root/web", on, waitMs: 10_000 } });
    expect(await maintain(true)).toMatchObject({ drained: true });
    await maintain(false);
    write(300, 600);
    await copied(600);
    expect(out()).toEqual(numbers(600));
  });

  test("does not keep its node from ending while the graph takes nothing", async () => {
    write(0, 2_000_000);
    const web = await agent("web", { role: "web" });
    const { nodes, ...rest } = growing();
    const document = { ...rest, nodes: nodes.map((one) => (one.name === "keep" ? { name: "keep", command: "sleep 600" } : one)) };
    await module.streams.apply(document as never);
    await module.streams.run("placed");
    const given = (): number => module.streams.status("placed")?.nodes.find((one) => one.name === "there")?.out ?? 0;
    await expect.poll(given, { timeout: 10_000 }).toBeGreaterThan(0);
    web.send("drain");
    const [code] = (await once(web, "exit")) as [number | null];
    expect(code).toBe(0);
  });

  test("learns what is through: a log there gives as much as it may have under way, again and again", async () => {
    const web = await agent("web", { role: "web" });
    web.send(numbers(200));
    await module.streams.apply(copying({ action: "log.read", with: { stream: "orders", maxInFlight: 8 } }));
    await module.streams.run("placed");
    await copied(200);
    expect(out()).toEqual(numbers(200));
  });

  test("may be a program, which runs there, and ends with the run", async () => {
    await agent("web", { role: "web" });
    await module.streams.apply(copying({ command: "sh -c 'echo $PPID; echo $$; exec sleep 600'" }));
    await module.streams.run("placed");
    await copied(2);
    const [parent, program] = out().map(Number);
    expect(parent).toBe(children[0]?.pid);
    await module.streams.stop("placed");
    await expect.poll(() => isRunning(program ?? 0)).toBe(false);
  });

  test("is refused where somebody waits for what becomes of the records", () => {
    const { issues } = module.streams.check(copying({ action: "router.receive", with: { type: "order", answer: "settled" } }));
    expect(issues.map(({ message }) => message).join()).toContain("cannot be placed");
  });
});
