import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { JSON_BODY, problemOf, type TestGateway, testGateway } from "./harness.ts";

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway();
});
afterAll(() => subject[Symbol.asyncDispose]());

const put = (name: string, document: object): Promise<Response> =>
  subject.request(`/graphs/${name}`, { method: "PUT", headers: JSON_BODY, body: JSON.stringify(document) });
const post = (path: string, body?: object): Promise<Response> =>
  subject.request(path, {
    method: "POST",
    ...(body === undefined ? {} : { headers: JSON_BODY, body: JSON.stringify(body) }),
  });

/** A clock that ticks, a program that changes each tick, and one that takes it. */
const ticking = {
  expression: "ticks; mark; drop",
  nodes: [
    { name: "ticks", action: "generate", with: { intervalMs: 5, template: "tick {n}" } },
    { name: "mark", command: "sed -u s/tick/tock/", answers: "one" },
    { name: "drop", command: "cat", answers: "one" },
  ],
};

/** Reads events of one name until there are enough of them. */
async function eventsOf(path: string, name: string, count: number): Promise<Record<string, unknown>[]> {
  const abort = new AbortController();
  const response = await subject.request(path, { headers: { accept: "text/event-stream" }, signal: abort.signal });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  let text = "";
  const found: Record<string, unknown>[] = [];
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString("utf8");
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (part.includes(`event: ${name}`) && data !== undefined) found.push(JSON.parse(data));
    }
    if (found.length >= count) break;
  }
  abort.abort();
  return found;
}

describe("a graph over HTTP", () => {
  test("is applied, run, watched, tapped, changed and stopped", async () => {
    expect(await (await put("ticking", ticking)).json()).toMatchObject({ name: "ticking", state: "stopped", version: 1 });
    expect(await (await post("/graphs/ticking/run")).json()).toMatchObject({ state: "running", epoch: 1 });
    const [first, second] = await eventsOf("/graphs/ticking/live?intervalMs=100", "status", 2);
    const out = (status: Record<string, unknown> = {}): number =>
      (status.nodes as { name: string; out: number }[]).find(({ name }) => name === "mark")?.out ?? 0;
    expect(out(second)).toBeGreaterThan(out(first));
    const tapped = await eventsOf("/graphs/ticking/taps/mark..drop?limit=3", "record", 3);
    expect(tapped).toHaveLength(3);
    expect(tapped[0]?.text).toMatch(/^tock \d+$/);
    const settings = { command: "sed -u s/tick/tack/", answers: "one" };
    expect(await (await post("/graphs/ticking/stages/mark/upgrade", settings)).json()).toMatchObject({ version: 2, epoch: 1 });
    const [after] = await eventsOf("/graphs/ticking/taps/mark..drop?limit=1", "record", 1);
    expect(after?.text).toMatch(/^tack \d+$/);
    expect(await subject.json("/graphs/ticking/history")).toMatchObject({ items: [{ version: 2 }, { version: 1 }] });
    expect(await (await post("/graphs/ticking/rollback", { version: 1 })).json()).toMatchObject({ version: 3 });
    expect(await (await post("/graphs/ticking/pause")).json()).toMatchObject({ state: "paused" });
    expect(await (await post("/graphs/ticking/resume")).json()).toMatchObject({ state: "running" });
    expect((await problemOf(await subject.request("/graphs/ticking", { method: "DELETE" }))).code).toBe("state.conflict");
    expect(await (await post("/graphs/ticking/stop")).json()).toMatchObject({ graph: { state: "stopped" }, inFlight: 0 });
    expect(await subject.json("/graphs/ticking/status")).toMatchObject({ state: "stopped" });
    expect((await problemOf(await post("/graphs/ticking/pause"))).code).toBe("stream.stopped");
    expect((await subject.request("/graphs/ticking", { method: "DELETE" })).status).toBe(204);
    expect(await subject.json("/graphs")).toEqual({ items: [] });
  });

  test("names every fault of a document, and stores nothing of it", async () => {
    const wrong = {
      expression: "ticks; nothing",
      nodes: [{ name: "ticks", action: "generate", with: { count: -1 } }, { name: "nothing" }],
    };
    const problem = await problemOf(await put("wrong", wrong));
    expect(problem).toMatchObject({ code: "stream.graph", details: { issues: [{ node: "nothing" }, { node: "ticks" }] } });
    expect((await problemOf(await put("wrong", { expression: "a;; b" }))).code).toBe("stream.syntax");
    expect((await problemOf(await subject.request("/graphs/wrong"))).code).toBe("resource.not_found");
    const check = await (await post("/graphs/check", wrong)).json();
    expect(check).toMatchObject({
      plan: { sources: ["ticks"], sinks: ["nothing"] },
      issues: [{ node: "nothing" }, { node: "ticks" }],
    });
    const misspelt = await post("/graphs/check", { expression: "a; (b || ; c", nodes: [] });
    expect(misspelt.status).toBe(200);
    expect(await misspelt.json()).toMatchObject({
      issues: expect.arrayContaining([
        {
          kind: "unexpected-token",
          line: 1,
          column: 10,
          message: expect.stringContaining("found `;`"),
          caret: expect.any(String),
        },
      ]),
    });
  });

  test("keeps what its stages say", async () => {
    const talking = {
      expression: "ticks; talk",
      nodes: [
        { name: "ticks", action: "generate", with: { count: 1 } },
        { name: "talk", command: ["sh", "-c", "cat >/dev/null; echo heard it >&2"] },
      ],
    };
    await put("talking", talking);
    await post("/graphs/talking/run");
    await vi.waitFor(async () => {
      expect(await subject.json("/graphs/talking")).toMatchObject({ state: "completed" });
    }, 5_000);
    expect(await subject.json("/graphs/talking/stages/talk/logs")).toMatchObject({ items: [{ node: "talk", text: "heard it" }] });
    expect((await problemOf(await subject.request("/graphs/talking/stages/none/logs"))).code).toBe("resource.not_found");
    const [line] = await eventsOf("/graphs/talking/stages/-/logs", "line", 1);
    expect(line).toMatchObject({ text: "heard it" });
  });

  test("shows its numbers among the metrics, and its failures in the health of the node", async () => {
    const failing = {
      expression: "ticks; fail",
      nodes: [
        { name: "ticks", action: "generate", with: { count: 1 } },
        { name: "fail", command: "false", attempts: 1, backoffMs: [0], onError: "fail" },
      ],
    };
    await put("failing", failing);
    await post("/graphs/failing/run");
    await vi.waitFor(async () => {
      const { reasons } = (await (await fetch(`${subject.gateway.url}/readyz`)).json()) as { reasons?: string[] };
      expect(JSON.stringify(reasons ?? (await subject.json("/node")))).toContain("failing");
    }, 5_000);
    await post("/graphs/failing/stop?now=true");
    const metrics = await (await fetch(`${subject.gateway.url}/metrics`)).text();
    expect(metrics).toContain('metanode_stream_out_records_total{graph="talking",stage="ticks"} 1');
  });

  test("lists what stages can run", async () => {
    const { items } = (await subject.json("/actions")) as { items: { name: string; schema?: object }[] };
    expect(items.find(({ name }) => name === "generate")?.schema).toMatchObject({ type: "object" });
  });

  test("takes programs, gives them back, and forgets them", async () => {
    const program = "#!/bin/sh\nexec sed -u s/tick/uploaded/\n";
    const upload = { method: "PUT", headers: { "content-type": "application/octet-stream" }, body: program };
    expect(await (await subject.request("/actions/uploaded", upload)).json()).toMatchObject({
      name: "uploaded",
      version: 1,
      kind: "uploaded",
    });
    const content = await subject.request("/actions/uploaded@1");
    expect([content.headers.get("x-metanode-version"), await content.text()]).toEqual(["1", program]);
    const nodes = [ticking.nodes[0], { name: "uploaded", codec: "lines", answers: "one" }, ticking.nodes[2]];
    await put("withUpload", { expression: "ticks; uploaded; drop", nodes });
    await post("/graphs/withUpload/run");
    const [tapped] = await eventsOf("/graphs/withUpload/taps/uploaded..drop?limit=1", "record", 1);
    expect(tapped?.text).toMatch(/^uploaded \d+$/);
    const remove = (query = ""): Promise<Response> => subject.request(`/actions/uploaded${query}`, { method: "DELETE" });
    expect((await problemOf(await remove())).code).toBe("state.conflict");
    await subject.request("/graphs/withUpload?force=true", { method: "DELETE" });
    expect((await remove()).status).toBe(204);
    expect((await problemOf(await subject.request("/actions/uploaded"))).code).toBe("stream.action_unknown");
    expect((await problemOf(await subject.request("/actions/..%2Fup", upload))).code).toBe("usage.invalid");
  });
});
