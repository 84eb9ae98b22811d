import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openWarehouse, type Warehouse } from "./fixtures/warehouse.ts";
import { JSON_BODY, problemOf, type TestGateway, testGateway } from "./harness.ts";

const FLOW = fileURLToPath(new URL("./fixtures/emall.flow.ts", import.meta.url));
const ORDER = "B:sale/order:1";
const STATE = "B:sale/orderState:1";
const ACCOUNT = "B:finance/orderAccount:1";
const NEW_ID = "18446744073709551615";

let subject: TestGateway;
let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openWarehouse();
  subject = await testGateway({ processors: [], nature: { flows: [FLOW] } });
});
afterAll(async () => {
  await subject[Symbol.asyncDispose]();
  await warehouse[Symbol.asyncDispose]();
});

interface Instance {
  key: string;
  id: string;
  version: number;
  states: string[];
  content: string;
  from?: { meta: string; version: number };
}
interface Stored {
  instance: Instance;
  isNew: boolean;
  flow?: { status: string; instance?: Instance; failed: number };
}
interface Page<T> {
  items: T[];
  next?: string;
  version: number;
}

const at = (name: string): string => encodeURIComponent(name);
const get = async <T>(path: string): Promise<T> => (await subject.json(path)) as T;

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  return subject.request(path, { method, headers: { ...(body === undefined ? {} : JSON_BODY), ...headers }, ...content });
}

async function put(input: object, prefer = "wait=10", query = ""): Promise<Stored> {
  const response = await send("POST", `/instances${query}`, input, { prefer });
  expect([200, 201], await response.clone().text()).toContain(response.status);
  return (await response.json()) as Stored;
}

describe("metas and relations", () => {
  test("are those that the files of the configuration declare", async () => {
    const { items, version } = await get<Page<{ meta: string }>>("/metas");
    expect(version).toBeGreaterThan(0);
    expect(items.map(({ meta }) => meta)).toEqual([
      ORDER,
      STATE,
      "B:finance/payment:1",
      ACCOUNT,
      "B:third/waybill:1",
      "B:sale/orderSign:1",
    ]);
    const relations = await get<Page<{ from: string; to: string; enabled: boolean }>>(`/relations?from=${at(ORDER)}`);
    expect(relations.items).toMatchObject([
      { from: ORDER, to: STATE, enabled: true, settings: { target: { addStates: ["new"] } } },
      { from: ORDER, to: ACCOUNT, enabled: true },
    ]);
  });

  test("are created, changed, disabled, enabled and deleted while the node runs", async () => {
    const created = await send("POST", "/metas", { meta: "B:/test/thing:01", states: "a|b" });
    expect([created.status, created.headers.get("location")]).toEqual([201, `/api/v1/metas/${at("B:test/thing:1")}`]);
    expect(await created.json()).toEqual({ meta: "B:test/thing:1", states: "a|b", enabled: true });
    expect(await problemOf(await send("POST", "/metas", { meta: "B:test/thing:1" }))).toMatchObject({
      code: "meta.exists",
      httpStatus: 409,
    });
    const thing = `/metas/${at("B:test/thing:1")}`;
    expect(await (await send("PUT", thing, { states: "a|b|c", description: "for a test" })).json()).toMatchObject({
      states: "a|b|c",
    });

    const relation = `/relations/${at("B:test/thing:1")}/${at("B:test/other:1")}`;
    expect(await problemOf(await send("PUT", relation, {}))).toMatchObject({ code: "meta.unknown", httpStatus: 404 });
    await send("PUT", `/metas/${at("B:test/other:1")}`, {});
    expect(await (await send("PUT", relation, { settings: { delayMs: 5 } })).json()).toMatchObject({
      settings: { delayMs: 5 },
      enabled: true,
    });
    expect(await get(thing)).toMatchObject({
      usedBy: { relations: ["B:test/thing:1 -> B:test/other:1"], metas: [], instances: false },
    });
    expect(await problemOf(await send("DELETE", thing))).toMatchObject({ code: "meta.in_use", httpStatus: 409 });
    expect(await (await send("POST", `${relation}/disable`)).json()).toMatchObject({ enabled: false });
    expect(await (await send("POST", `${thing}/disable`)).json()).toMatchObject({ enabled: false });
    expect(await (await send("POST", `${thing}/enable`)).json()).toMatchObject({ enabled: true });
    expect((await send("DELETE", relation)).status).toBe(204);
    expect(await problemOf(await send("GET", relation))).toMatchObject({ code: "relation.unknown", httpStatus: 404 });
    expect((await send("DELETE", thing)).status).toBe(204);
    expect((await send("DELETE", `/metas/${at("B:test/other:1")}`)).status).toBe(204);
    expect(await problemOf(await send("GET", thing))).toMatchObject({ code: "meta.unknown" });
  });

  test("are changed only if they still have the version that a caller saw, where it says so", async () => {
    const { version } = await get<Page<unknown>>("/metas");
    const late = await send("PUT", `/metas/${at("B:test/late:1")}?ifVersion=${version - 1}`, {});
    expect(await problemOf(late)).toMatchObject({ code: "state.conflict", httpStatus: 409, details: { found: version } });
    expect((await send("PUT", `/metas/${at("B:test/late:1")}?ifVersion=${version}`, {})).status).toBe(200);
    expect((await send("DELETE", `/metas/${at("B:test/late:1")}`)).status).toBe(204);
  });

  test("say where an expression or a meta-string is wrong, and which name was meant", async () => {
    expect(await problemOf(await send("PUT", `/metas/${at("B:test/x:1")}`, { states: "a|b]" }))).toMatchObject({
      code: "meta.syntax",
      details: { column: 4 },
    });
    expect(await problemOf(await send("PUT", `/metas/${at("B:test/x:1")}`, { settings: { cacheSave: true } }))).toMatchObject({
      code: "config.invalid",
      detail: expect.stringContaining("cacheSaved"),
    });
    expect(await problemOf(await send("PUT", `/metas/${at(ORDER)}`, { meta: STATE }))).toMatchObject({ code: "usage.invalid" });
  });

  test("are planned and applied as a whole, all or nothing", async () => {
    const declared = {
      metas: [{ meta: "B:plan/a:1" }, { meta: "B:plan/b:1" }],
      relations: [{ from: "B:plan/a:1", to: "B:plan/b:1" }],
    };
    const plan = (await (await send("POST", "/workflows/plan", declared)).json()) as { version: number; text: string };
    expect(plan).toMatchObject({
      changes: [
        { action: "add", kind: "meta", name: "B:plan/a:1" },
        { action: "add", kind: "meta", name: "B:plan/b:1" },
        { action: "add", kind: "relation", name: "B:plan/a:1 -> B:plan/b:1" },
      ],
      leftAlone: expect.arrayContaining([ORDER]),
    });
    expect(plan.text).toContain("3 to add, 0 to change, 0 to remove");
    expect((await get<Page<unknown>>("/metas")).version).toBe(plan.version);
    const stale = { ...declared, ifVersion: plan.version - 1 };
    expect(await problemOf(await send("POST", "/workflows/apply", stale))).toMatchObject({ code: "state.conflict" });
    const applied = await (await send("POST", "/workflows/apply", { ...declared, ifVersion: plan.version })).json();
    expect(applied).toMatchObject({ version: plan.version + 1, changed: 3 });
    expect(await (await send("POST", "/workflows/apply", declared)).json()).toMatchObject({
      version: plan.version + 1,
      changed: 0,
    });
    const broken = { metas: [{ meta: "B:plan/c:1" }], relations: [{ from: "B:plan/c:1", to: "B:plan/nowhere:1" }] };
    expect(await problemOf(await send("POST", "/workflows/apply", broken))).toMatchObject({ code: "meta.unknown" });
    expect(await problemOf(await send("GET", `/metas/${at("B:plan/c:1")}`))).toMatchObject({ code: "meta.unknown" });
  });
});

describe("instances", () => {
  test("are stored once however often they are sent, and bring what follows from them with `Prefer: wait`", async () => {
    const order = { meta: ORDER, content: JSON.stringify({ price: 1_000 }) };
    const response = await send("POST", "/instances", order, { prefer: "wait=10" });
    expect([response.status, response.headers.get("preference-applied")]).toEqual([201, "wait=10"]);
    const first = (await response.json()) as Stored;
    expect(first).toMatchObject({ isNew: true, flow: { status: "ended", failed: 0 } });
    expect(await put(order)).toMatchObject({ isNew: false, instance: { key: first.instance.key } });

    const { items } = await get<Page<Instance>>(`/instances/${at(first.instance.key)}/downstream`);
    expect(items.map(({ key, states }) => [key, states])).toEqual([
      [`${ACCOUNT}|${first.instance.id}||1`, ["unpaid"]],
      [`${STATE}|${first.instance.id}||1`, ["new"]],
    ]);
    const pay = (paid: number) => ({
      meta: "B:finance/payment:1",
      content: JSON.stringify({ order: first.instance.id, paid }),
      sysContext: { "target.id": first.instance.id },
    });
    expect(await put(pay(400), "wait=10", `?waitFor=${at(ACCOUNT)}`)).toMatchObject({
      flow: { status: "stored", instance: { version: 2, states: ["partial"] } },
    });
    const last = await put(pay(600), "respond-async, wait=10", `?waitFor=${at(STATE)}`);
    expect(last.flow).toMatchObject({ status: "stored", instance: { version: 2, states: ["paid"] } });

    const line = at(`${ACCOUNT}|${first.instance.id}|`);
    const versions = await get<Page<Instance>>(`/instances/${line}/versions?limit=2`);
    expect(versions.items.map(({ version }) => version)).toEqual([3, 2]);
    const rest = await get<Page<Instance>>(`/instances/${line}/versions?limit=2&cursor=${versions.next}`);
    expect([rest.items.map(({ version }) => version), rest.next]).toEqual([[1], undefined]);
    expect(await get(`/instances/${line}`)).toMatchObject({ version: 3, states: ["paid"] });

    const upstream = await get<Page<Instance>>(`/instances/${at(last.flow?.instance?.key ?? "")}/upstream`);
    expect(upstream.items.map(({ key }) => key.split("|")[0])).toEqual([ACCOUNT, "B:finance/payment:1"]);
  });

  test("keep ids of 64 bits as text", async () => {
    const { instance } = await put({ meta: ORDER, id: NEW_ID, content: '{"price":1}' }, "");
    expect(instance).toMatchObject({ id: NEW_ID, key: `${ORDER}|${NEW_ID}||0` });
    expect(await get(`/instances/${at(`${ORDER}|${NEW_ID}||0`)}`)).toMatchObject({ id: NEW_ID, content: '{"price":1}' });
  });

  test("are put in together, all or none", async () => {
    const items = [1, 2].map((n) => ({ meta: "B:plan/b:1", content: String(n) }));
    const response = await send("POST", "/instances:batch", { items });
    expect(((await response.json()) as { items: Stored[] }).items.map(({ isNew }) => isNew)).toEqual([true, true]);
    const broken = [{ meta: "B:plan/b:1", content: "3" }, { meta: "B:nowhere:1" }];
    expect(await problemOf(await send("POST", "/instances:batch", { items: broken }))).toMatchObject({
      code: "meta.unknown",
      details: { index: 1 },
    });
    expect((await get<Page<Instance>>(`/instances?meta=${at("B:plan/b:1")}&order=recent`)).items).toHaveLength(2);
  });

  test("are read by ranges of keys, page by page", async () => {
    for (let n = 1; n <= 5; n++) await put({ meta: "B:plan/b:1", id: String(n), para: "p", content: "" }, "");
    const range = `/instances?keyGe=${at("B:plan/b:1|1|p")}&keyLe=${at("B:plan/b:1|5|p")}&limit=3`;
    const page = await get<Page<Instance>>(range);
    expect(page.items.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    const next = await get<Page<Instance>>(`${range}&cursor=${page.next}`);
    expect([next.items.map(({ id }) => id), next.next]).toEqual([["4", "5"], undefined]);
    expect((await get<Page<Instance>>(`${range}&createdLt=2000-01-01T00:00:00Z`)).items).toEqual([]);
  });

  test.each<[what: string, path: string, code: string, status: number]>([
    ["an instance that is not stored", `/instances/${at(`${ORDER}|7||0`)}`, "instance.unknown", 404],
    ["a key that is none", "/instances/what", "instance.unknown", 404],
    ["a key of too many parts", `/instances/${at("a|1|b|0|c")}`, "usage.invalid", 400],
    ["a moment that is none", "/instances?createdGe=yesterday", "usage.invalid", 400],
    ["recent ones of no meta", "/instances?order=recent", "usage.invalid", 400],
    ["a cursor that is none", "/instances?cursor=x", "usage.invalid", 400],
    ["a page that is too long", "/instances?limit=1001", "usage.invalid", 400],
  ])("refuse %s", async (_what, path, code, status) => {
    const expected = path === "/instances/what" ? { code: "meta.syntax", httpStatus: 400 } : { code, httpStatus: status };
    expect(await problemOf(await send("GET", path))).toMatchObject(expected);
  });

  test.each<[what: string, body: object, code: string]>([
    ["without a meta", {}, "usage.invalid"],
    ["with a member that is none", { meta: ORDER, contents: "" }, "usage.invalid"],
    ["of an unknown meta", { meta: "B:sale/ordre:1" }, "meta.unknown"],
    ["with a state that is none", { meta: STATE, id: "5", states: ["packed"] }, "instance.state"],
    ["behind a gap", { meta: STATE, id: "5", states: ["new"], version: 3 }, "instance.version_gap"],
  ])("are refused %s", async (_what, body, code) => {
    expect(await problemOf(await send("POST", "/instances", body))).toMatchObject({ code });
  });
});

describe("tasks", () => {
  /** Lets orders go to the warehouse under a relation of its own. */
  async function sendTo(url: string): Promise<void> {
    await send("PUT", `/metas/${at("B:ware/parcel:1")}`, {});
    const path = `/relations/${at("B:plan/a:1")}/${at("B:ware/parcel:1")}`;
    expect((await send("PUT", path, { settings: { executor: { protocol: "http", url } } })).status).toBe(200);
  }

  test("wait for a callback, which shows the credential of its task in place of a token", async () => {
    await sendTo(warehouse.url);
    await put({ meta: "B:plan/a:1", content: "parcel one" }, "");
    await vi.waitFor(() => expect(warehouse.requests).toHaveLength(1), 10_000);
    const { headers } = warehouse.requests[0] as Warehouse["requests"][0];
    const {
      "metanode-task": taskId = "",
      "metanode-credential": credential = "",
      "metanode-callback": url = "",
    } = headers as Record<string, string>;
    expect(url).toBe(`${subject.gateway.url}/api/v1/callbacks`);
    expect(await get(`/tasks/${taskId}`)).toMatchObject({ id: taskId, to: "B:ware/parcel:1" });
    expect((await get<Page<{ id: string }>>(`/tasks?to=${at("B:ware/parcel:1")}`)).items.map(({ id }) => id)).toEqual([taskId]);

    const call = (body: object, more: Record<string, string> = {}): Promise<Response> =>
      fetch(url, { method: "POST", headers: { ...JSON_BODY, ...more }, body: JSON.stringify(body) });
    const result = { type: "instances", instances: [{ content: "sent" }] };
    expect(await problemOf(await call({ taskId, credential: "x".repeat(43), result }))).toMatchObject({
      code: "task.credential",
      httpStatus: 403,
    });
    expect(await problemOf(await call({ result }))).toMatchObject({ code: "task.credential" });
    expect(await problemOf(await call({ task_id: Number(taskId), result: { type: "None" } }))).toMatchObject({
      code: "task.unknown",
    });
    const own = { "metanode-task": taskId, "metanode-credential": credential };
    expect((await call({ result }, own)).status).toBe(204);
    expect(await problemOf(await call({ result }, own))).toMatchObject({ code: "task.unknown", httpStatus: 404 });
    expect((await get<Page<Instance>>(`/instances?meta=${at("B:ware/parcel:1")}`)).items).toMatchObject([{ content: "sent" }]);
  });

  test("take callbacks in the words of Nature, ids of 64 bits unharmed", async () => {
    await put({ meta: "B:plan/a:1", content: "parcel two" }, "");
    await vi.waitFor(() => expect(warehouse.requests).toHaveLength(2), 10_000);
    const { text } = warehouse.requests[1] as Warehouse["requests"][0];
    const { task_id } = JSON.parse(text) as { task_id: number };
    const body = `{"task_id":${task_id},"result":{"type":"Instances","ins":[{"id":${NEW_ID},"path":{"meta":"B:ware/parcel:1"},"data":{"content":"two"}}]}}`;
    const response = await fetch(`${subject.gateway.url}/api/v1/callbacks`, { method: "POST", headers: JSON_BODY, body });
    expect(response.status).toBe(204);
    expect(await get(`/instances/${at(`B:ware/parcel:1|${NEW_ID}||0`)}`)).toMatchObject({ content: "two" });
  });

  test("that failed are seen, replayed with another executor, and dropped", async () => {
    warehouse.answer = '{"type":"LogicalError","msg":"no such article"}';
    const failing = await put({ meta: "B:plan/a:1", content: "parcel three" });
    expect(failing.flow).toMatchObject({ status: "ended", failed: 1 });
    const { items } = await get<Page<{ id: string; code: string; error: string; mission: object }>>("/tasks/failed");
    expect(items).toMatchObject([
      { code: "executor.logic", error: expect.stringContaining("no such article"), to: "B:ware/parcel:1" },
    ]);
    const path = `/tasks/failed/${items[0]?.id}`;
    expect(await get(path)).toMatchObject({ upstream: { meta: "B:plan/a:1" }, mission: { executor: { url: warehouse.url } } });
    expect(await problemOf(await send("POST", `${path}/replay`, { mission: { to: "B:plan/b:1" } }))).toMatchObject({
      code: "usage.invalid",
    });
    const mission = { executor: { protocol: "auto", url: "" } };
    const replayed = await send("POST", `${path}/replay`, { mission });
    expect([replayed.status, await replayed.json()]).toEqual([202, { id: items[0]?.id }]);
    const key = at(failing.instance.key);
    await vi.waitFor(
      async () => expect((await get<Page<unknown>>(`/instances/${key}/downstream`)).items).toHaveLength(1),
      10_000,
    );
    expect(await problemOf(await send("GET", path))).toMatchObject({ code: "task.unknown", httpStatus: 404 });

    await put({ meta: "B:plan/a:1", content: "parcel four" });
    const [last] = (await get<Page<{ id: string }>>("/tasks/failed")).items;
    expect((await send("DELETE", `/tasks/failed/${last?.id}`)).status).toBe(204);
    expect(await problemOf(await send("DELETE", `/tasks/failed/${last?.id}`))).toMatchObject({ code: "task.unknown" });
    expect(await problemOf(await send("POST", "/tasks/failed/9/replay"))).toMatchObject({ code: "task.unknown" });
    expect(await problemOf(await send("GET", "/tasks/x"))).toMatchObject({ code: "usage.invalid" });
    expect((await get<Page<unknown>>("/tasks")).items).toEqual([]);
  });
});

describe("a node with workflows", () => {
  test("says how they do", async () => {
    expect(await get("/workflows/stats?counts=true")).toMatchObject({
      problems: [],
      engine: { failed: 2 },
      backlog: { owned: 0, due: 0, delayed: 0, failed: 0 },
      load: { waiting: 0, running: 0 },
      flows: expect.arrayContaining([expect.objectContaining({ from: ORDER, to: STATE })]),
      counts: expect.arrayContaining([
        expect.objectContaining({ meta: STATE, states: expect.arrayContaining([{ state: "paid", lines: 1 }]) }),
      ]),
    });
    const metrics = await (await fetch(`${subject.gateway.url}/metrics`)).text();
    expect(metrics).toMatch(/^metanode_nature_stored_total [1-9]/m);
    expect(await get("/node")).toMatchObject({ health: { modules: { nature: { status: "ok" } } } });
  });

  test("lists the codes of its errors", async () => {
    expect(await get("/errors/task.credential")).toMatchObject({ http: 403, exit: 5 });
  });

  test("wants the token everywhere but for callbacks", async () => {
    for (const path of ["/metas", "/relations", "/instances", "/tasks", "/tasks/failed", "/workflows/stats"]) {
      expect((await fetch(`${subject.gateway.url}/api/v1${path}`)).status).toBe(401);
    }
  });

  test("does not answer at the addresses of Nature unless it is told to", async () => {
    expect((await fetch(`${subject.gateway.url}/input`, { method: "POST", headers: JSON_BODY, body: "{}" })).status).toBe(404);
  });
});

test("a node without workflows says how to have them", async () => {
  await using plain = await testGateway({ processors: [] });
  expect(plain.gateway.nature).toBeUndefined();
  const problem = await problemOf(await plain.request("/metas"));
  expect(problem).toMatchObject({ code: "resource.not_found", detail: expect.stringContaining("nature.enabled") });
});

describe("declarations that somebody is still typing", () => {
  test("are answered with the plan or with what is wrong, and never with an error", async () => {
    await using subject = await testGateway({ processors: [], nature: {} });
    const check = async (body: unknown): Promise<unknown> => {
      const response = await subject.request("/workflows/check", {
        method: "POST",
        headers: JSON_BODY,
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      return response.json();
    };
    expect(await check({ metas: [{ meta: "B:shop/order:1" }] })).toMatchObject({
      plan: { changes: [{ action: "add", kind: "meta", name: "B:shop/order:1" }] },
    });
    expect(await check({ metas: [{ meta: "B:shop/ord" }] })).toMatchObject({ problem: { code: "meta.syntax" } });
    expect(await check({ metas: "none" })).toMatchObject({ problem: { code: "usage.invalid", details: { path: "/metas" } } });
    expect(await subject.json("/metas")).toMatchObject({ items: [] });
  });
});
