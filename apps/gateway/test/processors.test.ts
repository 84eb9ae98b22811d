import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { JSON_BODY, problemOf, type TestGateway, testGateway, WORKER } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway();
});
afterAll(() => subject[Symbol.asyncDispose]());

interface View {
  name: string;
  state: string;
  processes: { pid: number; state: string }[];
}

function send(method: string, path: string, body?: unknown): Promise<Response> {
  return subject.request(path, { method, ...(body === undefined ? {} : { headers: JSON_BODY, body: JSON.stringify(body) }) });
}

async function pids(name: string): Promise<number[]> {
  return ((await subject.json(`/processors/${name}`)) as View).processes.map(({ pid }) => pid);
}

describe("the processors of a node", () => {
  test("are listed with state, types and processes", async () => {
    const { items } = (await subject.json("/processors")) as { items: View[] };
    expect(items).toMatchObject([
      {
        name: "worker",
        state: "ready",
        types: expect.arrayContaining([
          { type: "test.version", version: "2", streaming: false, ordered: false, description: "" },
        ]),
        processes: [
          { id: "worker.0", state: "ready", pid: expect.any(Number), startedAt: expect.stringMatching(/Z$/), restarts: 0 },
        ],
      },
    ]);
  });

  test.each([
    ["GET", "/processors/nobody", undefined],
    ["PUT", "/processors/nobody", { file: WORKER }],
    ["DELETE", "/processors/nobody", undefined],
    ["POST", "/processors/nobody/restart", undefined],
    ["POST", "/processors/nobody/scale", { processes: 2 }],
    ["GET", "/processors/nobody/logs", undefined],
  ])("that do not exist are resource.not_found: %s %s", async (method, path, body) => {
    expect(await problemOf(await send(method, path, body))).toMatchObject({ httpStatus: 404, code: "resource.not_found" });
  });
});

describe("a processor added over HTTP", () => {
  afterEach(async () => void (await send("DELETE", "/processors/second")));

  const other = { name: "second", command: [process.execPath, new URL("./fixtures/second.ts", import.meta.url).pathname] };

  test("answers messages when the request is answered, is replaced, and is gone after its removal", async () => {
    const added = await send("POST", "/processors", other);
    expect([added.status, added.headers.get("location")]).toEqual([201, "/api/v1/processors/second"]);
    expect(await (await subject.post({ type: "second.who" })).json()).toBe("second in version 1");
    const replaced = await send("PUT", "/processors/second", { ...other, env: { EDITION: "2" } });
    expect(replaced.status).toBe(200);
    expect(await (await subject.post({ type: "second.who" })).json()).toBe("second in version 2");
    expect((await send("DELETE", "/processors/second")).status).toBe(204);
    expect(await problemOf(await subject.post({ type: "second.who" }))).toMatchObject({ code: "message.unknown_type" });
  });

  test("whose name is taken is state.conflict", async () => {
    expect(await problemOf(await send("POST", "/processors", { name: "worker", file: WORKER }))).toMatchObject({
      httpStatus: 409,
      code: "state.conflict",
    });
  });

  test("that does not come up is processor.start, and leaves nothing behind", async () => {
    const broken = await send("POST", "/processors", { name: "second", command: [process.execPath, "-e", "process.exit(3)"] });
    expect(await problemOf(broken)).toMatchObject({
      httpStatus: 500,
      code: "processor.start",
      detail: expect.stringContaining("exit code 3"),
    });
    expect((await send("GET", "/processors/second")).status).toBe(404);
  });

  test("that replaces another and does not come up leaves the other one serving", async () => {
    await send("POST", "/processors", other);
    const broken = await send("PUT", "/processors/second", { command: [process.execPath, "-e", "process.exit(3)"] });
    expect(await problemOf(broken)).toMatchObject({ code: "processor.start" });
    expect(await (await subject.post({ type: "second.who" })).json()).toBe("second in version 1");
  });

  test.each([
    ["a misspelt key", { name: "second", file: WORKER, proceses: 2 }, "config.invalid", "did you mean processes?"],
    ["neither command nor file", { name: "second" }, "config.invalid", "expected exactly one"],
    ["a bad name", { name: "Second!", file: WORKER }, "config.invalid", "lower-case"],
    ["a definition, which is code", { name: "second", definition: {} }, "config.invalid", "over HTTP"],
    ["a wrong kind of value", { name: "second", command: "node x.js" }, "usage.invalid", "body.command"],
    ["no name", { file: WORKER }, "usage.invalid", "body.name"],
  ])("with %s is refused, saying where", async (_what, body, code, text) => {
    expect(await problemOf(await send("POST", "/processors", body))).toMatchObject({
      httpStatus: 400,
      code,
      detail: expect.stringContaining(text),
    });
  });

  test("under another name than the address is refused", async () => {
    expect(await problemOf(await send("PUT", "/processors/worker", other))).toMatchObject({
      code: "usage.invalid",
      details: { path: "/body/name" },
    });
  });

  test("in malformed JSON, or in no JSON, is refused", async () => {
    const malformed = await subject.request("/processors", { method: "POST", headers: JSON_BODY, body: "{oops" });
    expect(await problemOf(malformed)).toMatchObject({ httpStatus: 400, code: "message.invalid" });
    const text = await subject.request("/processors", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "name: x",
    });
    expect(await problemOf(text)).toMatchObject({ httpStatus: 415, code: "message.content_type" });
  });
});

describe("the processes of a processor", () => {
  test("are scaled up and down", async () => {
    expect((await send("POST", "/processors/worker/scale", { processes: 2 })).status).toBe(200);
    expect(new Set(await pids("worker")).size).toBe(2);
    await send("POST", "/processors/worker/scale", { processes: 1 });
    expect(await pids("worker")).toHaveLength(1);
  });

  test.each([[0], [1.5], [2_000], ["two"]])("are not scaled to %j", async (processes) => {
    const problem = await problemOf(await send("POST", "/processors/worker/scale", { processes }));
    expect(problem).toMatchObject({ httpStatus: 400, code: "usage.invalid", details: { path: "/body/processes" } });
  });

  test("are new ones after a restart", async () => {
    const before = await pids("worker");
    expect((await send("POST", "/processors/worker/restart")).status).toBe(200);
    const after = await pids("worker");
    expect(after).toHaveLength(before.length);
    expect(after.some((pid) => before.includes(pid))).toBe(false);
  });
});

describe("the logs of a processor", () => {
  test("are its last lines, oldest first", async () => {
    for (const text of ["one", "two", "three"]) await subject.post({ type: "test.print", data: { text } });
    await vi.waitFor(async () => {
      const { items } = (await subject.json("/processors/worker/logs?tail=2")) as { items: unknown[] };
      expect(items).toMatchObject([
        { text: "two", stream: "stdout", process: expect.stringMatching(/^worker\.\d+$/) },
        { text: "three", stream: "stdout" },
      ]);
    }, 10_000);
  });

  test("are followed live by whoever accepts events", async () => {
    const controller = new AbortController();
    const response = await subject.request("/processors/worker/logs?tail=0", {
      headers: { accept: "text/event-stream" },
      signal: controller.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream() as never).getReader();
    let text = String((await reader.read()).value);
    expect(text).toBe(": following\n\n");
    await subject.post({ type: "test.print", data: { text: "live" } });
    while (!text.includes('"text":"live"')) text += String((await reader.read()).value);
    expect(text).toMatch(/data: \{"process":"worker\.\d+","stream":"stdout","text":"live","at":"[^"]+Z"\}\n\n$/);
    controller.abort();
  });

  test("are followed until the processor is taken out", async () => {
    await send("POST", "/processors", { name: "second", file: new URL("./fixtures/second.ts", import.meta.url).pathname });
    const response = await subject.request("/processors/second/logs", { headers: { accept: "text/event-stream" } });
    await send("DELETE", "/processors/second");
    expect(await response.text()).toBe(": following\n\n");
  });

  test("are asked for by at most a thousand", async () => {
    expect(await problemOf(await subject.request("/processors/worker/logs?tail=1001"))).toMatchObject({
      code: "usage.invalid",
      details: { path: "/query/tail" },
    });
  });
});
