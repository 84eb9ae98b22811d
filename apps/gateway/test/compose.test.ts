import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { GATEWAY_FILE, openGateway, TOKEN_FILE } from "../src/index.ts";
import { problemOf, silent, type TempFolder, tempFolder, testGateway } from "./harness.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o777;

function open(folder: TempFolder, port = 0) {
  return openGateway({ data: folder.path, listen: { port }, logger: silent });
}

describe("the token", () => {
  test("is made at the first start, for the owner's eyes only, and stays the same", async () => {
    using folder = tempFolder();
    let first = "";
    {
      await using gateway = await open(folder);
      first = gateway.token;
      expect(first).toMatch(/^[A-Za-z0-9_-]{43}$/);
      expect(readFileSync(folder.file(TOKEN_FILE), "utf8")).toBe(`${first}\n`);
      expect(modeOf(folder.file(TOKEN_FILE))).toBe(0o600);
    }
    await using again = await open(folder);
    expect(again.token).toBe(first);
  });

  test("that others could read is private again after a start", async () => {
    using folder = tempFolder();
    await (await open(folder)).close();
    chmodSync(folder.file(TOKEN_FILE), 0o644);
    await using _gateway = await open(folder);
    expect(modeOf(folder.file(TOKEN_FILE))).toBe(0o600);
  });

  test("that is configured is used, and nothing is written down", async () => {
    using folder = tempFolder();
    await using gateway = await openGateway({
      data: folder.path,
      listen: { port: 0 },
      logger: silent,
      token: "configured-elsewhere",
    });
    expect(gateway.token).toBe("configured-elsewhere");
    expect(existsSync(folder.file(TOKEN_FILE))).toBe(false);
  });

  test("whose file is empty is config.invalid, and the folder is free again", async () => {
    using folder = tempFolder();
    writeFileSync(folder.file(TOKEN_FILE), "");
    await expect(open(folder)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("it holds no token"),
    });
    writeFileSync(folder.file(TOKEN_FILE), "good-enough-a-token");
    await using gateway = await open(folder);
    expect(gateway.token).toBe("good-enough-a-token");
  });
});

describe("a running gateway", () => {
  test("says in its data folder how it is reached, for the owner only, until it ends", async () => {
    using folder = tempFolder();
    const gateway = await open(folder);
    expect(JSON.parse(readFileSync(folder.file(GATEWAY_FILE), "utf8"))).toEqual({ url: gateway.url, pid: process.pid });
    expect(modeOf(folder.file(GATEWAY_FILE))).toBe(0o600);
    await gateway.drain();
    expect(existsSync(folder.file(GATEWAY_FILE))).toBe(false);
    expect(await gateway.closed).toBeUndefined();
  });

  test("ends with its node", async () => {
    using folder = tempFolder();
    const gateway = await open(folder);
    await gateway.node.close();
    expect(await gateway.closed).toBeUndefined();
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow("fetch failed");
  });
});

describe("a start that cannot be", () => {
  test("because the port is taken is node.port_in_use, and leaves the data folder free", async () => {
    using folder = tempFolder();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(open(folder, port)).rejects.toMatchObject({
      code: "node.port_in_use",
      message: expect.stringContaining("METANODE_LISTEN_PORT"),
      details: { port },
    });
    expect(existsSync(folder.file(GATEWAY_FILE))).toBe(false);
    await new Promise((resolve) => other.close(resolve));
    await using gateway = await open(folder, port);
    expect(gateway.url).toBe(`http://127.0.0.1:${port}`);
  });

  test("because another gateway has the data folder is node.data_in_use, and leaves that one serving", async () => {
    using folder = tempFolder();
    await using first = await open(folder);
    await expect(open(folder)).rejects.toMatchObject({ code: "node.data_in_use" });
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
    expect(JSON.parse(readFileSync(folder.file(GATEWAY_FILE), "utf8"))).toMatchObject({ url: first.url });
  });

  test("because of an address that is not of this machine is config.invalid", async () => {
    using folder = tempFolder();
    const opening = openGateway({ data: folder.path, listen: { host: "192.0.2.1", port: 0 }, logger: silent });
    await expect(opening).rejects.toMatchObject({ code: "config.invalid", details: { path: "listen" } });
  });

  test("because an application cannot start tells why, and leaves folder and workflows free (G2)", async () => {
    using folder = tempFolder();
    const options = { data: folder.path, listen: { port: 0 }, logger: silent, nature: { enabled: true } };
    const applications = [{ name: "broken", group: [] }];
    await expect(openGateway({ ...options, applications })).rejects.toThrow("application broken has nobody");
    await using gateway = await openGateway(options);
    expect(gateway.nature?.health()).toEqual({ status: "ok", reasons: [] });
  });

  test("because of flows that are not there is config.invalid, and leaves the folder free (G2)", async () => {
    using folder = tempFolder();
    const flows = [folder.file("nothing.ts")];
    const opening = openGateway({ data: folder.path, listen: { port: 0 }, logger: silent, nature: { flows } });
    await expect(opening).rejects.toMatchObject({ code: "config.invalid", details: { path: "nature.flows" } });
    await using gateway = await open(folder);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  });

  test("because of a wrong setting opens nothing", async () => {
    using folder = tempFolder();
    mkdirSync(folder.file("d"));
    await expect(openGateway({ data: folder.file("d/new"), listen: { port: -1 } })).rejects.toMatchObject({
      code: "config.invalid",
    });
    expect(existsSync(folder.file("d/new"))).toBe(false);
  });
});

describe("a drain", () => {
  test("lets calls under way end, and takes no new ones", async () => {
    await using subject = await testGateway();
    const slow = subject.post({ type: "test.slow", data: { ms: 500, name: "last" } });
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("begin last"), 10_000);
    const drained = subject.gateway.drain();
    await expect(subject.request("/node")).rejects.toThrow("fetch failed");
    const response = await slow;
    expect([response.status, await response.json()]).toEqual([200, "last"]);
    await drained;
    expect(subject.gateway.node.state).toBe("closed");
  });

  test("refuses what still comes over an open connection, and readyz says why", async () => {
    await using subject = await testGateway({ processors: [] });
    const authorization = `Authorization: Bearer ${subject.gateway.token}`;
    const [ready, api] = [
      await halfRequest(subject.gateway.url, "/readyz"),
      await halfRequest(subject.gateway.url, "/api/v1/node", authorization),
    ];
    const drained = subject.gateway.drain();
    const [readyAnswer, apiAnswer] = [await ready.finish(), await api.finish()];
    await drained;
    expect(readyAnswer).toMatch(/^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*"ready":false,"state":"draining"/i);
    expect(apiAnswer).toMatch(/^HTTP\/1\.1 503 [\s\S]*retry-after: 1[\s\S]*"code":"node\.closed"/i);
  });

  test("gives up on calls that take longer than the grace, each with an answer", async () => {
    await using subject = await testGateway();
    const slow = subject.post({ type: "test.slow", data: { ms: 60_000, name: "stuck" } });
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("begin stuck"), 10_000);
    await subject.gateway.drain({ graceMs: 50 });
    expect(await problemOf(await slow)).toMatchObject({ httpStatus: 503, retryable: true });
  });

  test("is cut short by a close", async () => {
    await using subject = await testGateway();
    const slow = subject.post({ type: "test.slow", data: { ms: 60_000, name: "cut" } });
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("begin cut"), 10_000);
    const drained = subject.gateway.drain({ graceMs: 60_000 });
    await subject.gateway.close();
    await drained;
    expect(await problemOf(await slow)).toMatchObject({ httpStatus: 503 });
  });

  test("ends those who follow logs", async () => {
    await using subject = await testGateway();
    const response = await subject.request("/processors/worker/logs", { headers: { accept: "text/event-stream" } });
    await subject.gateway.drain();
    expect(await response.text()).toContain(": following");
  });
});

/** A request whose last line is still missing: the connection is in use, and the gateway knows it. */
async function halfRequest(url: string, path: string, ...headers: string[]): Promise<{ finish(): Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined); // the close that follows is what is waited for
  // A whole request before it, in the same packet: its answer proves that the half one has arrived as well.
  socket.write(
    `GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n${[`GET ${path} HTTP/1.1`, "Host: gateway", ...headers, ""].join("\r\n")}`,
  );
  await vi.waitFor(() => expect(text).toContain('"alive":true'), 10_000);
  text = "";
  return {
    finish: async () => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write("\r\n");
      await closed;
      return text;
    },
  };
}
