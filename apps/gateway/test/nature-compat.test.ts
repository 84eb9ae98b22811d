import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openWarehouse, type Warehouse } from "./fixtures/warehouse.ts";
import { JSON_BODY, problemOf, type TempFolder, tempFolder } from "./harness.ts";
import { clientOf, type Program, startProgram } from "./program.ts";

/*
 * The face of Nature, on a gateway that runs as a program: the requests of its demo, as a shell sends them. Ids are compared in the text of
 * the answers, because JavaScript's own numbers are too short for them.
 */

const FLOW = fileURLToPath(new URL("./fixtures/emall.flow.ts", import.meta.url));
const STATE = "B:sale/orderState:1";
const ORDER_ID = "6548010827999420547";
const ORDER = {
  user_id: 123,
  price: 1_000,
  items: [
    { item: { id: 1, name: "phone", price: 800 }, num: 1 },
    { item: { id: 2, name: "battery", price: 100 }, num: 2 },
  ],
  address: "a.b.c",
};

let folder: TempFolder;
let program: Program;
let warehouse: Warehouse;
let url: string;
beforeAll(async () => {
  folder = tempFolder();
  warehouse = await openWarehouse();
  const config = { listen: { port: 0 }, log: { level: "silent" }, nature: { flows: [FLOW], compat: true, compatToken: false } };
  writeFileSync(folder.file("metanode.yaml"), JSON.stringify(config));
  program = startProgram(folder);
  await program.ready;
  url = (JSON.parse(readFileSync(folder.file(".metanode/gateway.json"), "utf8")) as { url: string }).url;
  const settings = {
    selector: { states: { all: ["paid"] } },
    executor: { protocol: "http", url: warehouse.url },
    target: { addStates: ["package"] },
  };
  const path = `/relations/${encodeURIComponent(STATE)}/${encodeURIComponent(STATE)}`;
  const declared = await clientOf(folder)(path, { method: "PUT", headers: JSON_BODY, body: JSON.stringify({ settings }) });
  expect(declared.status).toBe(200);
});
afterAll(async () => {
  await program[Symbol.asyncDispose]();
  await warehouse[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** As `curl -H "Content-type: application/json" -X POST <url> -d <body>`. */
async function curl(path: string, body: object | string): Promise<string> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}`, { method: "POST", headers: JSON_BODY, body: text });
  expect(response.status).toBe(200);
  return response.text();
}

/** The last version of an instance, by the way that Nature's callers have for it. */
async function last(
  meta: string,
): Promise<{ path: { state_version: number }; data: { states: string[]; content: string } } | undefined> {
  const condition = { other: { meta, key_le: `${meta}|${ORDER_ID}||2147483647` } };
  return (JSON.parse(await curl("/get/byKeyRange", condition)) as { Ok: never[] }).Ok[0];
}

const reaches = (meta: string, version: number, state: string): Promise<void> =>
  vi.waitFor(
    async () => expect(await last(meta)).toMatchObject({ path: { state_version: version }, data: { states: [state] } }),
    { timeout: 15_000, interval: 20 },
  );

describe("the demo of Nature", () => {
  const order = { path: { meta: "B:sale/order:1" }, data: { content: JSON.stringify(ORDER) } };

  test("an order that is sent twice has one id, without loss", async () => {
    expect(await curl("/input", order)).toBe(`{"Ok":${ORDER_ID}}`);
    expect(await curl("/input", order)).toBe(`{"Ok":${ORDER_ID}}`);
    expect(await curl("/inputJS", { ...order, id: "0" })).toBe(`{"Ok":"${ORDER_ID}"}`);
    await reaches(STATE, 1, "new");
    await reaches("B:finance/orderAccount:1", 1, "unpaid");
  });

  test("payments at the same time, one of them twice, are each counted once, and what is paid goes to the warehouse", async () => {
    const pay = (paid: number): object => ({
      path: { meta: "B:finance/payment:1" },
      data: {
        content: JSON.stringify({ order: ORDER_ID, paid, pay_time: 1_596_207_966_000 }),
        sys_context: { "target.id": ORDER_ID },
      },
    });
    const ids = await Promise.all([100, 200, 700, 200].map((paid) => curl("/input", pay(paid))));
    expect(ids[1]).toBe(ids[3]);
    expect(new Set(ids).size).toBe(3);
    await reaches("B:finance/orderAccount:1", 4, "paid");
    expect(JSON.parse((await last("B:finance/orderAccount:1"))?.data.content ?? "")).toMatchObject({
      total_paid: 1_000,
      diff: 0,
    });
    await vi.waitFor(() => expect(warehouse.requests).toHaveLength(1), 15_000);
  });

  test("the warehouse answers by a callback with the number that it got, once", async () => {
    const { text } = warehouse.requests[0] as Warehouse["requests"][0];
    const task = /"task_id":(\d+)/.exec(text)?.[1];
    const from = text.slice('{"from":'.length, text.indexOf(',"task_id"'));
    const instance = from.slice(0, from.includes(',"last_state"') ? from.indexOf(',"last_state"') : undefined);
    const body = `{"task_id":${task},"result":{"type":"Instances","ins":[${instance}]}}`;
    expect(await curl("/callback", '{"task_id":17,"result":{"type":"None"}}')).toMatch(/^\{"Err":\{"VerifyError":"no task /);
    expect(await curl("/callback", body)).toBe('{"Ok":null}');
    expect(await curl("/callback", body)).toMatch(/^\{"Err":\{"VerifyError":/);
    await reaches(STATE, 3, "package");
  });

  test("a state from outside goes on the line without a gap, and leads to the end", async () => {
    const outbound = (version: number): string =>
      `{"id":${ORDER_ID},"path":{"meta":"${STATE}","state_version":${version}},"data":{"states":["outbound"]}}`;
    expect(await curl("/input", outbound(5))).toMatch(/^\{"Err":\{"VerifyError":"version 5 /);
    expect(await curl("/input", outbound(4))).toBe(`{"Ok":${ORDER_ID}}`);
    expect(await curl("/input", outbound(3))).toMatch(/^\{"Err":\{"VerifyError":/);
    await reaches(STATE, 6, "signed");
    const range = { other: { meta: STATE, key_ge: `${STATE}|${ORDER_ID}||0`, limit: 100 } };
    const { Ok } = JSON.parse(await curl("/get/byKeyRange", range)) as { Ok: { data: { states: string[] } }[] };
    expect(Ok.map(({ data }) => data.states[0])).toEqual(["signed", "dispatching", "outbound", "package", "paid", "new"]);
  });

  test("what is stored is read by its id, as numbers or as text", async () => {
    const native = await curl("/get/byId", `{"id":${ORDER_ID},"other":{"meta":"${STATE}","state_version":4}}`);
    expect(native).toContain(
      `{"Ok":{"id":${ORDER_ID},"path":{"meta":"${STATE}","state_version":4},"data":{"states":["outbound"]}`,
    );
    const text = JSON.parse(await curl("/get/byIdJs", { id: ORDER_ID, other: { meta: STATE, state_version: 2 } })) as object;
    expect(text).toMatchObject({
      Ok: { id: ORDER_ID, from: { id: ORDER_ID, modifier: { meta: "B:finance/orderAccount:1", state_version: 4 } } },
    });
    expect(await curl("/get/byId", { id: 1, other: { meta: STATE, state_version: 1 } })).toBe('{"Ok":null}');
    expect(await curl("/get/byId", { id: 1 })).toMatch(/^\{"Err":\{"VerifyError":/);
  });

  test("a batch is stored whole, or not at all and said so", async () => {
    const item = (meta: string, content: string): object => ({ path: { meta }, data: { content } });
    expect(await curl("/batch", [item("B:sale/orderSign:1", "b1"), item("B:sale/orderSign:1", "b2")])).toBe('{"Ok":null}');
    expect(await curl("/batchJS", [])).toBe('{"Ok":null}');
    expect(await curl("/batch", [item("B:sale/orderSign:1", "b3"), item("B:nowhere:1", "")])).toMatch(
      /^\{"Err":\{"VerifyError":"instance 1 /,
    );
    const range = { other: { meta: "B:sale/orderSign:1", limit: 10 } };
    const { Ok } = JSON.parse(await curl("/get/byKeyRange", range)) as { Ok: { data: { content: string } }[] };
    const contents = Ok.map(({ data }) => data.content);
    expect(contents).toEqual(expect.arrayContaining(["b1", "b2"]));
    expect(contents).not.toContain("b3");
  });

  test("an instance that routes itself goes its own ways", async () => {
    const routed = {
      instance: { id: "0", path: { meta: "D:free:1" }, data: { content: "own way" } },
      converter: [{ to: "D:reached:1", fun: { protocol: "http", url: warehouse.url } }],
    };
    warehouse.answer = '{"type":"Instances","ins":[{"data":{"content":"reached"}}]}';
    expect(await curl("/self_route", routed)).toMatch(/^\{"Ok":"\d+"\}$/);
    await vi.waitFor(
      async () => expect(await curl("/get/byKeyRange", { other: { meta: "D:reached:1" } })).toContain('"content":"reached"'),
      { timeout: 15_000, interval: 20 },
    );
    expect(await curl("/self_route", { ...routed, converter: [] })).toMatch(/^\{"Err":\{"LogicalError":/);
  });

  test("wrong requests are told by Nature's words, and a body that is no JSON by its status", async () => {
    expect(await curl("/input", { path: { meta: "B:nowhere:1" }, data: {} })).toMatch(
      /^\{"Err":\{"VerifyError":"meta B:nowhere:1 /,
    );
    expect(await curl("/input", { data: {} })).toMatch(/^\{"Err":\{"VerifyError":/);
    expect(await curl("/inputJS", { ...order, id: "" })).toMatch(/^\{"Err":\{"VerifyError":/);
    const long = { path: { meta: "B:sale/order:1" }, data: { content: "x".repeat(70_000) } };
    expect(await curl("/input", long)).toMatch(/^\{"Err":\{"SystemError":/);
    const broken = await fetch(`${url}/input`, { method: "POST", headers: JSON_BODY, body: "{" });
    expect(await problemOf(broken)).toMatchObject({ httpStatus: 400, code: "message.invalid" });
  });
});

test("the addresses of Nature want the token like all others, unless that is turned off", async () => {
  using own = tempFolder();
  writeFileSync(
    own.file("metanode.yaml"),
    JSON.stringify({ listen: { port: 0 }, log: { level: "silent" }, nature: { compat: true } }),
  );
  await using guarded = startProgram(own);
  await guarded.ready;
  const { url: door } = JSON.parse(readFileSync(own.file(".metanode/gateway.json"), "utf8")) as { url: string };
  const body = JSON.stringify({ path: { meta: "D:any:1" }, data: {} });
  const post = (headers: Record<string, string>) =>
    fetch(`${door}/input`, { method: "POST", headers: { ...JSON_BODY, ...headers }, body });
  expect((await post({})).status).toBe(401);
  const token = readFileSync(own.file(".metanode/token"), "utf8").trim();
  expect(await (await post({ authorization: `Bearer ${token}` })).text()).toMatch(/^\{"Ok":\d+\}$/);
  const callback = await fetch(`${door}/callback`, {
    method: "POST",
    headers: JSON_BODY,
    body: '{"task_id":1,"result":{"type":"None"}}',
  });
  expect(await callback.text()).toMatch(/^\{"Err":\{"VerifyError":/);
});
