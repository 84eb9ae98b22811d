import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { type ProviderKind, readTopology, resolveTopology } from "../src/index.ts";
import { temporaryFolder, WORKER } from "./harness.ts";

const FIXTURE = fileURLToPath(new URL("./fixtures/shop.topology.ts", import.meta.url));
const eu = { name: "eu", provider: "process" };

function refusal(given: unknown): string {
  try {
    resolveTopology(given);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return "accepted";
}

const docker = (options: object, agent: object = {}): object => ({ name: "a", provider: "docker", with: options, agent });

describe("M-62: a topology", () => {
  test("names its nodes by group and number, with what their agents are given", async () => {
    const { name, groups } = await readTopology(FIXTURE);
    expect([name, groups.map(({ nodes }) => nodes.map((node) => node.name))]).toEqual([
      "shop",
      [
        ["shop-eu-0", "shop-eu-1"],
        ["shop-us-0", "shop-us-1"],
      ],
    ]);
    expect(groups[0]?.config).toEqual({
      processors: [{ name: "worker", file: WORKER }],
      join: "10.0.0.5:7401",
      labels: { region: "eu", topology: "shop", group: "eu" },
    });
  });

  test("is the same in YAML, and of a digest that goes by all that makes a node, but for their number", async () => {
    await using folder = await temporaryFolder();
    const digestOf = async (text: string): Promise<string | undefined> => {
      const file = join(folder.path, "shop.yaml");
      await writeFile(file, text);
      return (await readTopology(file)).groups[0]?.nodes[0]?.digest;
    };
    const one = await digestOf("{name: shop, groups: [{name: eu, provider: process}]}");
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(await digestOf("{name: shop, groups: [{name: eu, provider: process, replicas: 3}]}")).toBe(one);
    for (const more of ["labels: {a: b}", "join: 'h:1'", "agent: {version: '2'}", "with: {stopMs: 5}"]) {
      expect(await digestOf(`{name: shop, groups: [{name: eu, provider: process, ${more}}]}`)).not.toBe(one);
    }
  });

  test.each<[string, unknown, string]>([
    ["no name", { groups: [] }, "name is missing, expected a string"],
    ["a name that no pod could have", { name: "Shop", groups: [] }, 'name is "Shop", expected at most 24 lower-case letters'],
    ["a misspelt setting", { name: "shop", grups: [], groups: [] }, "grups is not a known setting; did you mean groups?"],
    [
      "a misspelt setting of a group",
      { name: "shop", groups: [{ ...eu, replcas: 2 }] },
      "groups[0].replcas is not a known setting",
    ],
    ["a wrong number", { name: "shop", groups: [{ ...eu, replicas: "two" }] }, 'groups[0].replicas is "two", expected a number'],
    ["too many", { name: "shop", groups: [{ ...eu, replicas: 5_000 }] }, "groups[0].replicas is 5000, expected 1000 or less"],
    ["a name twice", { name: "shop", groups: [eu, eu] }, 'groups[1].name is "eu", expected a name that no other group has'],
    [
      "a provider that nobody knows",
      { name: "shop", groups: [{ name: "a", provider: "vm" }] },
      'groups[0].provider is "vm", expected one of',
    ],
    ["an option that is missing", { name: "shop", groups: [docker({})] }, "groups[0].with.image is missing, expected a string"],
    [
      "an option that is none",
      { name: "shop", groups: [docker({ image: "a", imag: 1 })] },
      "groups[0].with.imag is not a known setting; did you mean image?",
    ],
    [
      "a flag in the place of a host",
      { name: "shop", groups: [{ name: "a", provider: "ssh", with: { hosts: ["-oProxyCommand=x"] } }] },
      'groups[0].with.hosts[0] is "-oProxyCommand=x", expected a word',
    ],
    [
      "an agent's setting that is none",
      { name: "shop", groups: [{ ...eu, agent: { hots: {} } }] },
      "groups[0].agent.hots is not a known setting; did you mean host?",
    ],
    [
      "what the deployment says itself",
      { name: "shop", groups: [{ ...eu, agent: { token: "mnt1.x" } }] },
      "groups[0].agent.token is set by the deployment",
    ],
    [
      "a label that the deployment sets",
      { name: "shop", groups: [{ ...eu, labels: { group: "x" } }] },
      'groups[0].labels.group is "x", expected another name',
    ],
    [
      "a path from nowhere",
      { name: "shop", groups: [docker({ image: "a" }, { processors: [{ name: "p", file: "p.ts" }] })] },
      'groups[0].agent.processors[0].file is "p.ts", expected an absolute path, or `with.code` to start from',
    ],
  ])("is refused with %s, by path, with what was found and what was expected", (_what, given, expected) => {
    expect(refusal(given)).toContain(`config.invalid: ${expected}`);
  });

  test("takes providers of one's own", () => {
    const own: ProviderKind = { ...(resolveTopology({ name: "a", groups: [eu] }).groups[0]?.kind as ProviderKind) };
    expect(
      resolveTopology({ name: "a", groups: [{ name: "b", provider: "vm" }] }, { providers: { vm: own } }).groups[0]?.kind,
    ).toBe(own);
  });

  test("is read and checked without loading a provider", () => {
    const loads = `import { registerHooks } from "node:module";
registerHooks({ load: (url, context, next) => { if (/client-node|deploy\\/(process|ssh|docker|kubernetes)\\b/.test(url)) console.log(url); return next(url, context); } });
const { readTopology } = await import(${JSON.stringify(pathToFileURL(fileURLToPath(new URL("../src/index.ts", import.meta.url))).href)});
await readTopology(${JSON.stringify(FIXTURE)});`;
    expect(execFileSync(process.execPath, ["--input-type=module", "--eval", loads], { encoding: "utf8" })).toBe("");
  });
});
