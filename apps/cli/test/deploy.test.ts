import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { fixture, type Outcome, start, startNode, type TestNode, until } from "./helpers.ts";

let node: TestNode;
const metanode = (...args: string[]): Promise<Outcome> => node.metanode(args);

/** Writes the topology that the commands are given. */
function topology(replicas: number, agent: object = { processors: [{ name: "texts", file: fixture("text.ts") }] }): void {
  const groups = [{ name: "eu", provider: "process", replicas, labels: { region: "eu" }, agent }];
  writeFileSync(join(node.folder, "shop.yaml"), stringify({ name: "shop", groups }));
}

beforeAll(async () => {
  node = await startNode([], { name: "root" });
});

afterAll(async () => {
  topology(0);
  await metanode("deploy", "destroy", "shop.yaml", "--yes");
  await node[Symbol.asyncDispose]();
});

describe("M-62: a topology from the command line", () => {
  test("is planned, then done, then nothing is left to do", async () => {
    topology(2);
    const dry = JSON.parse((await metanode("deploy", "apply", "shop.yaml", "--dry-run", "-o", "json")).stdout);
    expect(dry).toMatchObject({
      topology: "shop",
      unchanged: 0,
      steps: [{ action: "create", node: "shop-eu-0" }, { action: "create" }],
    });
    const asked = await metanode("deploy", "apply", "shop.yaml");
    expect([asked.status, asked.stderr]).toEqual([2, expect.stringContaining("say --yes")]);
    expect(asked.stderr).toContain("create shop-eu-1 (process): it is not there");
    const done = await metanode("deploy", "apply", "shop.yaml", "--yes");
    expect([done.status, done.stderr]).toEqual([0, ""]);
    expect(done.stdout).toContain("create shop-eu-0 (process): it is not there\n");
    expect((await metanode("tree", "--where", "region=eu & group=eu")).stdout).toMatch(/\/root\/shop-eu-1 +managed/);
    expect((await metanode("deploy", "apply", "shop.yaml", "--yes")).stdout).toBe("2 unchanged\n");
  });

  test("is shown as provider and manager see it, with the logs of its nodes", async () => {
    const { items } = JSON.parse((await metanode("deploy", "status", "shop.yaml", "-o", "json")).stdout);
    const expected = {
      node: "shop-eu-0",
      group: "eu",
      provider: "process",
      runs: "running",
      state: "managed",
      path: "/root/shop-eu-0",
    };
    expect(items).toContainEqual(expect.objectContaining(expected));
    expect((await metanode("deploy", "status", "shop.yaml")).stdout).toMatch(
      /^shop-eu-1 +eu +process +running +managed +- +process \d+$/m,
    );
    const logs = await metanode("deploy", "logs", "shop.yaml", "shop-eu-0", "--tail", "1");
    expect([logs.status, logs.stdout.split("\n")]).toEqual([0, [expect.stringContaining("shop-eu-0"), ""]]);
    const none = await metanode("deploy", "logs", "shop.yaml", "shop-us-0");
    expect([none.status, none.stderr]).toEqual([3, expect.stringContaining("it has shop-eu-0, shop-eu-1")]);
  });

  test("with a node that cannot start ends with one line and the end of its log, and leaves the others", async () => {
    topology(3, { listen: "nowhere" });
    const failed = await metanode("deploy", "apply", "shop.yaml", "--yes");
    expect([failed.status, failed.stderr]).toEqual([
      1,
      expect.stringMatching(/^error processor\.start: create shop-eu-2: .+nowhere.+\n$/m),
    ]);
    topology(2);
    expect((await metanode("deploy", "apply", "shop.yaml", "--yes")).stdout).toBe("2 unchanged\n");
  });

  test("that is wrong is refused with the path of the mistake", async () => {
    writeFileSync(join(node.folder, "wrong.yaml"), stringify({ name: "shop", groups: [{ name: "eu", provider: "dcoker" }] }));
    const { status, stderr } = await metanode("deploy", "apply", "wrong.yaml");
    expect([status, stderr]).toEqual([
      2,
      'error config.invalid: groups[0].provider is "dcoker", expected one of process, ssh, docker, kubernetes\n',
    ]);
  });

  test("is scaled in and destroyed, and nothing of it is left", async () => {
    topology(1);
    expect((await metanode("deploy", "apply", "shop.yaml", "--yes")).stdout).toBe(
      "remove shop-eu-1 (process): nobody wants it\n1 unchanged\n",
    );
    expect((await metanode("deploy", "destroy", "shop.yaml", "--yes")).status).toBe(0);
    expect((await metanode("tree", "-o", "json")).stdout).not.toContain("shop-eu");
    expect(existsSync(join(node.folder, ".metanode-deploy/shop"))).toBe(false);
    expect((await metanode("deploy", "destroy", "shop.yaml", "--yes")).stdout).toBe("nothing to do\n");
  });

  test("that is interrupted with Ctrl-C takes back what it has begun, with status 130", async () => {
    const groups = [{ name: "eu", provider: "process", join: "127.0.0.1:1" }];
    writeFileSync(join(node.folder, "shop.yaml"), stringify({ name: "shop", groups }));
    const child = start(["deploy", "apply", "shop.yaml", "--yes"], { cwd: node.folder });
    await until(() => existsSync(join(node.folder, ".metanode-deploy/shop/shop-eu-0/data")));
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
    expect(existsSync(join(node.folder, ".metanode-deploy/shop"))).toBe(false);
    const { items } = JSON.parse((await metanode("join", "ls", "-o", "json")).stdout) as { items: { usedBy: string[] }[] };
    expect(items.filter(({ usedBy }) => usedBy.length === 0)).toEqual([]);
  });

  test("is done by who may, and written down with the name", async () => {
    expect((await metanode("join", "audit")).stdout).toMatch(/admin:\S+ +release +shop-eu-0 +ok/);
    const token = (await metanode("token", "create", "vera", "--role", "viewer")).stdout.trim();
    topology(1);
    const denied = await metanode("deploy", "apply", "shop.yaml", "--yes", "--token", token);
    expect([denied.status, denied.stderr]).toEqual([5, expect.stringContaining("auth.denied")]);
  });
});
