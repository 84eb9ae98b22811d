import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNode, type TestNode } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

/** A token of a name of its own. */
async function tokenOf(name: string, role: string): Promise<string> {
  return (await node.metanode(["token", "create", name, "--role", role])).stdout.trim();
}

describe("metanode whoami", () => {
  test("says whose token is used and where it was found", async () => {
    const { status, stdout } = await node.metanode(["whoami"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^role +admin$/m);
    expect(stdout).toMatch(/^token from +\.metanode\/token$/m);
    const token = await tokenOf("who", "viewer");
    const other = await node.metanode(["whoami", "-o", "json"], { env: { METANODE_TOKEN: token } });
    expect(JSON.parse(other.stdout)).toEqual({ name: "who", role: "viewer" });
  });
});

describe("metanode token", () => {
  test("prints a new token alone on standard output, and what to do with it on the other", async () => {
    const { status, stdout, stderr } = await node.metanode([
      "token",
      "create",
      "alice",
      "--role",
      "operator",
      "--expires",
      "30d",
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\S{20,}\n$/);
    expect(stderr).toMatch(/^the token of alice, operator until \d{4}-.*; keep it/);
    const { items } = JSON.parse((await node.metanode(["token", "ls", "-o", "json"])).stdout);
    const alice = items.find(({ name }: { name: string }) => name === "alice");
    expect(Date.parse(alice.expiresAt) - Date.parse(alice.createdAt)).toBe(30 * 86_400_000);
    expect((await node.metanode(["token", "ls"])).stdout).toMatch(/^alice +operator +\S+ +\S+ +never$/m);
    expect((await node.metanode(["whoami", "--token", stdout.trim()])).stdout).toMatch(/^name +alice$/m);
  });

  test("is one JSON object for programs, without talk", async () => {
    const { stdout, stderr } = await node.metanode(["token", "create", "robot", "--role", "viewer", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ name: "robot", role: "viewer", token: expect.any(String) });
    expect(stderr).toBe("");
  });

  test("is refused from the moment that it is revoked", async () => {
    const token = await tokenOf("bob", "viewer");
    expect(await node.metanode(["types", "--token", token])).toMatchObject({ status: 0 });
    expect(await node.metanode(["token", "revoke", "bob"])).toMatchObject({ status: 0, stdout: "" });
    expect(await node.metanode(["types", "--token", token])).toMatchObject({ status: 5 });
  });

  test.each([
    ["without a role", ["create", "carol"], 2, "usage.invalid"],
    ["with an unknown role", ["create", "carol", "--role", "king"], 2, "usage.invalid"],
    ["with a name that is none", ["create", "No Body", "--role", "viewer"], 2, "usage.invalid"],
    ["for nobody", ["revoke", "nobody"], 3, "resource.not_found"],
  ])("ends with the status of its error %s", async (_what, args, status, code) => {
    const outcome = await node.metanode(["token", ...args]);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toContain(`error ${code}: `);
  });

  test("is made once of a name, and only for an admin", async () => {
    const token = await tokenOf("dave", "operator");
    expect(await node.metanode(["token", "create", "dave", "--role", "viewer"])).toMatchObject({ status: 4 });
    expect(await node.metanode(["token", "create", "eve", "--role", "admin", "--token", token])).toMatchObject({ status: 5 });
    expect(await node.metanode(["token", "ls", "--token", token])).toMatchObject({ status: 5 });
  });
});

describe("metanode audit", () => {
  test("lists who changed what and who tried to, the newest first", async () => {
    const token = await tokenOf("fay", "viewer");
    await node.metanode(["processor", "restart", "text", "--token", token]);
    const { status, stdout } = await node.metanode(["audit", "--name", "fay"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\S+ +fay +viewer +restartProcessor +POST \/api\/v1\/processors\/text\/restart +403 +auth\.denied/m);
    const made = JSON.parse((await node.metanode(["audit", "--operation", "createToken", "--limit", "1", "-o", "json"])).stdout);
    expect(made.items).toMatchObject([{ operation: "createToken", status: 201, role: "admin" }]);
    expect((await node.metanode(["audit", "--limit", "1"])).stderr).toMatch(/^there are more: --cursor \d+$/m);
  });

  test("takes an age and a time", async () => {
    await tokenOf("gil", "viewer");
    expect((await node.metanode(["audit", "--since", "1h"])).stdout).toContain("createToken");
    expect((await node.metanode(["audit", "--since", "2999-01-01T00:00:00+02:00"])).stdout).toBe("nothing was changed\n");
    expect(await node.metanode(["audit", "--since", "yesterday"])).toMatchObject({ status: 2, stdout: "" });
    expect(await node.metanode(["audit", "--since", "2026-13-40"])).toMatchObject({ status: 2, stdout: "" });
  });
});
