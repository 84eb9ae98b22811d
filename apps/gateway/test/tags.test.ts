import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { JSON_BODY, problemOf, type TestGateway, testGateway } from "./harness.ts";

let it: TestGateway;
beforeAll(async () => {
  it = await testGateway({ nature: { enabled: true }, durable: { maxAttempts: 1 } });
});
afterAll(() => it[Symbol.asyncDispose]());

const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  it.request(path, {
    method,
    headers: { ...(body === undefined ? {} : JSON_BODY), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

async function tagOf(path: string): Promise<string> {
  const response = await it.request(path);
  await response.arrayBuffer();
  expect(response.headers.get("etag")).toMatch(/^"[\w-]{22}"$/);
  return response.headers.get("etag") as string;
}

/** Has a change made with a wrong tag and with the right one; the right one is not the right one twice. */
async function expectGuarded(path: string, change: (headers: Record<string, string>) => Promise<Response>): Promise<void> {
  const tag = await tagOf(path);
  const refused = await problemOf(await change({ "if-match": '"another"' }));
  expect(refused).toMatchObject({ httpStatus: 412, code: "state.precondition", details: { header: "if-match", found: tag } });
  expect(await problemOf(await change({ "if-match": `W/${tag}` }))).toMatchObject({ httpStatus: 412 });
  expect(await problemOf(await change({ "if-none-match": "*" }))).toMatchObject({ details: { header: "if-none-match" } });
  expect(await tagOf(path)).toBe(tag);
  expect((await change({ "if-match": `"another", ${tag}` })).status).toBeLessThan(300);
}

const sale = (version: number): string => `/metas/${encodeURIComponent(`B:sale/order:${version}`)}`;
const relation = `/relations/${encodeURIComponent("B:sale/order:1")}/${encodeURIComponent("B:sale/order:2")}`;

describe("tags", () => {
  test("let a reader ask whether anything has changed", async () => {
    await send("PUT", sale(1), {});
    for (const path of ["/processors/worker", sale(1)]) {
      const tag = await tagOf(path);
      for (const named of [tag, `W/${tag}`, `"another", ${tag}`, "*"]) {
        const response = await it.request(path, { headers: { "if-none-match": named } });
        expect([response.status, await response.text(), response.headers.get("etag")]).toEqual([304, "", tag]);
        expect(response.headers.get("content-type")).toBeNull();
      }
      const changed = await it.request(path, { headers: { "if-none-match": '"another"' } });
      expect([changed.status, await changed.json()]).toEqual([200, expect.any(Object)]);
    }
    expect((await it.request("/processors")).headers.get("etag")).toBeNull();
    const missing = await it.request("/processors/nobody", { headers: { "if-none-match": "*" } });
    expect([missing.status, missing.headers.get("etag")]).toEqual([404, null]);
  });

  test("of a processor stand for its definition and its processes, not for what it counts", async () => {
    const tag = await tagOf("/processors/worker");
    expect((await it.post({ type: "test.echo", data: 1 })).status).toBe(200);
    expect(await tagOf("/processors/worker")).toBe(tag);
    expect((await send("POST", "/processors/worker/restart", undefined, { "if-match": tag })).status).toBe(200);
    expect(await tagOf("/processors/worker")).not.toBe(tag);
    expect((await send("POST", "/processors/worker/restart", undefined, { "if-match": tag })).status).toBe(412);
  });

  test("of a processor guard its change and its end", async () => {
    const file = new URL("./fixtures/worker.ts", import.meta.url).pathname;
    const spec = { file, env: { NOTES: it.folder.file("notes") } };
    const path = "/processors/worker";
    await expectGuarded(path, (headers) => send("PUT", path, spec, headers));
    await expectGuarded(path, (headers) => send("DELETE", path, undefined, headers));
    expect((await send("DELETE", path, undefined, { "if-match": "*" })).status).toBe(404);
    expect((await send("POST", "/processors", { name: "worker", ...spec })).status).toBe(201);
  });

  test("of metas and relations guard every change of them", async () => {
    await send("PUT", sale(1), {});
    await send("PUT", sale(2), {});
    await expectGuarded(sale(1), (headers) => send("PUT", sale(1), { description: "changed" }, headers));
    await expectGuarded(sale(1), (headers) => send("POST", `${sale(1)}/disable`, undefined, headers));
    await expectGuarded(sale(1), (headers) => send("POST", `${sale(1)}/enable`, undefined, headers));
    const settings = { settings: { delayMs: 5 } };
    const made = await send("PUT", relation, settings, { "if-match": "*" });
    expect(await problemOf(made)).toMatchObject({ code: "state.precondition", details: { wanted: "*" } });
    expect((await send("PUT", relation, settings, { "if-none-match": "*" })).status).toBe(200);
    await expectGuarded(relation, (headers) => send("POST", `${relation}/disable`, undefined, headers));
    await expectGuarded(relation, (headers) => send("POST", `${relation}/enable`, undefined, headers));
    await expectGuarded(relation, (headers) => send("DELETE", relation, undefined, headers));
    await expectGuarded(sale(1), (headers) => send("DELETE", sale(1), undefined, headers));
    expect(await problemOf(await send("DELETE", sale(1), undefined, { "if-match": "*" }))).toMatchObject({
      code: "meta.unknown",
    });
  });

  test("let one of many edits of the same state pass, and every edit of another", async () => {
    await send("PUT", sale(3), {});
    const tag = await tagOf(sale(3));
    const edits = await Promise.all(
      Array.from({ length: 8 }, (_, i) => send("PUT", sale(3), { description: `one ${i}` }, { "if-match": tag })),
    );
    expect(edits.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(412)]);
    const others = [4, 5, 6, 7, 8, 9];
    for (const version of others) await send("PUT", sale(version), {});
    const tags = await Promise.all(others.map((version) => tagOf(sale(version))));
    const all = await Promise.all(
      others.map((version, i) => send("PUT", sale(version), { description: "mine" }, { "if-match": tags[i] as string })),
    );
    expect(all.map(({ status }) => status)).toEqual(others.map(() => 200));
  });

  test("of a graph stand for its version and guard it", async () => {
    const document = (template: string): object => ({
      expression: "ticks; drop",
      nodes: [
        { name: "ticks", action: "generate", with: { intervalMs: 1_000, template } },
        { name: "drop", command: "cat", answers: "one" },
      ],
    });
    const path = "/graphs/tagged";
    expect((await send("PUT", path, document("a"), { "if-none-match": "*" })).status).toBe(200);
    await expectGuarded(path, (headers) => send("PUT", path, document("b"), headers));
    await expectGuarded(path, (headers) => send("POST", `${path}/rollback`, { version: 1 }, headers));
    const stage = { command: "cat -u", answers: "one" };
    await expectGuarded(path, (headers) => send("POST", `${path}/stages/drop/upgrade`, stage, headers));
    const tag = await tagOf(path);
    const edits = await Promise.all(
      Array.from({ length: 5 }, (_, i) => send("PUT", path, document(`c${i}`), { "if-match": tag })),
    );
    expect(edits.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412, 412]);
    await expectGuarded(path, (headers) => send("DELETE", path, undefined, headers));
    expect((await send("PUT", path, document("a"))).status).toBe(200);
    expect(await tagOf(path)).not.toBe(tag);
  });

  test("of a dead letter guard its edit, its replay and its end", async () => {
    for (const id of ["tagged-1", "tagged-2"]) {
      await it.post({ type: "test.fail", id, data: { code: "state.conflict" } }, { query: "?mode=send" });
    }
    const letters = await vi.waitFor(async () => {
      const { items } = (await it.json("/dead-letters")) as { items: { id: string }[] };
      expect(items).toHaveLength(2);
      return items;
    }, 10_000);
    const [one, two] = letters.map(({ id }) => `/dead-letters/${id}`) as [string, string];
    await expectGuarded(one, (headers) => send("PATCH", one, { data: { code: "log.full" } }, headers));
    await expectGuarded(one, (headers) => send("POST", `${one}/replay`, undefined, headers));
    await expectGuarded(two, (headers) => send("DELETE", two, undefined, headers));
  });

  test("that are wrong are no answer to keep under a key", async () => {
    await send("PUT", sale(10), {});
    const ask = (tag: string): Promise<Response> =>
      send("POST", `${sale(10)}/disable`, undefined, { "if-match": tag, "idempotency-key": "tagged" });
    expect((await ask('"another"')).status).toBe(412);
    expect((await ask(await tagOf(sale(10)))).status).toBe(200);
  });

  test("stand in the OpenAPI document", async () => {
    const { paths } = (await it.json("/openapi.json")) as { paths: Record<string, Record<string, Described>> };
    const headersOf = ({ parameters = [] }: Described): string[] =>
      parameters.filter((one) => one.in === "header").map(({ name }) => name);
    const { get, put } = paths["/api/v1/metas/{meta}"] as { get: Described; put: Described };
    expect([headersOf(get), Object.keys(get.responses)]).toEqual([["If-None-Match"], expect.arrayContaining(["304"])]);
    expect(headersOf(put)).toContain("If-Match");
    expect(put.responses["412"]?.description).toBe("state.precondition");
    expect(get.responses["200"]?.headers).toHaveProperty("ETag");
  });
});

interface Described {
  parameters?: { name: string; in: string }[];
  responses: Record<string, { description: string; headers?: object }>;
}
