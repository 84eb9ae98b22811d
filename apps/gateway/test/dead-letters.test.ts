import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { JSON_BODY, problemOf, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({ durable: { maxAttempts: 1 } });
});
afterAll(() => subject[Symbol.asyncDispose]());

interface Letter {
  id: string;
  stream: string;
  message: { id: string; data?: unknown };
}
interface Page {
  items: Letter[];
  next?: string;
}

const list = async (query = ""): Promise<Page> => (await subject.json(`/dead-letters${query}`)) as Page;
const patch = (id: string, body: unknown): Promise<Response> =>
  subject.request(`/dead-letters/${id}`, { method: "PATCH", headers: JSON_BODY, body: JSON.stringify(body) });

let round = 0;

/** Sends messages that fail, and waits until they are given up on. */
async function failing(count: number): Promise<Letter[]> {
  round++;
  for (let i = 0; i < count; i++) {
    const event = { type: "test.fail", id: `dead-${round}-${i}`, data: { code: "state.conflict" }, extensions: undefined };
    await subject.post(event, { query: "?mode=send" });
  }
  return vi.waitFor(async () => {
    const { items } = await list();
    expect(items).toHaveLength(count);
    return items;
  }, 10_000);
}

beforeEach(async () => {
  for (const { id } of (await list()).items) await subject.request(`/dead-letters/${id}`, { method: "DELETE" });
});

describe("dead letters over HTTP", () => {
  test("say what was given up on, where and why", async () => {
    const [letter] = await failing(1);
    const whole = await subject.json(`/dead-letters/${letter?.id}`);
    expect(whole).toEqual(letter);
    expect(whole).toMatchObject({
      stream: "send.test.fail",
      consumer: expect.any(String),
      attempts: 1,
      edited: false,
      error: { code: "state.conflict", message: "as was asked for" },
      at: expect.stringMatching(/Z$/),
      message: { specversion: "1.0", type: "test.fail", data: { code: "state.conflict" } },
    });
    expect(await subject.json("/node")).toMatchObject({ deadLetters: 1 });
  });

  test("come in pages, and by stream", async () => {
    const letters = await failing(3);
    const first = await list("?limit=2");
    const second = await list(`?limit=2&cursor=${first.next}`);
    expect([...first.items, ...second.items]).toEqual(letters);
    expect(second.next).toBeUndefined();
    expect((await list("?stream=send.test.fail")).items).toHaveLength(3);
    expect((await list("?stream=send.other")).items).toEqual([]);
  });

  test("are edited and replayed: the handler gets the new payload under the old id", async () => {
    const [letter] = await failing(1);
    const edited = await patch(letter?.id ?? "", { type: "test.note", data: { text: "mended" }, region: "eu" });
    expect(await edited.json()).toMatchObject({
      edited: true,
      message: { id: letter?.message.id, data: { text: "mended" }, region: "eu" },
    });
    const replayed = await subject.request(`/dead-letters/${letter?.id}/replay`, { method: "POST" });
    expect([replayed.status, await replayed.json()]).toEqual([202, { id: letter?.id }]);
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain(`${letter?.message.id} mended 1`), 10_000);
    expect((await list()).items).toEqual([]);
  });

  test("lose an attribute that is set to null, and change from JSON to octets", async () => {
    const [letter] = await failing(1);
    await patch(letter?.id ?? "", { subject: "gone" });
    const edited = (await (await patch(letter?.id ?? "", { subject: null, data_base64: "AP8=" })).json()) as Letter;
    expect(edited.message).toMatchObject({ data_base64: "AP8=" });
    expect(edited.message).not.toHaveProperty("subject");
    expect(edited.message).not.toHaveProperty("data");
  });

  test.each([
    [{ id: "another" }, "/id"],
    [{ type: "" }, "/type"],
    [{ deadline: "tomorrow" }, "/deadline"],
    [{ data: 1, data_base64: "AP8=" }, "/data_base64"],
  ])("refuse an edit that makes no valid event: %j", async (body, path) => {
    const [letter] = await failing(1);
    expect(await problemOf(await patch(letter?.id ?? "", body))).toMatchObject({
      httpStatus: 400,
      code: "message.invalid",
      details: { path },
    });
  });

  test("are dropped for good", async () => {
    const [letter] = await failing(1);
    expect((await subject.request(`/dead-letters/${letter?.id}`, { method: "DELETE" })).status).toBe(204);
    expect((await list()).items).toEqual([]);
  });

  test("are replayed by the page, with what became of each", async () => {
    const letters = await failing(3);
    for (const { id } of letters) await patch(id, { type: "test.note", data: { text: "all" } });
    const response = await subject.request("/dead-letters:replay?stream=send.test.fail&limit=2", { method: "POST" });
    const done = (await response.json()) as { items: unknown[]; next: string };
    expect(done.items).toEqual(letters.slice(0, 2).map(({ id }) => ({ id, status: "ok" })));
    expect((await list()).items.map(({ id }) => id)).toEqual([letters[2]?.id]);
    await vi.waitFor(() => {
      for (const { message } of letters.slice(0, 2)) expect(subject.folder.lines("notes")).toContain(`${message.id} all 1`);
    }, 10_000);
  });

  test.each([
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["POST", "/replay"],
  ])("that do not exist are resource.not_found: %s %s", async (method, path) => {
    const body = method === "PATCH" ? { headers: JSON_BODY, body: "{}" } : {};
    expect(await problemOf(await subject.request(`/dead-letters/999999${path}`, { method, ...body }))).toMatchObject({
      httpStatus: 404,
      code: "resource.not_found",
    });
  });

  test.each(["limit=0", "limit=many", "cursor=%20", "strem=x"])("are not listed by a wrong query: %s", async (query) => {
    expect(await problemOf(await subject.request(`/dead-letters?${query}`))).toMatchObject({
      httpStatus: 400,
      code: "usage.invalid",
    });
  });
});
