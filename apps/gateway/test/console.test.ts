import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestGateway, testGateway } from "./harness.ts";

let it: TestGateway;
beforeAll(async () => {
  it = await testGateway({ processors: [] });
});
afterAll(() => it[Symbol.asyncDispose]());

const get = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(it.gateway.url + path, { redirect: "manual", ...init });

/** The script that the page begins with. */
async function scriptOf(): Promise<string> {
  const page = await (await get("/console/")).text();
  return /src="(\/console\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
}

describe("the console's files", () => {
  test("are where a browser is led from the node's address", async () => {
    const response = await get("/");
    expect([response.status, response.headers.get("location")]).toEqual([302, "/console/"]);
  });

  test("need no token, and may load and ask nothing but this node", async () => {
    const response = await get("/console/");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  test("are the page for every screen's address, asked for anew each time", async () => {
    const page = await (await get("/console/")).text();
    for (const path of [
      "/console/streams/numbers",
      "/console/workflows/instances/B%3Ashop%2Forder%3A1%7C7",
      "/console/actors?view=list",
    ]) {
      const response = await get(path);
      expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-cache"]);
      expect(await response.text()).toBe(page);
    }
  });

  test("come compressed and are kept for ever, since their names change with what is in them", async () => {
    const response = await get(await scriptOf(), { headers: { "accept-encoding": "gzip" } });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(response.headers.get("cache-control")).toContain("immutable");
    expect(response.headers.get("content-type")).toMatch(/javascript/);
  });

  test("are 404 where there is no such file, and nothing beside them can be reached", async () => {
    for (const path of [
      "/console/assets/nothing.js",
      "/console/..%2Fpackage.json",
      "/console/assets/%2e%2e/%2e%2e/package.json",
    ]) {
      const response = await get(path);
      expect(await response.text()).not.toContain('"dependencies"');
      if (path.includes("nothing")) expect(response.status).toBe(404);
    }
  });
});
