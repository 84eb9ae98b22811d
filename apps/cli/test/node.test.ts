import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, start, startNode, type TestNode, temporaryFolder, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

interface Found {
  readonly check: string;
  readonly status: string;
  readonly found?: string;
  readonly advice?: string;
}

async function doctor(
  cwd: string,
  ...args: string[]
): Promise<{ status: number | null; of: (check: string) => Found | undefined }> {
  const { status, stdout } = await run(["doctor", "-o", "json", ...args], { cwd });
  const items: Found[] = JSON.parse(stdout).items;
  return { status, of: (check) => items.find((one) => one.check === check) };
}

describe("metanode up", () => {
  test("runs a node until SIGTERM, then ends with its status and leaves nothing running", async () => {
    await using own = await startNode();
    expect(own.said()).toMatch(/^metanode ready at http:\/\/127\.0\.0\.1:\d+ /);
    const { pid } = JSON.parse((await own.metanode(["call", "text.echo", '{"pid":1}', "-o", "json"])).stdout);
    expect(pid).toBe(1);
    own.process.kill("SIGTERM");
    const [status, signal] = await once(own.process, "exit");
    expect({ status, signal }).toEqual({ status: 0, signal: null });
    expect(existsSync(join(own.folder, ".metanode", "gateway.json"))).toBe(false);
    await expect(fetch(`${own.url}/healthz`)).rejects.toThrow();
  });

  test("takes a signal that comes twice at once, as under npm, for one: calls under way are finished", async () => {
    await using own = await startNode();
    const gate = join(own.folder, "gate");
    const call = own.metanode(["call", "text.gate", JSON.stringify(gate)]);
    await until(async () => (await own.metanode(["processor", "ls", "-o", "json"])).stdout.includes('"inFlight": 1'));
    own.process.kill("SIGINT");
    await until(() => !existsSync(join(own.folder, ".metanode", "gateway.json"))); // it has begun to stop
    own.process.kill("SIGINT");
    writeFileSync(gate, "");
    expect(await call).toMatchObject({ status: 0, stdout: "open\n" });
    if (own.process.exitCode === null) await once(own.process, "exit");
    expect(own.process.exitCode).toBe(0);
  });

  test("leaves no node behind that holds the folder when it is killed: calls under way are finished", async () => {
    await using own = await startNode();
    const gate = join(own.folder, "gate");
    const call = own.metanode(["call", "text.gate", JSON.stringify(gate)]);
    await until(async () => (await own.metanode(["processor", "ls", "-o", "json"])).stdout.includes('"inFlight": 1'));
    own.process.kill("SIGKILL");
    await until(() => !existsSync(join(own.folder, ".metanode", "gateway.json"))); // it has begun to stop
    expect((await doctor(own.folder)).of("lock")).toMatchObject({ status: "warn" });
    writeFileSync(gate, "");
    expect(await call).toMatchObject({ status: 0, stdout: "open\n" });
    await until(async () => (await doctor(own.folder)).of("lock")?.found === "free");
  });

  test("ends its node when npx, which does not hand signals on, is told to end", async () => {
    using folder = temporaryFolder();
    symlinkSync(fileURLToPath(new URL("../../../node_modules", import.meta.url)), join(folder.path, "node_modules"));
    const { PATH = "" } = process.env;
    const env = { PATH, HOME: folder.path, METANODE_LISTEN_PORT: "0", METANODE_LOG_LEVEL: "silent" };
    const npx = spawn("npx", ["metanode", "up"], { cwd: folder.path, env, stdio: "ignore" });
    await until(() => existsSync(join(folder.path, ".metanode", "gateway.json")));
    npx.kill("SIGTERM");
    await until(async () => (await doctor(folder.path)).of("lock")?.found === "free");
    expect(existsSync(join(folder.path, ".metanode", "gateway.json"))).toBe(false);
  });

  test("hands its flags to the node, and the node's failure to the shell", async () => {
    using folder = temporaryFolder();
    const printed = await run(["up", "--name", "eu", "--port", "0", "--data", "here", "--print-config"], { cwd: folder.path });
    expect(printed.status).toBe(0);
    expect(printed.stdout).toContain("name: eu");
    const inUse = await run(["up", "--data", join(node.folder, ".metanode"), "--port", "0"], { cwd: folder.path });
    expect(inUse.status).toBe(1);
    expect(inUse.stderr).toMatch(/^error node\.data_in_use: /m);
    const wrong = await run(["up", "--log-level", "loud"], { cwd: folder.path });
    expect(wrong.status).toBe(2);
  });
});

describe("metanode down", () => {
  test("stops the node of the folder, and ends when the next one can have it", async () => {
    await using own = await startNode();
    const file = join(own.folder, ".metanode", "gateway.json");
    const { pid } = JSON.parse(readFileSync(file, "utf8"));
    const isEnded = once(own.process, "exit");
    const outcome = await own.metanode(["down", "-o", "json"]);
    expect(outcome.status).toBe(0);
    expect(JSON.parse(outcome.stdout)).toEqual({ data: ".metanode", pid });
    expect((await doctor(own.folder)).of("lock")).toMatchObject({ found: "free" });
    expect(existsSync(file)).toBe(false);
    expect(await isEnded).toEqual([0, null]);
  });

  test("waits as long as it is told to, and takes nothing from the time that the node has for its calls", async () => {
    await using own = await startNode();
    const gate = join(own.folder, "gate");
    const call = own.metanode(["call", "text.gate", JSON.stringify(gate)]);
    await until(async () => (await own.metanode(["processor", "ls", "-o", "json"])).stdout.includes('"inFlight": 1'));
    const late = await own.metanode(["down", "--timeout", "300ms"]);
    expect(late.status).toBe(7);
    expect(late.stderr).toMatch(
      /^error call\.deadline: the node of \.metanode still runs after 300ms: process \d+ was told to stop/,
    );
    writeFileSync(gate, "");
    expect(await call).toMatchObject({ status: 0, stdout: "open\n" });
  });

  test("ends with status 3 where none runs, and leaves alone whoever has the process id of one that was killed", async () => {
    using folder = temporaryFolder();
    const none = await run(["down"], { cwd: folder.path });
    expect(none).toMatchObject({ status: 3, stdout: "" });
    expect(none.stderr).toMatch(/^error resource\.not_found: no node runs on the data folder \.metanode/);
    const other = spawn("sleep", ["60"]);
    writeFileSync(join(folder.path, "gateway.json"), JSON.stringify({ url: "http://127.0.0.1:9", pid: other.pid }));
    expect((await run(["down", "--data", "."], { cwd: folder.path })).status).toBe(3);
    expect(other.kill("SIGKILL")).toBe(true);
    expect(await once(other, "exit")).toEqual([null, "SIGKILL"]);
  });
});

describe("metanode status", () => {
  test("shows node, health, processors, types and backlog", async () => {
    await node.metanode(["call", "text.echo", "1"]);
    const { status, stdout } = await node.metanode(["status"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^node +node \(\S+\) at http/);
    expect(stdout).toMatch(/^health +ok$/m);
    expect(stdout).toMatch(/^text +ready +1\/1/m);
    expect(stdout).toMatch(/^text\.echo +1 +\d+\.\d/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("has the API's own answers in it for programs", async () => {
    const status = JSON.parse((await node.metanode(["status", "-o", "json"])).stdout);
    expect(status).toMatchObject({
      node: { name: "node", state: "running", url: node.url, deadLetters: 0 },
      processors: [{ name: "text" }],
    });
    expect(status.types.map(({ type }: { type: string }) => type)).toContain("text.upper");
  });

  test("goes on with --watch, one line of JSON for each look", async () => {
    const child = start(["status", "--watch", "--interval", "10ms", "-o", "json"], { cwd: node.folder });
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk;
    });
    await until(() => seen.split("\n").length > 3);
    child.kill("SIGTERM");
    for (const line of seen.split("\n").slice(0, 3)) expect(JSON.parse(line)).toMatchObject({ node: { state: "running" } });
  });
});

describe("a command without its node", () => {
  test("says that none runs, and how to start one, with status 6", async () => {
    using folder = temporaryFolder();
    const outcome = await run(["status"], { cwd: folder.path });
    expect(outcome).toMatchObject({ status: 6, stdout: "" });
    expect(outcome.stderr).toMatch(
      /^error node\.unreachable: no node runs on the data folder \.metanode; start one with `metanode up`.*\n$/,
    );
  });

  test("says that nobody listens at an address", async () => {
    using folder = temporaryFolder();
    const outcome = await run(["types", "--url", "http://127.0.0.1:9", "-o", "json"], { cwd: folder.path });
    expect(outcome.status).toBe(6);
    expect(JSON.parse(outcome.stderr)).toMatchObject({
      code: "node.unreachable",
      retryable: true,
      details: { source: "flag --url" },
    });
  });

  test("does not take another server for a node", async () => {
    using folder = temporaryFolder();
    const server = createServer((_request, response) =>
      response.writeHead(404, { "content-type": "text/html" }).end("<h1>no</h1>"),
    ).listen(0);
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const outcome = await run(["types", "--url", url], { cwd: folder.path });
    server.close();
    expect(outcome.status).toBe(6);
    expect(outcome.stderr).toContain("is no node");
  });

  test("is refused with status 5 for a wrong token", async () => {
    const outcome = await node.metanode(["types", "--token", "wrong-token-wrong-token"]);
    expect(outcome).toMatchObject({ status: 5, stdout: "" });
    expect(outcome.stderr).toMatch(/^error auth\.unauthenticated: /);
  });
});

describe("metanode doctor", () => {
  test("finds a running node well", async () => {
    const { status, of } = await doctor(node.folder);
    expect(status).toBe(0);
    for (const check of ["node", "data folder", "lock", "token", "socket path", "port", "node answers"])
      expect(of(check)).toMatchObject({ status: "ok" });
    expect(of("python3")).toMatchObject({ status: "info" });
    const people = await node.metanode(["doctor"]);
    expect(people.stdout).toMatch(/^ok +node answers +node is running, health ok$/m);
    expect(people.stderr).toMatch(/^0 wrong, /);
  });

  test("finds a token that others may read, and says how to mend it", async () => {
    const file = join(node.folder, ".metanode", "token");
    chmodSync(file, 0o644);
    const { status, of } = await doctor(node.folder);
    chmodSync(file, 0o600);
    expect(status).toBe(1);
    expect(of("token")).toMatchObject({
      status: "fail",
      found: expect.stringContaining("mode 0644"),
      advice: expect.stringContaining("chmod 600"),
    });
  });

  test("finds a data folder that cannot be written", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "file"), "");
    const { status, of } = await doctor(folder.path, "--data", "file/data");
    expect(status).toBe(1);
    expect(of("data folder")).toMatchObject({ status: "fail", advice: expect.any(String) });
  });

  test("finds a node that ended without a word", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "gateway.json"), JSON.stringify({ url: "http://127.0.0.1:9", pid: 1 }));
    const { status, of } = await doctor(folder.path, "--data", ".");
    expect(status).toBe(1);
    expect(of("node answers")).toMatchObject({ status: "fail", advice: expect.stringContaining("ended without a word") });
  });

  test("finds nothing wrong where nothing has run yet", async () => {
    using folder = temporaryFolder();
    const { status, of } = await doctor(folder.path);
    expect(status).toBe(0);
    expect(of("data folder")).toMatchObject({ status: "info" });
    expect(of("node answers")).toMatchObject({ status: "info" });
  });

  test("knows that a socket's path has a limit", async () => {
    using folder = temporaryFolder();
    const { of } = await doctor(folder.path, "--data", "long".repeat(30));
    expect(of("socket path")).toMatchObject({ status: "info", found: expect.stringContaining("temporary files") });
  });

  test("tells of a processor that does not start, as does the status", async () => {
    await using own = await startNode([
      { name: "broken", command: [process.execPath, "-e", "process.exit(3)"], restart: { quarantineAfter: 1 } },
    ]);
    await until(async () => (await own.metanode(["processor", "get", "broken"])).stdout.includes("quarantined"));
    const { status, of } = await doctor(own.folder);
    expect(status).toBe(0);
    expect(of("node answers")).toMatchObject({ status: "warn", found: expect.stringMatching(/degraded: .*broken.*exit code 3/) });
    expect((await own.metanode(["status"])).stdout).toMatch(
      /^health +degraded: processors: 1 of 1 processes of broken are down: .*exit code 3/m,
    );
  });
});
