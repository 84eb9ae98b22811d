import { readFileSync } from "node:fs";
import { systemClock } from "@metanode/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Audit, NOBODY } from "../src/access/audit.ts";
import { AccessStore } from "../src/access/store.ts";
import { openGateway } from "../src/index.ts";
import { JSON_BODY, problemOf, silent, type TestGateway, tempFolder, testGateway } from "./harness.ts";

type Role = "viewer" | "operator" | "admin";
const ROLES: readonly Role[] = ["viewer", "operator", "admin"];

interface Operation {
  readonly operationId: string;
  readonly "x-required-role"?: Role;
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
}

let it: TestGateway;
const tokens = new Map<Role, string>();

beforeAll(async () => {
  it = await testGateway({ nature: { enabled: true } });
  for (const role of ROLES) tokens.set(role, await tokenOf(it, `a-${role}`, role));
});
afterAll(() => it[Symbol.asyncDispose]());

async function tokenOf({ request }: TestGateway, name: string, role: Role, more: object = {}): Promise<string> {
  const body = JSON.stringify({ name, role, ...more });
  const response = await request("/tokens", { method: "POST", headers: JSON_BODY, body });
  expect(response.status).toBe(201);
  return ((await response.json()) as { token: string }).token;
}

function as(token: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` };
  return fetch(`${it.gateway.url}${path}`, { ...init, headers });
}

async function operations(): Promise<{ method: string; path: string; operation: Operation }[]> {
  const { paths } = (await it.json("/openapi.json")) as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** What nothing is called: nobody's work is touched by a request that is let through. */
const NOTHING = "nothing-is-called-this";

async function statusAs(token: string, method: string, path: string, operation: Operation): Promise<number> {
  const control = new AbortController();
  const isEmpty = operation.requestBody === undefined;
  const response = await as(token, path.replace(/\{\w+\}/g, NOTHING), {
    method,
    signal: control.signal,
    ...(isEmpty ? {} : { headers: JSON_BODY, body: "{}" }),
  });
  // Streams would go on.
  control.abort();
  return response.status;
}

describe("roles", () => {
  test("each operation says which one it needs, and lets in exactly those who have it", async () => {
    const all = (await operations()).filter(({ path }) => path.startsWith("/api/"));
    const wrong: string[] = [];
    for (const { method, path, operation } of all) {
      // Shows a credential of its own.
      if (operation.operationId === "answerTask") continue;
      const needed = operation["x-required-role"];
      expect(needed, `${method} ${path}`).toBeOneOf([...ROLES]);
      // A replay of everything would be let through, and is done elsewhere.
      for (const role of ROLES) {
        const status = await statusAs(tokens.get(role) as string, method, path, operation);
        const isLetIn = status !== 401 && status !== 403;
        const mayEnter = ROLES.indexOf(role) >= ROLES.indexOf(needed as Role);
        if (isLetIn !== mayEnter || (!mayEnter && status !== 403) || status >= 500)
          wrong.push(`${method} ${path} as ${role}: ${status}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(all.length).toBeGreaterThan(90);
  });

  test("leave what runs other code, and who may do what, to admins", async () => {
    const forAdmins = (await operations()).filter(({ operation }) => operation["x-required-role"] === "admin");
    expect(forAdmins.map(({ operation }) => operation.operationId).toSorted()).toEqual([
      "addProcessor",
      "adoptNode",
      "applyDeclarations",
      "applyGraph",
      "approveNode",
      "createMeta",
      "createNodeToken",
      "createRelation",
      "createToken",
      "deleteMeta",
      "deleteRelation",
      "disableMeta",
      "disableRelation",
      "enableMeta",
      "enableRelation",
      "joinTree",
      "listAudit",
      "listNodeTokens",
      "listTokens",
      "listTreeAudit",
      "moveNode",
      "nameStandby",
      "putMeta",
      "putRelation",
      "reconcileNodes",
      "releaseNode",
      "removeAction",
      "removeGraph",
      "removeProcessor",
      "replaceProcessor",
      "revokeNodeToken",
      "revokeToken",
      "rollbackGraph",
      "upgradeStage",
      "uploadAction",
    ]);
  });

  test("without a token, or with none of this node, every operation below /api answers 401", async () => {
    for (const { method, path } of await operations()) {
      if (!path.startsWith("/api/") || path === "/api/v1/callbacks") continue;
      const response = await fetch(it.gateway.url + path.replace(/\{\w+\}/g, NOTHING), { method });
      expect(`${method} ${path} ${response.status}`).toBe(`${method} ${path} 401`);
    }
  });

  test("a refusal says which role is needed and which there is", async () => {
    const response = await as(tokens.get("viewer") as string, "/api/v1/processors/worker/restart", { method: "POST" });
    expect(await problemOf(response)).toMatchObject({
      httpStatus: 403,
      code: "auth.denied",
      detail: expect.stringContaining("needs the role operator, and the token of a-viewer has viewer"),
      details: { needed: "operator", role: "viewer" },
    });
  });

  test("whoami says who asks", async () => {
    expect(await it.json("/whoami")).toEqual({ name: "owner", role: "admin" });
    expect(await (await as(tokens.get("viewer") as string, "/api/v1/whoami")).json()).toEqual({
      name: "a-viewer",
      role: "viewer",
    });
  });
});

describe("tokens", () => {
  test("are shown once, and only their digests are kept", async () => {
    const token = await tokenOf(it, "kept", "viewer");
    expect(token).toMatch(/^mnt_[\w-]{43}$/);
    const listed = await (await it.request("/tokens")).text();
    expect(listed).toContain('"kept"');
    expect(listed).not.toContain(token);
    for (const file of ["access.sqlite", "access.sqlite-wal"]) {
      expect(readFileSync(it.folder.file(`data/${file}`)).includes(token.slice(4))).toBe(false);
    }
  });

  test("are refused from the moment they are revoked", async () => {
    const token = await tokenOf(it, "gone", "viewer");
    expect((await as(token, "/api/v1/node")).status).toBe(200);
    expect((await it.request("/tokens/gone", { method: "DELETE" })).status).toBe(204);
    expect((await as(token, "/api/v1/node")).status).toBe(401);
    expect(await problemOf(await it.request("/tokens/gone", { method: "DELETE" }))).toMatchObject({ code: "resource.not_found" });
  });

  test.each<[how: string, more: object, finish: () => Promise<unknown>]>([
    ["revoked", {}, () => it.request("/tokens/follower-revoked", { method: "DELETE" })],
    ["expired", { expiresInMs: 1_000 }, async () => undefined],
  ])("end the feeds that were opened with them when they are %s", async (how, more, finish) => {
    const token = await tokenOf(it, `follower-${how}`, "viewer", more);
    const feed = await as(token, "/api/v1/events", { headers: { accept: "text/event-stream" } });
    const reader = (feed.body as ReadableStream<Uint8Array>).getReader();
    expect((await reader.read()).done).toBe(false);
    await finish();
    const readOn = async (): Promise<void> => {
      for (let isOver = false; !isOver; ) isOver = (await reader.read()).done;
    };
    await expect(readOn()).rejects.toThrow();
    expect((await as(token, "/api/v1/node")).status).toBe(401);
  });

  test("have names of their own, and the owner's is taken", async () => {
    await tokenOf(it, "twice", "viewer");
    for (const name of ["twice", "owner"]) {
      const response = await it.request("/tokens", {
        method: "POST",
        headers: JSON_BODY,
        body: JSON.stringify({ name, role: "admin" }),
      });
      expect(await problemOf(response)).toMatchObject({ httpStatus: 409, code: "state.conflict" });
    }
  });

  test("outlive a restart, until they expire", async () => {
    using folder = tempFolder();
    const open = () => openGateway({ data: folder.file("data"), listen: { port: 0 }, logger: silent });
    let token: string;
    {
      await using first = await open();
      const made = await fetch(`${first.url}/api/v1/tokens`, {
        method: "POST",
        headers: { ...JSON_BODY, authorization: `Bearer ${first.token}` },
        body: JSON.stringify({ name: "alice", role: "operator", expiresInMs: 3_600_000 }),
      });
      ({ token } = (await made.json()) as { token: string });
    }
    await using second = await open();
    const who = await fetch(`${second.url}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } });
    expect(await who.json()).toEqual({ name: "alice", role: "operator" });
  });

  test("may each make so many requests a second where the configuration says it", async () => {
    await using other = await testGateway({ processors: [], listen: { port: 0, rateLimit: 5 } });
    const token = await tokenOf(other, "busy", "viewer");
    const ask = () => fetch(`${other.gateway.url}/api/v1/node`, { headers: { authorization: `Bearer ${token}` } });
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200).length + refused.length).toBe(20);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect(await problemOf(refused[0] as Response)).toMatchObject({ code: "call.resource_exhausted", retryable: true });
    expect((await other.request("/node")).status).toBe(200);
    expect((await fetch(`${other.gateway.url}/healthz`)).status).toBe(200);
  });

  test("that are wrong too often make their address wait", async () => {
    await using other = await testGateway({ processors: [] });
    const statuses: number[] = [];
    for (let tries = 0; tries < 22; tries++) {
      const response = await fetch(`${other.gateway.url}/api/v1/node`, { headers: { authorization: `Bearer wrong-${tries}` } });
      statuses.push(response.status);
      if (response.status === 429) expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(statuses).toEqual([...Array<number>(20).fill(401), 429, 429]);
    expect((await other.request("/node")).status).toBe(200);
  });
});

interface Entry {
  readonly name: string;
  readonly operation: string;
  readonly status: number;
}

describe("the audit log", () => {
  test("has every change and every attempt, with who, what, result and why, the newest first", async () => {
    const operator = tokens.get("operator") as string;
    await as(operator, "/api/v1/processors/worker/restart", { method: "POST", headers: { "x-reason": "it was slow" } });
    await as(operator, `/api/v1/processors/${NOTHING}/restart`, { method: "POST" });
    await as(tokens.get("viewer") as string, "/api/v1/processors/worker/restart", { method: "POST" });
    const { items } = (await it.json("/audit?operation=restartProcessor&limit=3")) as { items: unknown[] };
    expect(items).toMatchObject([
      { name: "a-viewer", role: "viewer", status: 403, code: "auth.denied" },
      { name: "a-operator", role: "operator", status: 404, code: "resource.not_found" },
      {
        name: "a-operator",
        operation: "restartProcessor",
        method: "POST",
        path: "/api/v1/processors/worker/restart",
        status: 200,
        reason: "it was slow",
      },
    ]);
  });

  test("has the changes of whoever hung up before the answer", async () => {
    const control = new AbortController();
    const answer = it.request("/processors/worker/restart", {
      method: "POST",
      headers: { "x-reason": "in a hurry" },
      signal: control.signal,
    });
    await vi.waitUntil(async () => (await it.request("/processors/worker").then((one) => one.text())).includes("starting"), {
      interval: 1,
      timeout: 20_000,
    });
    control.abort();
    await expect(answer).rejects.toThrow();
    await vi.waitUntil(async () => (await (await it.request("/audit?limit=5")).text()).includes("in a hurry"), {
      timeout: 20_000,
    });
  });

  test("has what strangers tried, and lets them push out nobody's entries but their own", async () => {
    using folder = tempFolder();
    const store = new AccessStore(folder.path);
    const audit = new Audit(store, systemClock, { logger: silent, maxEntries: 3, maxStrangers: 2 });
    const entry = { atMs: 1, role: "none", operation: "o", method: "POST", path: "/", status: 401, requestId: "r" };
    const add = (name: string, count: number) => {
      for (let one = 0; one < count; one++) audit.add({ ...entry, name, code: undefined, reason: undefined });
      audit.flush();
    };
    add("ann", 5);
    add(NOBODY, 2_000);
    const names = audit.list({ limit: 100 }).map(({ name }) => name);
    expect(names).toEqual([NOBODY, NOBODY, "ann", "ann", "ann"]);
    audit.close();
    store.close();
  });

  test("waits in memory while it cannot be written, and stops nothing", async () => {
    using folder = tempFolder();
    const store = new AccessStore(folder.path);
    const audit = new Audit(store, systemClock, { logger: silent });
    store.database.exec("alter table audit rename to elsewhere");
    const entry = { atMs: 1, role: "admin", operation: "o", method: "POST", path: "/", status: 200, requestId: "r" };
    audit.add({ ...entry, name: "ann", code: undefined, reason: undefined });
    audit.flush();
    store.database.exec("alter table elsewhere rename to audit");
    expect(audit.list({ limit: 100 })).toMatchObject([{ name: "ann" }]);
    audit.close();
    store.close();
  });

  test("is for admins", async () => {
    expect((await as(tokens.get("operator") as string, "/api/v1/audit")).status).toBe(403);
  });

  test("has no traffic, no question and no body", async () => {
    await it.post({ type: "echo", data: "a-secret-payload" });
    await it.request("/graphs/check", { method: "POST", headers: JSON_BODY, body: JSON.stringify({ expression: "a; b" }) });
    const text = await (await it.request("/audit?limit=1000")).text();
    expect(text).not.toContain("postMessage");
    expect(text).not.toContain("checkGraph");
    expect(text).not.toContain("a-secret-payload");
  });

  test("is read page by page, by who, what and when", async () => {
    const all: Entry[] = [];
    for (let cursor = ""; ; ) {
      const page = (await it.json(`/audit?limit=7${cursor}`)) as { items: Entry[]; next?: string };
      all.push(...page.items);
      if (page.next === undefined) break;
      cursor = `&cursor=${page.next}`;
    }
    const whole = (await it.json("/audit?limit=1000")) as { items: Entry[] };
    expect(all).toEqual(whole.items);
    const mine = (await it.json("/audit?name=owner&operation=createToken")) as { items: Entry[] };
    expect(mine.items.length).toBeGreaterThan(0);
    for (const { name, operation } of mine.items) expect([name, operation]).toEqual(["owner", "createToken"]);
    const later = (await it.json("/audit?since=2999-01-01T00:00:00Z")) as { items: Entry[] };
    expect(later.items).toEqual([]);
  });

  test("is on the disk when the gateway has closed", async () => {
    using folder = tempFolder();
    const open = () => openGateway({ data: folder.file("data"), listen: { port: 0 }, logger: silent });
    const ask = (gateway: { url: string; token: string }, path: string, init: RequestInit = {}) =>
      fetch(`${gateway.url}/api/v1${path}`, { ...init, headers: { ...JSON_BODY, authorization: `Bearer ${gateway.token}` } });
    {
      await using first = await open();
      await ask(first, "/tokens", { method: "POST", body: JSON.stringify({ name: "bob", role: "viewer" }) });
    }
    await using second = await open();
    expect(await (await ask(second, "/audit")).json()).toMatchObject({
      items: [{ name: "owner", operation: "createToken", status: 201 }],
    });
  });
});
