import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { start, startNode, type TestNode, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  await node.metanode(["call", "text.echo", "1", "--id", "first"]);
  await node.metanode(["call", "text.picky", "{}", "--id", "bad"]);
});
afterAll(() => node[Symbol.asyncDispose]());

interface Step {
  readonly sequence: number;
  readonly kind: string;
  readonly what: string;
  readonly type: string;
  readonly traceId?: string;
}

function stepsOf(text: string): Step[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** A command that goes on, with what it has said so far. */
function following(args: readonly string[]): { child: ChildProcess; said: () => string; talk: () => string } {
  const child = start(["events", "-f", "-v", ...args], { cwd: node.folder });
  let said = "";
  let talk = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    talk += chunk;
  });
  return { child, said: () => said, talk: () => talk };
}

/** Passes connections on to the node, and can cut them. */
async function wire(): Promise<{ url: string; cut: () => void; mend: () => Promise<void> } & AsyncDisposable> {
  const target = new URL(node.url);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const inner = connect(Number(target.port), target.hostname);
    for (const one of [socket, inner]) {
      open.add(one);
      one.on("error", () => undefined).on("close", () => open.delete(one));
    }
    socket.pipe(inner).pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    server.close();
    for (const one of open) one.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    mend: async () => void (await once(server.listen(port, "127.0.0.1"), "listening")),
    [Symbol.asyncDispose]: async () => cut(),
  };
}

describe("metanode events", () => {
  test("shows what the node remembers, the oldest first, and ends", async () => {
    const { status, stdout } = await node.metanode(["events"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\S+Z {2}message {4}text\.echo {2}first {2}by \S+ {2}in \d+\.\dms/m);
    expect(stdout).toMatch(/^\S+Z {2}message {4}text\.picky {2}bad .* processor\.failed/m);
    const all = stepsOf((await node.metanode(["events", "-o", "json"])).stdout);
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_step, index) => index + 1));
    const messages = stepsOf((await node.metanode(["events", "--kind", "message", "-o", "json"])).stdout);
    expect(messages.map(({ what }) => what).slice(0, 2)).toEqual(["first", "bad"]);
    expect(stepsOf((await node.metanode(["events", "--kind", "graph", "-o", "json"])).stdout)).toEqual([]);
  });

  test("shows the last ones where more is remembered than one gets at once", { timeout: 60_000 }, async () => {
    await using own = await startNode();
    const lines = Array.from({ length: 1_100 }, (_none, index) => `${index}\n`).join("");
    await own.metanode(["send", "text.echo", "--cast", "--ndjson"], { stdin: lines });
    const stepsNow = async (): Promise<Step[]> => stepsOf((await own.metanode(["events", "-o", "json"])).stdout);
    await until(async () => ((await stepsNow()).at(-1)?.sequence ?? 0) > 1_100);
    const steps = await stepsNow();
    expect(steps).toHaveLength(900);
    expect(steps.at(-1)?.sequence).toBe((steps[0]?.sequence ?? 0) + 899);
  });

  test("refuses a kind that there is not", async () => {
    expect(await node.metanode(["events", "--kind", "weather"])).toMatchObject({ status: 2, stdout: "" });
    expect(await node.metanode(["events", "-f", "--kind", "weather"])).toMatchObject({ status: 2, stdout: "" });
  });

  test("goes on after the last step when the connection breaks: none is lost and none comes twice", async () => {
    await using line = await wire();
    const token = ["--data", join(node.folder, ".metanode"), "--url", line.url];
    const { child, said, talk } = following(["--kind", "message", "-o", "json", ...token]);
    await until(() => talk().includes(" 200 "));
    await node.metanode(["call", "text.echo", "1", "--id", "before"]);
    await until(() => said().includes('"before"'));
    line.cut();
    await node.metanode(["call", "text.echo", "1", "--id", "meanwhile"]);
    await line.mend();
    await until(() => said().includes('"meanwhile"'));
    await node.metanode(["call", "text.echo", "1", "--id", "after"]);
    await until(() => said().includes('"after"'));
    child.kill("SIGINT");
    const [status, signal] = await once(child, "close");
    // What a shell calls 130.
    expect({ status, signal }).toEqual({ status: null, signal: "SIGINT" });
    expect(stepsOf(said()).map(({ what }) => what)).toEqual(["before", "meanwhile", "after"]);
    expect(talk()).toMatch(/; trying again, and going on where it ended$/m);
    expect(talk()).not.toContain("missed");
  });
});

describe("metanode messages and trace", () => {
  test("list messages, and the way of one", async () => {
    const { status, stdout } = await node.metanode(["messages", "--type", "text.echo"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^AT +TYPE +ID +BY +MS +ERROR +TRACE$/m);
    const failed = JSON.parse((await node.metanode(["messages", "--failed", "-o", "json"])).stdout);
    expect(failed.items).toMatchObject([{ what: "bad", code: "processor.failed" }]);
    const whats = async (...flags: string[]) =>
      JSON.parse((await node.metanode(["messages", ...flags, "-o", "json"])).stdout).items.map(
        ({ what }: { what: string }) => what,
      );
    expect(await whats("--code", "processor.failed")).toEqual(["bad"]);
    expect(await whats("--code", "call.deadline")).toEqual([]);
    expect(await whats("--member", "nobody")).toEqual([]);
    const trace = await node.metanode(["trace", failed.items[0].traceId]);
    expect(trace.status).toBe(0);
    expect(trace.stdout).toMatch(/^ *\+0ms +message +text\.picky +bad .*processor\.failed$/m);
    expect((await node.metanode(["messages", "--limit", "1"])).stderr).toMatch(/^there are more: --cursor \d+$/m);
  });

  test("end with the status of their error", async () => {
    expect(await node.metanode(["trace", "0".repeat(32)])).toMatchObject({ status: 3 });
    expect(await node.metanode(["trace", "mine"])).toMatchObject({ status: 2 });
    expect(await node.metanode(["messages", "--cursor", "mine"])).toMatchObject({ status: 2 });
  });
});

describe("metanode console", () => {
  test("prints the address with the token, and says whose it is", async () => {
    const { status, stdout, stderr } = await node.metanode(["console"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/console\/#token=\S+\n$/);
    expect(stdout.startsWith(node.url)).toBe(true);
    expect(stderr).toMatch(/^signs in as \S+, admin/);
    expect((await fetch(stdout.trim())).status).toBe(200);
    expect((await node.metanode(["console", "--no-open"])).stdout).toBe(stdout);
    const piped = await node.metanode(["console", "--open"]);
    expect(piped.stderr).toContain("there is no terminal");
  });

  test("takes the token that was named, and prints no address for one that is refused", async () => {
    const token = (await node.metanode(["token", "create", "guest", "--role", "viewer"])).stdout.trim();
    const { stdout } = await node.metanode(["console", "-o", "json"], { env: { METANODE_TOKEN: token } });
    expect(JSON.parse(stdout)).toMatchObject({ url: `${node.url}/console/#token=${token}`, name: "guest", role: "viewer" });
    expect(await node.metanode(["console", "--token", "wrong-token"])).toMatchObject({ status: 5, stdout: "" });
  });
});
