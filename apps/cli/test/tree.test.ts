import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, type Outcome, start, startNode, type TestNode, temporaryFolder } from "./helpers.ts";

let node: TestNode;
const folder = temporaryFolder();
const agents = new Map<string, ChildProcess>();

const metanode = (...args: string[]): Promise<Outcome> => node.metanode(args);
const json = async (...args: string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await metanode(...args, "-o", "json")).stdout) as never;

/** Paths and states of all nodes. */
async function tree(): Promise<string[]> {
  const { nodes } = (await json("tree")) as { nodes: { path: string; state: string }[] };
  return nodes.map(({ path, state }) => `${path} ${state}`);
}

/** An agent in a process of its own, as a user starts it. */
function agent(name: string, ...flags: string[]): ChildProcess {
  const child = start(
    ["agent", "--name", name, "--data", join(folder.path, name), "--config", join(folder.path, "agent.yaml"), ...flags],
    {
      cwd: folder.path,
    },
  );
  child.stderr?.resume();
  agents.set(name, child);
  return child;
}

async function end(name: string, signal: NodeJS.Signals): Promise<number | null> {
  const child = agents.get(name) as ChildProcess;
  const ended = once(child, "exit") as Promise<[number | null]>;
  child.kill(signal);
  return (await ended)[0];
}

const token = async (...flags: string[]): Promise<string> => (await metanode("join", "token", ...flags)).stdout.trim();

beforeAll(async () => {
  node = await startNode([], { name: "root" });
  writeFileSync(
    join(folder.path, "agent.yaml"),
    [
      "processors:",
      `  - { name: texts, file: ${JSON.stringify(fixture("text.ts"))} }`,
      "host:",
      "  rules:",
      '    - { verbs: [exec], paths: [sh, echo, sleep], callers: ["admin:*"], env: ["*"] }',
      `    - { verbs: [push, pull], paths: [${JSON.stringify(`${folder.path}/**`)}], callers: ["admin:*"] }`,
      `    - { verbs: [log], paths: [${JSON.stringify(`${folder.path}/**`)}], callers: ["admin:*"] }`,
      "",
    ].join("\n"),
  );
});

afterAll(async () => {
  for (const [name, child] of agents) if (child.exitCode === null && child.signalCode === null) await end(name, "SIGKILL");
  await node[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe("a tree from the command line", () => {
  test("M-61, C7-1: three nodes with three commands: a token, and two agents that come with it", async () => {
    const text = await token("--uses", "2", "--ttl", "10m");
    agent("eu", "--token", text, "--label", "region=eu");
    agent("us", "--token", text, "--label", "region=us");
    await expect.poll(tree, { timeout: 20_000 }).toEqual(["/root free", "/root/eu managed", "/root/us managed"]);
    const { stdout } = await metanode("tree", "--where", "region=eu");
    expect(stdout).toMatch(/\/root\/eu +managed +1 .*region=eu/);
    const listed = (await json("join", "ls")) as { items: { usedBy: string[] }[] };
    expect(listed.items[0]?.usedBy).toHaveLength(2);
  });

  test("all nodes answer, each on a line; the exit status says whether the policy is met", async () => {
    const all = await metanode("all", "metanode.node.ping");
    expect(all.status).toBe(0);
    expect(all.stdout.split("\n").filter((line) => /^\/root\S* +ok /.test(line))).toHaveLength(3);
    expect(all.stderr).toContain("3 ok; policy all is met");
    const dry = await metanode("all", "metanode.node.ping", "--where", "region=us", "--dry-run");
    expect(dry.stdout.trim()).toBe("/root/us");
    const none = await metanode("all", "no.such.type", "--where", "region=eu", "--policy", "1");
    expect([none.status, none.stdout]).toEqual([8, expect.stringContaining("message.unknown_type")]);
    expect((await metanode("all", "metanode.node.ping", "--where", "region=")).status).toBe(2);
  });

  test("a message goes to one of them by path, and says so when that leads nowhere", async () => {
    const sent = await metanode("host", "facts", "/root/eu", "-o", "json");
    expect(JSON.parse(sent.stdout)).toMatchObject({ os: expect.anything() });
    const lost = await metanode("host", "facts", "/root/mars");
    expect([lost.status, lost.stderr]).toEqual([3, expect.stringContaining("resource.not_found")]);
  });

  test("M-64: a program on the host of a node: its output, its exit status, its time", async () => {
    const done = await metanode(
      "host",
      "exec",
      "/root/eu",
      "--env",
      "WHO=anna",
      "--",
      "sh",
      "-c",
      "echo out $WHO; echo err >&2; exit 7",
    );
    expect([done.status, done.stdout, done.stderr]).toEqual([7, "out anna\n", "err\n"]);
    const late = await metanode("host", "exec", "/root/eu", "--timeout", "300ms", "--", "sleep", "60");
    expect(late.status).toBe(124);
    const denied = await metanode("host", "exec", "/root/eu", "--", "rm", "-rf", "/tmp/x");
    expect([denied.status, denied.stderr]).toEqual([5, expect.stringContaining("auth.denied")]);
  });

  test("M-64: files go there and back, checked", async () => {
    const local = join(folder.path, "local.bin");
    writeFileSync(local, Buffer.alloc(1_300_000, "metanode"));
    const remote = join(folder.path, "remote.bin");
    const pushed = await metanode("host", "push", "/root/us", local, remote);
    expect(pushed.status, pushed.stderr).toBe(0);
    expect(readFileSync(remote).equals(readFileSync(local))).toBe(true);
    const back = join(folder.path, "back.bin");
    expect((await metanode("host", "pull", "/root/us", remote, back)).status).toBe(0);
    expect(readFileSync(back).equals(readFileSync(local))).toBe(true);
    expect((await metanode("host", "pull", "/root/us", "/etc/passwd", "-")).status).toBe(5);
    expect((await metanode("host", "log", "/root/us", remote, "--tail", "1")).stdout).toContain("metanode");
  });

  test("M-72: a node is named the standby", async () => {
    expect((await metanode("standby")).stdout.trim()).toBe("nobody stands by for it");
    expect((await metanode("standby", "/root/eu")).stdout.trim()).toBe("eu stands by for it");
    expect((await metanode("standby", "--under", "/root/eu")).stdout.trim()).toContain("stands by for root; ");
    expect((await metanode("standby", "--none")).stdout.trim()).toBe("nobody stands by for it");
  });

  test("labels, maintenance and a move", async () => {
    expect((await metanode("label", "/root/us", "rack=r3", "region-")).stdout.trim()).toBe("rack=r3");
    expect((await metanode("maintain", "/root/us", "on", "--reason", "new disk", "--wait", "10s")).stdout.trim()).toBe(
      "/root/us is drained",
    );
    expect(await tree()).toContain("/root/us maintenance");
    expect((await metanode("maintain", "/root/eu", "on")).status).toBe(4);
    expect((await metanode("maintain", "/root/us", "off")).stdout.trim()).toBe("/root/us is active");
    expect((await metanode("move", "/root/us", "/root/eu")).stdout.trim()).toBe("us lives at /root/eu/us now");
    await expect.poll(tree).toEqual(["/root free", "/root/eu managed", "/root/eu/us managed"]);
    expect((await metanode("host", "facts", "/root/us")).stderr).toContain("tree.moved");
    await metanode("move", "/root/eu/us", "/root");
    await expect.poll(tree).toContain("/root/us managed");
  });

  test("M-55, M-59: a rollout runs a command for one node after the other, and the first failure leaves the rest as they were", async () => {
    const marks = join(folder.path, "marks");
    const done = await metanode("rollout", "--where", "name=eu | name=us", "--", "sh", "-c", `echo {name} >> ${marks}`);
    expect(done.status, done.stderr).toBe(0);
    expect(readFileSync(marks, "utf8").split("\n").sort().join(" ").trim()).toBe("eu us");
    const failed = await metanode("rollout", "--where", "name=eu | name=us", "--", "false");
    expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining("the rest is as it was")]);
    const states = await tree();
    expect(states.filter((line) => line.endsWith("maintenance"))).toHaveLength(1);
    const stuck = states.find((line) => line.endsWith("maintenance"))?.split(" ")[0] ?? "";
    expect((await metanode("maintain", stuck, "off")).status).toBe(0);
  });

  test("M-40: an agent without a token waits until somebody approves", async () => {
    const { address } = await json("tree", "-o", "json").then(async () => {
      const response = await fetch(`${node.url}/api/v1/tree/node`, {
        headers: { authorization: `Bearer ${readFileSync(join(node.folder, ".metanode/token"), "utf8").trim()}` },
      });
      return (await response.json()) as { address: string };
    });
    agent("late", "--join", address);
    await expect.poll(tree, { timeout: 20_000 }).toContain("/root/late pending");
    expect((await metanode("join", "approve", "/root/late")).stdout).toContain("/root/late is managed");
    expect(await tree()).toContain("/root/late managed");
  });

  test("an agent that is killed comes back as what it was, without a token; one that is told to stop ends well", async () => {
    await end("eu", "SIGKILL");
    await expect.poll(tree, { timeout: 20_000 }).toContain("/root/eu unreachable");
    const partial = await metanode("all", "metanode.node.ping", "--policy", "90%");
    expect([partial.status, partial.stdout]).toEqual([8, expect.stringContaining("/root/eu  unreachable")]);
    agent("eu");
    await expect.poll(tree, { timeout: 20_000 }).toContain("/root/eu managed");
    expect((await metanode("release", "/root/eu")).stdout.trim()).toBe("eu goes on alone");
    expect(await end("eu", "SIGTERM")).toBe(0);
    expect(existsSync(join(folder.path, "eu", "tree"))).toBe(true);
  });

  test("M-52: the root gives its place to its standby, and is a node as the others are", async () => {
    expect((await metanode("standby", "--hand-over")).stderr).toContain("state.conflict");
    expect((await metanode("standby", "/root/us")).stdout.trim()).toBe("us stands by for it");
    expect((await metanode("standby", "/root/us", "--hand-over")).status).toBe(2);
    expect((await metanode("standby", "--hand-over")).stdout.trim()).toBe("stands by for us");
    expect(await tree()).toEqual(["/root/root managed"]);
  });

  test("what was done is written down, with who did it", async () => {
    const { stdout } = await metanode("join", "audit");
    expect(stdout).toMatch(/admin:\S+ +release +eu +ok/);
    expect(stdout).toMatch(/maintain +\/root\/eu +state\.conflict/);
  });
});
