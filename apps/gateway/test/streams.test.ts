import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { problemOf, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway();
});
afterAll(() => subject[Symbol.asyncDispose]());

const EVENTS = { accept: "text/event-stream" };

function count(
  data: { to: number; failAt?: number },
  options: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return subject.post({ type: "test.count", data }, { query: "?mode=stream", ...options });
}

describe("a streamed answer", () => {
  test("is one JSON value per line", async () => {
    const response = await count({ to: 3 });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    expect(await response.text()).toBe("1\n2\n3\n");
  });

  test("is one event per item for whoever accepts events, with an event at its end", async () => {
    const response = await count({ to: 2 }, { headers: EVENTS });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe("data: 1\n\ndata: 2\n\nevent: end\ndata: {}\n\n");
  });

  test("of a plain type is its one value", async () => {
    const response = await subject.post({ type: "test.echo", data: { a: 1 } }, { query: "?mode=stream" });
    expect(await response.text()).toBe('{"a":1}\n');
  });

  test("is gathered into one list for a caller who wants one answer", async () => {
    expect(await (await subject.post({ type: "test.count", data: { to: 3 } })).json()).toEqual([1, 2, 3]);
  });

  test("that fails before its first item is an answer with a status of its own", async () => {
    expect(await problemOf(await count({ to: 3, failAt: 1 }))).toMatchObject({ httpStatus: 409, code: "state.conflict" });
    const unknown = await subject.post({ type: "no.such.type" }, { query: "?mode=stream" });
    expect(await problemOf(unknown)).toMatchObject({ httpStatus: 404, code: "message.unknown_type" });
  });

  test("that fails later ends with the problem", async () => {
    const lines = (await (await count({ to: 5, failAt: 3 })).text()).trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual(["1", "2"]);
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({
      status: 409,
      code: "state.conflict",
      instance: expect.stringMatching(/^urn:uuid:/),
    });
    const events = await (await count({ to: 5, failAt: 2 }, { headers: EVENTS })).text();
    expect(events).toMatch(/^data: 1\n\nevent: problem\ndata: \{.*"code":"state.conflict".*\}\n\n$/);
  });

  test("goes at the client's pace, and ends when the client goes", async () => {
    const items = 200_000;
    const controller = new AbortController();
    const event = { type: "test.flood", data: { items, bytes: 10_000 } };
    const response = await subject.post(event, { query: "?mode=stream", signal: controller.signal });
    expect(response.status).toBe(200);
    // Nobody reads: the handler comes to a halt long before the two gigabytes are through.
    const halted = await vi.waitFor(
      async () => {
        const [before, after] = [await progress(), await progress()];
        expect(before).toBeGreaterThan(0);
        expect(after).toBe(before);
        return after;
      },
      { timeout: 20_000, interval: 200 },
    );
    expect(halted).toBeLessThan(items / 10);
    controller.abort();
    await vi.waitFor(() => expect(subject.folder.lines("notes")).toContain("flood stopped early"), 10_000);
  });
});

async function progress(): Promise<number> {
  return (await (await subject.post({ type: "test.progress" })).json()) as number;
}
