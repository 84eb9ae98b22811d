import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JSON_BODY, problemOf, type TestGateway, testGateway, WORKER } from "./harness.ts";

const SECOND = fileURLToPath(new URL("./fixtures/second.ts", import.meta.url));

let it: TestGateway;
beforeAll(async () => {
  it = await testGateway({ nature: { enabled: true } });
});
afterAll(() => it[Symbol.asyncDispose]());

interface Asked {
  readonly key?: string;
  readonly tag?: string | null;
  readonly token?: string;
}

function change(method: string, path: string, body: object | undefined, { key, tag, token }: Asked = {}): Promise<Response> {
  return it.request(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      ...(body === undefined ? {} : JSON_BODY),
      ...(key === undefined ? {} : { "idempotency-key": key }),
      ...(tag === undefined || tag === null ? {} : { "if-match": tag }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
}

const meta = (name: string): string => `B:repeats/${name}:1`;
const at = (name: string): string => `/metas/${encodeURIComponent(meta(name))}`;

async function tokenOf(name: string): Promise<string> {
  const made = await change("POST", "/tokens", { name, role: "admin" });
  return ((await made.json()) as { token: string }).token;
}

describe("a request under an idempotency key", () => {
  test("has the same answer again, is done once, and stands in the audit log once (I1)", async () => {
    const ask = () => change("POST", "/metas", { meta: meta("once") }, { key: "k-once" });
    const [first, second] = [await ask(), await ask()];
    expect([first.status, first.headers.get("idempotency-replayed")]).toEqual([201, null]);
    expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    expect(second.headers.get("location")).toBe(first.headers.get("location"));
    expect(await second.text()).toBe(await first.text());
    const { items } = (await it.json("/audit?operation=createMeta")) as { items: { status: number }[] };
    expect(items.map(({ status }) => status)).toEqual([201]);
  });

  test("has its refusal again as well", async () => {
    const ask = () => change("POST", "/metas", { meta: "no meta" }, { key: "k-refused" });
    const [first, second] = [await ask(), await ask()];
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await problemOf(second)).toEqual(await problemOf(first));
  });

  test("is another one with another body or at another address, and refused", async () => {
    const key = "k-other";
    expect((await change("POST", "/metas", { meta: meta("other") }, { key })).status).toBe(201);
    for (const [path, body] of [
      ["/metas", { meta: meta("another") }],
      ["/metas?ifVersion=1", { meta: meta("other") }],
    ] as const) {
      const refusal = await problemOf(await change("POST", path, body, { key }));
      expect(refusal).toMatchObject({ httpStatus: 409, code: "state.conflict", retryable: false });
    }
    expect((await it.request(at("another"))).status).toBe(404);
  });

  test("is nobody else's, not even that of the next token of the same name", async () => {
    const body = { meta: meta("mine") };
    const ask = async (token: string) => (await change("POST", "/metas", body, { key: "k-mine", token })).status;
    const ann = await tokenOf("ann");
    expect([await ask(ann), await ask(ann), await ask(await tokenOf("bob"))]).toEqual([201, 201, 409]);
    await change("DELETE", "/tokens/ann", undefined);
    expect(await ask(await tokenOf("ann"))).toBe(409);
  });

  test("is done once of two that come at the same time (I2)", async () => {
    const ask = () => change("POST", "/processors", { name: "twin", file: SECOND }, { key: "k-twin" });
    const answers = await Promise.all([ask(), ask()]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
    const refused = answers.find(({ status }) => status === 409) as Response;
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await problemOf(refused)).toMatchObject({ code: "state.conflict", retryable: true });
    expect((await ask()).headers.get("idempotency-replayed")).toBe("true");
  });

  test("is done anew where it met a defect or could not start (I3)", async () => {
    const ask = () => change("POST", "/processors", { name: "broken", command: ["/nowhere/at/all"] }, { key: "k-broken" });
    for (const answer of [await ask(), await ask()]) {
      expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([500, null]);
    }
  });

  test("never keeps the text of a token", async () => {
    const body = { name: "secret", role: "viewer" };
    expect((await change("POST", "/tokens", body, { key: "k-secret" })).status).toBe(201);
    expect((await change("POST", "/tokens", body, { key: "k-secret" })).status).toBe(409);
  });

  test("wants a key that is one", async () => {
    const refusal = await change("POST", "/metas", { meta: meta("key") }, { key: "a b" });
    expect(await problemOf(refusal)).toMatchObject({ httpStatus: 400, code: "usage.invalid" });
  });

  test("has its answer also after the node was started again", async () => {
    await using other = await testGateway({ nature: { enabled: true }, processors: [] });
    const init = {
      method: "POST",
      headers: { ...JSON_BODY, "idempotency-key": "k-again" },
      body: JSON.stringify({ meta: meta("again") }),
    };
    expect((await other.request("/metas", init)).status).toBe(201);
    await other.gateway.close();
    await using second = await testGateway({ nature: { enabled: true }, processors: [], data: other.folder.file("data") });
    expect((await second.request("/metas", init)).headers.get("idempotency-replayed")).toBe("true");
  });
});

async function tagOf(path: string): Promise<string | null> {
  return (await it.request(path)).headers.get("etag");
}

describe("a change with If-Match", () => {
  test("is made while what it changes is as it was read, and refused from then on (T1)", async () => {
    await change("POST", "/metas", { meta: meta("tagged") });
    const tag = await tagOf(at("tagged"));
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    expect(await tagOf(at("tagged"))).toBe(tag);
    const put = (description: string) => change("PUT", at("tagged"), { description }, { tag });
    expect((await put("first")).status).toBe(200);
    const refusal = await problemOf(await put("second"));
    expect(refusal).toMatchObject({ httpStatus: 412, code: "state.precondition", details: { found: await tagOf(at("tagged")) } });
    expect((await change("DELETE", at("tagged"), undefined, { tag })).status).toBe(412);
    expect((await change("DELETE", at("tagged"), undefined, { tag: "*" })).status).toBe(204);
    expect((await change("PUT", at("tagged"), {}, { tag: "*" })).status).toBe(412);
  });

  test("is made once of two that come at the same time (T2)", async () => {
    await change("POST", "/metas", { meta: meta("raced") });
    const tag = await tagOf(at("raced"));
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => change("PUT", at("raced"), { description: `of ${index}` }, { tag })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(7).fill(412)]);
  });

  test("sees another processor of the same name, and none in a call that goes on", async () => {
    const tag = await tagOf("/processors/worker");
    await it.post({ type: "echo", data: 1 });
    expect(await tagOf("/processors/worker")).toBe(tag);
    const replace = () => change("PUT", "/processors/worker", { file: WORKER }, { tag });
    expect((await replace()).status).toBe(200);
    expect((await replace()).status).toBe(412);
  });

  test("sees the next version of a graph", async () => {
    const body = (count: number) => ({
      expression: "ticks; drop",
      nodes: [
        { name: "ticks", action: "generate", with: { count } },
        { name: "drop", command: "cat", answers: "one" },
      ],
    });
    expect((await change("PUT", "/graphs/tagged", body(1))).status).toBe(200);
    const tag = await tagOf("/graphs/tagged");
    expect((await change("PUT", "/graphs/tagged", body(2), { tag })).status).toBe(200);
    expect((await change("DELETE", "/graphs/tagged", undefined, { tag })).status).toBe(412);
  });

  test("is refused where nothing has a tag (T3)", async () => {
    const refusal = await change("DELETE", "/tokens/nobody", undefined, { tag: '"x"' });
    expect(await problemOf(refusal)).toMatchObject({ httpStatus: 400, code: "usage.invalid" });
  });
});
