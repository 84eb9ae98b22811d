import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type LoadConfigOptions,
  loadConfig,
  printConfig,
  type ResolvedConfig,
  resolveConfig,
  SETTINGS,
  variableOf,
} from "../src/index.ts";
import { type TempFolder, tempFolder } from "./harness.ts";

function load(folder: TempFolder, options: LoadConfigOptions = {}): Promise<ResolvedConfig> {
  return loadConfig({ cwd: folder.path, env: {}, ...options });
}

function folderWith(files: Readonly<Record<string, string>>): TempFolder {
  const folder = tempFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(folder.file(name), text);
  return folder;
}

describe("a configuration", () => {
  test("has a default for everything", async () => {
    using folder = tempFolder();
    const { values, file } = await load(folder);
    expect(file).toBeUndefined();
    expect(values).toEqual({
      name: "node",
      data: folder.file(".metanode"),
      listen: { host: "127.0.0.1", port: 7400, rateLimit: 0 },
      auth: { oidc: { issuer: undefined, audience: undefined, rolesClaim: "roles", roles: {} } },
      log: { level: "info" },
      callTimeoutMs: 30_000,
      maxMessageBytes: 4_194_304,
      hopLimit: 128,
      durable: { timeoutMs: 30_000, maxAttempts: 10, backoffMs: [100, 500, 2_000, 10_000, 30_000], maxInFlight: 256 },
      processors: [],
      actors: [],
      nature: {
        enabled: false,
        databaseUrl: undefined,
        flows: [],
        inputs: {},
        outputs: {},
        concurrency: 64,
        callbackUrl: undefined,
        compat: false,
        compatToken: true,
      },
      streams: { enabled: true, actions: [], compat: false, compatToken: true },
      tree: {
        listen: undefined,
        advertise: undefined,
        join: undefined,
        labels: {},
        maxInMaintenance: 0,
        leaseMs: 30_000,
        standby: undefined,
      },
      token: undefined,
    });
  });

  test("is taken from the flag, then the environment, then the file, then the default", async () => {
    using folder = folderWith({ "metanode.yaml": "name: file\ncallTimeoutMs: 1\nhopLimit: 1\n" });
    const env = { METANODE_NAME: "environment", METANODE_CALL_TIMEOUT_MS: "2" };
    const { values, sources } = await load(folder, { env, options: { name: "flag" } });
    expect([values.name, values.callTimeoutMs, values.hopLimit, values.maxMessageBytes]).toEqual(["flag", 2, 1, 4_194_304]);
    expect(["name", "callTimeoutMs", "hopLimit", "maxMessageBytes"].map((path) => sources.get(path))).toEqual([
      { kind: "option", from: "name" },
      { kind: "environment", from: "METANODE_CALL_TIMEOUT_MS" },
      { kind: "file", from: folder.file("metanode.yaml") },
      { kind: "default" },
    ]);
  });

  test("keeps an explicit 0", async () => {
    using folder = folderWith({ "metanode.yaml": "listen: {port: 0}" });
    expect((await load(folder)).values.listen.port).toBe(0);
  });

  test("takes lists from the environment as JSON, and a variable that is set to nothing as not set", async () => {
    using folder = tempFolder();
    const env = { METANODE_DURABLE_BACKOFF_MS: "[1, 2]", METANODE_PROCESSORS: '[{"name":"p","file":"p.ts"}]', METANODE_NAME: "" };
    const { values } = await load(folder, { env });
    expect([values.durable.backoffMs, values.processors, values.name]).toEqual([
      [1, 2],
      [{ name: "p", file: folder.file("p.ts") }],
      "node",
    ]);
  });

  test.each<[what: string, yaml: string, env: Record<string, string>, enabled: boolean]>([
    ["not where nobody says anything", "", {}, false],
    ["where the file has the key, be it empty", "nature: {}", {}, true],
    ["where a variable sets something about them", "", { METANODE_NATURE_COMPAT: "true" }, true],
    ["not where they are said to be off", "nature: {enabled: false, concurrency: 2}", {}, false],
    ["not by a variable that other programs know as well", "", { DATABASE_URL: "mysql://somewhere/else" }, false],
  ])("enables workflows: %s", async (_what, yaml, env, enabled) => {
    using folder = folderWith({ "metanode.yaml": yaml });
    expect((await load(folder, { env })).values.nature.enabled).toBe(enabled);
  });

  test("takes the database of workflows from DATABASE_URL where nothing of its own says it, and shows neither", async () => {
    using folder = folderWith({ "metanode.yaml": "nature: {flows: [shop.ts]}" });
    const shared = "postgresql://me:hunter2@127.0.0.1/shared";
    const config = await load(folder, { env: { DATABASE_URL: shared } });
    expect(config.values.nature).toMatchObject({ databaseUrl: shared, flows: [folder.file("shop.ts")] });
    expect(printConfig(config)).toContain("  databaseUrl: (hidden) # environment DATABASE_URL\n");
    expect(printConfig(config)).not.toContain("hunter2");
    const own = "postgres://me@127.0.0.1/own";
    const env = { DATABASE_URL: shared, METANODE_NATURE_DATABASE_URL: own };
    expect((await load(folder, { env })).values.nature.databaseUrl).toBe(own);
    await expect(load(folder, { env: { DATABASE_URL: "mysql://somewhere/else" } })).rejects.toMatchObject({
      code: "config.invalid",
      details: { path: "nature.databaseUrl" },
    });
  });

  test("says which messages are inputs of workflows, and which instances become messages", async () => {
    const inputs = { "order.placed": "B:order:1", "order.paid": { meta: "B:paid:1", inputSchema: { type: "object" } } };
    const outputs = { "B:parcel:1": { type: "parcel.made", selector: { states: { all: ["sent"] } }, pass: "content" } };
    using folder = folderWith({ "metanode.yaml": JSON.stringify({ nature: { inputs, outputs } }) });
    const config = await load(folder);
    expect(config.values.nature).toMatchObject({ enabled: true, inputs, outputs });
    writeFileSync(folder.file("printed.yaml"), printConfig(config));
    expect((await load(folder, { file: "printed.yaml" })).values.nature).toEqual(config.values.nature);
    const env = { METANODE_NATURE_INPUTS: '{"order.placed": "B:other:1"}' };
    expect((await load(folder, { env })).values.nature.inputs).toEqual({ "order.placed": "B:other:1" });
  });

  test("names its variables by one rule", () => {
    expect(SETTINGS.map(({ path }) => variableOf(path))).toEqual([
      "METANODE_NAME",
      "METANODE_DATA",
      "METANODE_LISTEN_HOST",
      "METANODE_LISTEN_PORT",
      "METANODE_LISTEN_RATE_LIMIT",
      "METANODE_AUTH_OIDC_ISSUER",
      "METANODE_AUTH_OIDC_AUDIENCE",
      "METANODE_AUTH_OIDC_ROLES_CLAIM",
      "METANODE_AUTH_OIDC_ROLES",
      "METANODE_LOG_LEVEL",
      "METANODE_CALL_TIMEOUT_MS",
      "METANODE_MAX_MESSAGE_BYTES",
      "METANODE_HOP_LIMIT",
      "METANODE_DURABLE_TIMEOUT_MS",
      "METANODE_DURABLE_MAX_ATTEMPTS",
      "METANODE_DURABLE_BACKOFF_MS",
      "METANODE_DURABLE_MAX_IN_FLIGHT",
      "METANODE_PROCESSORS",
      "METANODE_ACTORS",
      "METANODE_NATURE_ENABLED",
      "METANODE_NATURE_DATABASE_URL",
      "METANODE_NATURE_FLOWS",
      "METANODE_NATURE_INPUTS",
      "METANODE_NATURE_OUTPUTS",
      "METANODE_NATURE_CONCURRENCY",
      "METANODE_NATURE_CALLBACK_URL",
      "METANODE_NATURE_COMPAT",
      "METANODE_NATURE_COMPAT_TOKEN",
      "METANODE_STREAMS_ENABLED",
      "METANODE_STREAMS_ACTIONS",
      "METANODE_STREAMS_COMPAT",
      "METANODE_STREAMS_COMPAT_TOKEN",
      "METANODE_TREE_LISTEN",
      "METANODE_TREE_ADVERTISE",
      "METANODE_TREE_NATS",
      "METANODE_TREE_JOIN",
      "METANODE_TREE_LABELS",
      "METANODE_TREE_MAX_IN_MAINTENANCE",
      "METANODE_TREE_LEASE_MS",
      "METANODE_TREE_STANDBY",
      "METANODE_TOKEN",
    ]);
  });

  test("does not change what it was given", () => {
    const given = Object.freeze({ processors: Object.freeze([Object.freeze({ name: "p", file: "p.ts" })]) });
    expect(() => resolveConfig(given)).not.toThrow();
  });
});

describe("a configuration file", () => {
  test.each([
    ["metanode.config.ts", 'const name: string = "code";\nexport default { name };\n'],
    ["metanode.config.js", 'export default { name: "code" };\n'],
    ["metanode.yaml", "name: code\n"],
    ["metanode.yml", "name: code\n"],
  ])("is found in the working directory: %s", async (file, text) => {
    using folder = folderWith({ [file]: text, "package.json": '{"type":"module"}' });
    expect(await load(folder)).toMatchObject({ file: folder.file(file), values: { name: "code" } });
  });

  test("is the one that the flag names, else the one of METANODE_CONFIG", async () => {
    using folder = folderWith({ "a.yaml": "name: a", "b.yaml": "name: b", "metanode.yaml": "name: found" });
    expect((await load(folder, { env: { METANODE_CONFIG: "b.yaml" } })).values.name).toBe("b");
    expect((await load(folder, { file: "a.yaml", env: { METANODE_CONFIG: "b.yaml" } })).values.name).toBe("a");
  });

  test("places its processors, its actors and its data beside itself", async () => {
    using folder = tempFolder();
    mkdirSync(folder.file("sub"));
    writeFileSync(
      folder.file("sub/c.yaml"),
      "data: d\nprocessors: [{name: p, file: p.ts, cwd: work}]\nactors: [{name: a, file: a.ts}]",
    );
    const { values } = await load(folder, { file: "sub/c.yaml" });
    expect(values.data).toBe(join(folder.path, "sub", "d"));
    expect(values.processors).toEqual([
      { name: "p", file: join(folder.path, "sub", "p.ts"), cwd: join(folder.path, "sub", "work") },
    ]);
    expect(values.actors).toEqual([{ name: "a", file: join(folder.path, "sub", "a.ts") }]);
  });

  test.each([
    ["metanode.yaml", "name: [", "is no YAML"],
    ["metanode.yaml", "name: a\nname: b", "is no YAML"],
    ["metanode.yaml", "- a\n- b", "expected an object of settings"],
    ["metanode.config.js", "export const name = 1;", "has no default export"],
    ["metanode.config.js", "syntax error(", "cannot be loaded"],
  ])("that is broken is named: %s %j", async (file, text, message) => {
    using folder = folderWith({ [file]: text, "package.json": '{"type":"module"}' });
    await expect(load(folder)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringMatching(`${file}.*${message}`),
    });
  });

  test("that does not exist is config.invalid", async () => {
    using folder = tempFolder();
    await expect(load(folder, { file: "none.yaml" })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("none.yaml"),
    });
  });

  test("that says nothing leaves the defaults", async () => {
    using folder = folderWith({ "metanode.yaml": "# nothing yet\n" });
    expect((await load(folder)).values.name).toBe("node");
  });
});

describe("a misspelt setting", () => {
  test.each([
    ["nam: a", "nam", "name"],
    ["listen: {prt: 1}", "listen.prt", "port"],
    ["durable: {maxAttempt: 1}", "durable.maxAttempt", "maxAttempts"],
    ["processors: [{name: p, file: p.ts, proceses: 2}]", "processors.p.proceses", "processes"],
    ["actors: [{name: a, file: a.ts, expotr: A}]", "actors.a.expotr", "export"],
  ])("is refused with its path and the nearest name: %s", async (yaml, path, suggestion) => {
    using folder = folderWith({ "metanode.yaml": yaml });
    await expect(load(folder)).rejects.toMatchObject({ code: "config.invalid", details: { path, suggestion } });
  });

  test("is refused in the environment as well, while variables of other parts are left alone", async () => {
    using folder = tempFolder();
    const env = { METANODE_LISTEN_PRT: "1" };
    await expect(load(folder, { env })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("did you mean METANODE_LISTEN_PORT?"),
    });
    const others = ["URL", "TOKEN", "DATA", "ADDRESS", "SECRET", "PROCESSOR"].map((name) => [
      `METANODE_${name}`,
      "0123456789abcdef",
    ]);
    await expect(load(folder, { env: Object.fromEntries(others) })).resolves.toBeDefined();
  });
});

describe("a wrong value", () => {
  test.each([
    ["METANODE_NAME", "Not A Name"],
    ["METANODE_LISTEN_HOST", "a b"],
    ["METANODE_LISTEN_PORT", "65536"],
    ["METANODE_LISTEN_PORT", "7400x"],
    ["METANODE_LISTEN_RATE_LIMIT", "-1"],
    ["METANODE_AUTH_OIDC_ISSUER", "http://login.example.com"],
    ["METANODE_AUTH_OIDC_ROLES_CLAIM", " "],
    ["METANODE_AUTH_OIDC_ROLES", "admin"],
    ["METANODE_AUTH_OIDC_ROLES", '{"ops":"root"}'],
    ["METANODE_LOG_LEVEL", "loud"],
    ["METANODE_CALL_TIMEOUT_MS", "0"],
    ["METANODE_MAX_MESSAGE_BYTES", "12"],
    ["METANODE_HOP_LIMIT", "1.5"],
    ["METANODE_DURABLE_TIMEOUT_MS", "soon"],
    ["METANODE_DURABLE_MAX_ATTEMPTS", "-1"],
    ["METANODE_DURABLE_BACKOFF_MS", "[]"],
    ["METANODE_DURABLE_BACKOFF_MS", "100,200"],
    ["METANODE_DURABLE_MAX_IN_FLIGHT", "0"],
    ["METANODE_PROCESSORS", "{}"],
    ["METANODE_TOKEN", "short"],
  ])("of %s (%j) says path, what was found and expected, and the variable", async (variable, text) => {
    using folder = tempFolder();
    const setting = SETTINGS.find(({ path }) => variableOf(path) === variable);
    const refusal = load(folder, { env: { [variable]: text } });
    await expect(refusal).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringMatching(new RegExp(`^${setting?.path} is .* in ${variable}, expected `)),
      details: { path: setting?.path, variable, source: "environment" },
    });
    if (setting?.isSecret) await expect(refusal).rejects.not.toMatchObject({ message: expect.stringContaining(text) });
  });

  test.each([
    ["listen: 7400", "listen"],
    ["listen: {port: '7400'}", "listen.port"],
    ["data: ''", "data"],
    ["durable: {backoffMs: [-1]}", "durable.backoffMs"],
    ["processors: [a]", "processors"],
    ["processors: [{name: p, file: p.ts}, {name: p, file: q.ts}]", "processors.p"],
    ["processors: [{name: p}]", "processors.p"],
    ["nature: {flows: flows.ts}", "nature.flows"],
    ["nature: {inputs: [order.placed]}", "nature.inputs"],
    ["nature: {inputs: {order.placed: 1}}", "nature.inputs.order.placed"],
    ["nature: {inputs: {order.placed: {description: An order.}}}", "nature.inputs.order.placed.meta"],
    ["nature: {inputs: {order.placed: {meta: 'B:order:1', inputShema: true}}}", "nature.inputs.order.placed.inputShema"],
    ["nature: {outputs: 'B:order:1'}", "nature.outputs"],
    ["nature: {outputs: {'B:order:1': {pass: content}}}", "nature.outputs.B:order:1.type"],
    ["nature: {concurrency: 0}", "nature.concurrency"],
    ["nature: {databaseUrl: 'mysql://localhost/shop'}", "nature.databaseUrl"],
    ["nature: {callbackUrl: somewhere}", "nature.callbackUrl"],
    ["nature: {compat: perhaps}", "nature.compat"],
    ["nature: {enable: true}", "nature.enable"],
    ["auth: {oidc: {issuer: 'https://login.example.com'}}", "auth.oidc.audience"],
    ["auth: {oidc: {roles: {ops: root}}}", "auth.oidc.roles"],
    ["auth: {oidc: {audience: metanode}}", "auth.oidc.issuer"],
    ["auth: {oidc: {isuer: 'https://login.example.com'}}", "auth.oidc.isuer"],
    ["actors: [a]", "actors"],
    ["actors: [{file: a.ts}]", "actors[0].name"],
    ["actors: [{name: a, file: a.ts}, {name: a, file: b.ts}]", "actors.a"],
    ["actors: [{name: a}]", "actors.a"],
    ["actors: [{name: a, file: ''}]", "actors.a.file"],
    ["actors: [{name: a, file: a.ts, export: 1}]", "actors.a.export"],
    ["actors: [{name: node, file: a.ts}]", "actors.roots.node"],
    ["actors: [{name: a, file: a.ts, args: 1}]", "actors.roots.a.args"],
    ["actors: [{name: a, file: a.ts, restart: often}]", "actors.roots.a.restart"],
    ["actors: [{name: a, file: a.ts, handles: {a.b: ask}}]", "actors.handles.a.b.mode"],
    ["actors: [{name: a, file: a.ts, handles: {a.b: 1}}]", "actors.handles.a.b"],
    ["actors: [{name: a, file: a.ts, handles: {x: call}}, {name: b, file: b.ts, handles: {x: send}}]", "actors"],
  ])("in a file says its path: %s", async (yaml, path) => {
    using folder = folderWith({ "metanode.yaml": yaml });
    await expect(load(folder)).rejects.toMatchObject({ code: "config.invalid", details: { path } });
  });
});

describe("a printed configuration", () => {
  test("is YAML with every value and where it came from", async () => {
    using folder = folderWith({ "metanode.yaml": "name: eu\nprocessors: [{name: p, file: p.ts}]" });
    const config = await load(folder, { env: { METANODE_LISTEN_PORT: "1" }, options: { log: { level: "warn" } } });
    const text = printConfig(config);
    expect(text).toContain(`name: eu # file ${folder.file("metanode.yaml")}\n`);
    expect(text).toContain("  port: 1 # environment METANODE_LISTEN_PORT\n");
    expect(text).toContain("  level: warn # option\n");
    expect(text).toContain("hopLimit: 128 # default\n");
    expect(text).toContain(`# file ${folder.file("metanode.yaml")}\nprocessors:\n  - name: p\n`);
    writeFileSync(folder.file("again.yaml"), text.replace(/^token:.*$/m, ""));
    expect((await load(folder, { file: "again.yaml" })).values).toEqual(config.values);
  });

  test("hides the token and what is handed to processors", async () => {
    using folder = folderWith({ "metanode.yaml": "processors: [{name: p, file: p.ts, env: {PASSWORD: hunter2-hunter2}}]" });
    const text = printConfig(await load(folder, { env: { METANODE_TOKEN: "a-secret-of-sixteen-or-more" } }));
    expect(text).not.toMatch(/hunter2|a-secret/);
    expect(text).toContain("token: (hidden) # environment METANODE_TOKEN\n");
    expect(text).toContain("PASSWORD: (hidden)\n");
  });
});
