import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Outcome, run, temporaryFolder } from "./helpers.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function metanode(args: readonly string[], options: { env?: Record<string, string>; stdin?: string } = {}): Promise<Outcome> {
  return run(args, { cwd: folder.path, ...options });
}

/** The settings by name, as `context show` tells them. */
async function shown(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Record<string, { value: string | null; source: string }>> {
  const { stdout } = await metanode(["context", "show", ...args, "-o", "json"], { env });
  const rows: { name: string; value: string | null; source: string }[] = JSON.parse(stdout);
  return Object.fromEntries(rows.map(({ name, value, source }) => [name, { value, source }]));
}

function writeFolder(name: string, url: string): void {
  mkdirSync(join(folder.path, name), { recursive: true });
  writeFileSync(join(folder.path, name, "gateway.json"), JSON.stringify({ url, pid: 1 }));
  writeFileSync(join(folder.path, name, "token"), "a-token-of-the-folder\n", { mode: 0o600 });
}

describe("metanode context", () => {
  test("keeps nodes by name in a file that only its owner reads", async () => {
    expect((await metanode(["context", "ls"])).stdout).toMatch(/^no contexts/);
    expect(
      await metanode(["context", "set", "eu", "--url", "https://eu.example:7400", "--token", "-"], { stdin: "from-stdin\n" }),
    ).toMatchObject({ status: 0 });
    await metanode(["context", "set", "here", "--data", "somewhere"]);
    const file = join(folder.path, "config", "metanode", "config.yaml");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(parse(readFileSync(file, "utf8"))).toEqual({
      current: "eu",
      contexts: { eu: { url: "https://eu.example:7400", token: "from-stdin" }, here: { data: join(folder.path, "somewhere") } },
    });
    const list = await metanode(["context", "ls", "-o", "json"]);
    expect(JSON.parse(list.stdout)).toEqual([
      { name: "eu", current: true, url: "https://eu.example:7400", hasToken: true },
      { name: "here", current: false, data: join(folder.path, "somewhere"), hasToken: false },
    ]);
  });

  test("changes only what is named, switches and forgets", async () => {
    await metanode(["context", "set", "a", "--url", "http://a.example", "--token", "a-token"]);
    await metanode(["context", "set", "b", "--url", "http://b.example"]);
    await metanode(["context", "set", "a", "--url", "http://a2.example"]);
    expect(await shown()).toMatchObject({
      url: { value: "http://a2.example", source: "context a" },
      token: { source: "context a" },
    });
    expect(await metanode(["context", "use", "b"])).toMatchObject({ status: 0, stdout: "" });
    expect(await shown()).toMatchObject({ url: { value: "http://b.example", source: "context b" } });
    await metanode(["context", "rm", "b"]);
    expect(await shown()).toMatchObject({ context: { value: null }, url: { value: null } });
  });

  test.each([
    ["a name that does not exist", ["context", "use", "nobody"], 3],
    ["forgetting what does not exist", ["context", "rm", "nobody"], 3],
    ["a context of nothing", ["context", "set", "x"], 2],
    ["an address that is none", ["context", "set", "x", "--url", "eu.example:7400"], 2],
    ["a name with a slash", ["context", "set", "../x", "--url", "http://x.example"], 2],
    ["the use of an unknown one", ["status", "--context", "nobody"], 3],
  ])("refuses %s", async (_what, args, status) => {
    expect(await metanode(args)).toMatchObject({ status, stdout: "" });
  });

  test("says what is wrong with a file that was edited by hand", async () => {
    mkdirSync(join(folder.path, "config", "metanode"), { recursive: true });
    writeFileSync(join(folder.path, "config", "metanode", "config.yaml"), "contexts: {eu: {adress: http://x}}\n");
    const outcome = await metanode(["context", "ls"]);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toMatch(
      /^error config\.invalid: contexts\.eu\.adress in .* is wrong, expected one of url, token, data\n$/,
    );
  });
});

describe("which node is meant", () => {
  test("is said by a flag before the environment, by that before the context, by that before the folder", async () => {
    writeFolder(".metanode", "http://folder.example");
    expect((await shown()).url).toEqual({ value: "http://folder.example", source: ".metanode/gateway.json" });
    await metanode(["context", "set", "eu", "--url", "http://context.example"]);
    expect((await shown()).url).toEqual({ value: "http://context.example", source: "context eu" });
    const env = { METANODE_URL: "http://environment.example" };
    expect((await shown([], env)).url).toEqual({ value: "http://environment.example", source: "environment METANODE_URL" });
    expect((await shown(["--url", "http://flag.example"], env)).url).toEqual({
      value: "http://flag.example",
      source: "flag --url",
    });
    expect((await shown(["--context", "eu"], env)).url).toEqual({ value: "http://context.example", source: "context eu" });
  });

  test("can be said by a data folder at each of these places", async () => {
    writeFolder("one", "http://one.example");
    writeFolder("two", "http://two.example");
    await metanode(["context", "set", "two", "--data", "two"]);
    expect(await shown()).toMatchObject({ url: { value: "http://two.example" } });
    expect((await shown([], { METANODE_DATA: "one" })).url).toEqual({ value: "http://one.example", source: "one/gateway.json" });
    expect(await shown(["--data", "two"], { METANODE_URL: "http://x.example" })).toMatchObject({
      url: { value: "http://two.example" },
    });
  });

  test("is shown without giving the token away", async () => {
    const { stdout } = await metanode(["context", "show", "--token", "very-secret-very-secret"]);
    expect(stdout).toMatch(/^token +very… +flag --token$/m);
  });
});

describe("a token", () => {
  let server: Server;
  let seen: (string | undefined)[];
  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.setHeader("content-type", "application/json").end('{"items":[]}');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.close();
  });
  const url = (host: string): string => `http://${host}:${(server.address() as AddressInfo).port}`;

  test("of a data folder goes to this machine only", async () => {
    writeFolder(".metanode", url("127.0.0.1"));
    await metanode(["types"]);
    await metanode(["types", "--url", url("localhost")]);
    // Another name of this machine, which stands here for any other machine.
    await metanode(["types", "--url", url("0.0.0.0")]);
    expect(seen).toEqual(["Bearer a-token-of-the-folder", "Bearer a-token-of-the-folder", undefined]);
  });

  test("of a context goes to the context's node only", async () => {
    await metanode(["context", "set", "eu", "--url", url("0.0.0.0"), "--token", "a-token-of-the-context"]);
    await metanode(["types"]);
    await metanode(["context", "set", "eu", "--url", "http://elsewhere.example"]);
    await metanode(["types", "--url", url("0.0.0.0")]);
    expect(seen).toEqual(["Bearer a-token-of-the-context", undefined]);
  });
});
