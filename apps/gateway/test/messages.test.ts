import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventOf, problemOf, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({ maxMessageBytes: 100_000 });
});
afterAll(() => subject[Symbol.asyncDispose]());

const BATCH = { "content-type": "application/cloudevents-batch+json" };

function postBatch(events: unknown, query = ""): Promise<Response> {
  return subject.request(`/messages${query}`, { method: "POST", headers: BATCH, body: JSON.stringify(events) });
}

describe("a call over HTTP", () => {
  test.each([[{ a: [1, "two", null] }], ["text"], [0], [false], [null]])(
    "answers with the handler's value %j as JSON",
    async (data) => {
      const response = await subject.post({ type: "test.echo", data });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(await response.json()).toEqual(data);
    },
  );

  test("answers with octets as they are", async () => {
    const response = await subject.post({ type: "test.octets", data: { hex: "00ff10" } });
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(Buffer.from(await response.arrayBuffer()).toString("hex")).toBe("00ff10");
  });

  test("answers 204 where the handler gives no value", async () => {
    const response = await subject.post({ type: "test.nothing" });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
  });

  test("goes on with the traceparent of the request where the event has none", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const seen = await (await subject.post({ type: "test.envelope" }, { headers: { traceparent } })).json();
    expect(seen).toMatchObject({ traceparent });
  });

  test("ignores a malformed traceparent of the request, as W3C asks", async () => {
    const response = await subject.post({ type: "test.envelope" }, { headers: { traceparent: "nonsense" } });
    expect(response.status).toBe(200);
    expect(((await response.json()) as { traceparent: string }).traceparent).toMatch(/^00-/);
  });

  test("takes Idempotency-Key, quoted or bare, as the event's key, unless the event has one", async () => {
    const keyOf = async (header: string, own?: string): Promise<unknown> => {
      const event = { type: "test.envelope", ...(own === undefined ? {} : { idempotencykey: own }) };
      return (
        (await (await subject.post(event, { headers: { "idempotency-key": header } })).json()) as { idempotencykey: unknown }
      ).idempotencykey;
    };
    expect([await keyOf("k1"), await keyOf('"k2"'), await keyOf("k3", "own")]).toEqual(["k1", "k2", "own"]);
  });

  test("goes to the version that the event names", async () => {
    expect(await (await subject.post({ type: "test.version", typeversion: "2" })).json()).toBe("two");
    const missing = await problemOf(await subject.post({ type: "test.version", typeversion: "9" }));
    expect(missing).toMatchObject({ httpStatus: 404, code: "message.unknown_type", details: { versions: ["2"] } });
  });

  test("is withdrawn from the handler when the client hangs up", async () => {
    const controller = new AbortController();
    const answer = subject.post({ type: "test.slow", data: { ms: 60_000, name: "hung-up" } }, { signal: controller.signal });
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("begin hung-up"), 10_000);
    controller.abort();
    await expect(answer).rejects.toThrow(/abort/i);
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("withdrawn hung-up"), 10_000);
  });
});

describe("a refused message", () => {
  test.each([
    ["of an unknown type", { type: "no.such.type" }, 404, "message.unknown_type", { details: { type: "no.such.type" } }],
    [
      "that fails its schema",
      { type: "test.checked", data: { amount: 1 } },
      422,
      "message.schema",
      { details: { path: "/sku" } },
    ],
    [
      "with a wrong value inside",
      { type: "test.checked", data: { sku: "a", amount: 0 } },
      422,
      "message.schema",
      { details: { path: "/amount" } },
    ],
    [
      "whose handler throws",
      { type: "test.fail", data: {} },
      500,
      "processor.failed",
      { detail: expect.stringContaining("the handler broke") },
    ],
    [
      "whose handler refuses with a code",
      { type: "test.fail", data: { code: "state.conflict" } },
      409,
      "state.conflict",
      { details: { asked: true } },
    ],
    ["with a malformed attribute", { type: "test.echo", id: "" }, 400, "message.invalid", { details: { path: "/id" } }],
    ["with too many hops", { type: "test.echo", hops: 1_000 }, 508, "call.hop_limit", {}],
    [
      "with a payload over the limit",
      { type: "test.echo", data: "x".repeat(100_001) },
      413,
      "message.too_large",
      { details: { maxBytes: 100_000 } },
    ],
  ])("%s is a problem with its code", async (_what, event, status, code, more) => {
    const problem = await problemOf(await subject.post(event));
    expect(problem).toMatchObject({ httpStatus: status, status, code, type: `/api/v1/errors/${code}`, ...more });
    expect(problem.mediaType).toContain("application/problem+json");
    expect(JSON.stringify(problem)).not.toMatch(/\bat .*\.ts:\d+/);
  });

  test("whose body is over every limit is refused before it is read", async () => {
    const body = JSON.stringify(eventOf({ type: "test.echo", data: "x".repeat(300_000) }));
    const response = await subject.request("/messages", {
      method: "POST",
      headers: { "content-type": "application/cloudevents+json" },
      body,
    });
    expect(await problemOf(response)).toMatchObject({ httpStatus: 413, code: "message.too_large" });
  });

  test.each([
    ["malformed JSON", { "content-type": "application/cloudevents+json" }, "{oops", 400, "message.invalid"],
    ["truncated protobuf", { "content-type": "application/cloudevents+protobuf" }, "\u000aÿ", 400, "message.invalid"],
    ["no CloudEvent at all", { "content-type": "application/json" }, "{}", 415, "message.content_type"],
    ["another form of CloudEvents", { "content-type": "application/cloudevents+xml" }, "<event/>", 415, "message.content_type"],
  ])("that is %s is a problem", async (_what, headers, body, httpStatus, code) => {
    const response = await subject.request("/messages", { method: "POST", headers, body });
    expect(await problemOf(response)).toMatchObject({ httpStatus, code });
  });

  test("with a mode or a setting that does not exist says where", async () => {
    const wrongMode = await problemOf(await subject.post({ type: "test.echo" }, { query: "?mode=shout" }));
    expect(wrongMode).toMatchObject({ httpStatus: 400, code: "usage.invalid", details: { path: "/query/mode" } });
    const misspelt = await problemOf(await subject.post({ type: "test.echo" }, { query: "?timeoutMS=5" }));
    expect(misspelt).toMatchObject({ httpStatus: 400, code: "usage.invalid", detail: expect.stringContaining("timeoutMS") });
  });

  test("that finds no answer in its time is 504, and the caller is told that a retry can help", async () => {
    const problem = await problemOf(
      await subject.post({ type: "test.slow", data: { ms: 60_000, name: "late" } }, { query: "?timeoutMs=50" }),
    );
    expect(problem).toMatchObject({ httpStatus: 504, code: "call.deadline", retryable: true });
  });
});

describe("an overloaded processor", () => {
  test("refuses with 429 and says when to come again", async () => {
    await using small = await testGateway({
      processors: [{ name: "worker", file: new URL("./fixtures/worker.ts", import.meta.url).pathname, maxQueued: 0 }],
    });
    const controller = new AbortController();
    const busy = Array.from({ length: 40 }, (_, index) =>
      small.post(
        { type: "test.slow", data: { ms: 60_000, name: `busy-${index}` } },
        { signal: controller.signal, query: "?timeoutMs=20000" },
      ),
    );
    const refused = await Promise.any(busy);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await problemOf(refused)).toMatchObject({ httpStatus: 429, code: "call.resource_exhausted", retryable: true });
    controller.abort();
    await Promise.allSettled(busy);
  });
});

describe("a cast over HTTP", () => {
  test("answers 202 with the id, and the handler gets the message", async () => {
    const response = await subject.post({ type: "test.note", id: "cast-1", data: { text: "thrown" } }, { query: "?mode=cast" });
    expect([response.status, await response.json()]).toEqual([202, { id: "cast-1" }]);
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("cast-1 thrown 1"), 10_000);
  });
});

describe("a durable send over HTTP", () => {
  test("answers 202 with its position, and the second of one id is a duplicate that changes nothing", async () => {
    const event = { type: "test.note", id: "send-1", data: { text: "kept" } };
    const first = await subject.post(event, { query: "?mode=send" });
    const second = await subject.post(event, { query: "?mode=send" });
    expect([first.status, second.status]).toEqual([202, 202]);
    const accepted = (await first.json()) as { id: string; sequence: number; duplicate: boolean };
    expect(accepted).toEqual({ id: "send-1", sequence: expect.any(Number), duplicate: false });
    expect(await second.json()).toEqual({ ...accepted, duplicate: true });
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("send-1 kept 1"), 10_000);
    expect(subject.folder.lines("notes").filter((line) => line.startsWith("send-1 "))).toHaveLength(1);
  });

  test("is known by its Idempotency-Key whatever its id", async () => {
    const headers = { "idempotency-key": "order-7" };
    await subject.post({ type: "test.note", data: { text: "a" } }, { query: "?mode=send", headers });
    const again = await subject.post({ type: "test.note", data: { text: "b" } }, { query: "?mode=send", headers });
    expect(await again.json()).toMatchObject({ duplicate: true });
  });
});

describe("a batch of events", () => {
  test("is answered event by event in order, and one that fails does not stop the others", async () => {
    const events = [
      eventOf({ type: "test.echo", id: "b1", data: 1 }),
      eventOf({ type: "no.such.type", id: "b2" }),
      eventOf({ type: "test.octets", id: "b3", data: { hex: "ff" } }),
      eventOf({ type: "test.nothing", id: "b4" }),
    ];
    const response = await postBatch(events);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([
      { id: "b1", status: "ok", value: 1 },
      { id: "b2", status: "error", problem: expect.objectContaining({ code: "message.unknown_type", status: 404 }) },
      { id: "b3", status: "ok", value_base64: "/w==" },
      { id: "b4", status: "ok" },
    ]);
  });

  test("sent durably gets a position for each", async () => {
    const events = ["s1", "s2"].map((id) => eventOf({ type: "test.note", id, data: { text: "batch" } }));
    const response = await postBatch(events, "?mode=send");
    expect(response.status).toBe(202);
    const items = (await response.json()) as { id: string; sequence: number }[];
    expect(items).toMatchObject([
      { id: "s1", status: "ok", duplicate: false },
      { id: "s2", status: "ok", duplicate: false },
    ]);
    expect(items[1]?.sequence).toBeGreaterThan(items[0]?.sequence ?? 0);
  });

  test("is refused as a whole, with the index, when one envelope is malformed", async () => {
    const response = await postBatch(
      [eventOf({ type: "test.note", id: "never" }), { specversion: "1.0", id: "x" }],
      "?mode=cast",
    );
    expect(await problemOf(response)).toMatchObject({
      httpStatus: 400,
      code: "message.invalid",
      details: { path: expect.stringMatching(/^\/1/) },
    });
  });

  test("that is empty is answered with an empty list", async () => {
    expect(await (await postBatch([])).json()).toEqual([]);
  });

  test("has no streamed answer and takes no Idempotency-Key, which stands for one event", async () => {
    expect(await problemOf(await postBatch([eventOf({ type: "test.echo" })], "?mode=stream"))).toMatchObject({
      code: "usage.invalid",
    });
    const headers = { ...BATCH, "idempotency-key": "k" };
    const response = await subject.request("/messages", { method: "POST", headers, body: "[]" });
    expect(await problemOf(response)).toMatchObject({ code: "usage.invalid" });
  });
});
