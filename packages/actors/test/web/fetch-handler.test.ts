import { ReadableStream } from "node:stream/web";
import { describe, expect, test } from "vitest";
import { Actor, type Call, later, type PID, type Ref } from "../../src/index.ts";
import { createFetchHandler, type FetchHandler } from "../../src/web/index.ts";
import { until } from "../fixtures/until.ts";
import { settle } from "../probe.ts";
import { raw, type WebStage, webStage } from "./tools.ts";

const waiting: { from: PID; ref: Ref; request: Request }[] = [];

class Service extends Actor<never, Call<Request, Response>> {
  override async handleCall(from: PID, ref: Ref, request: Request): Promise<Response | typeof later> {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/echo":
        return new Response(request.body, { status: 201, headers: { "x-method": request.method } });
      case "/cookies": {
        const headers = new Headers();
        headers.append("set-cookie", "a=1");
        headers.append("set-cookie", "b=2");
        return new Response(null, { status: 204, headers });
      }
      case "/later":
        waiting.push({ from, ref, request });
        return later;
      case "/error":
        this.respondError(from, ref, Object.assign(new Error("no such thing")));
        return later;
      case "/odd":
        return "no response" as never;
      case "/broken": {
        let pulls = 0;
        const body = new ReadableStream({
          pull: (controller) =>
            pulls++ === 0 ? controller.enqueue(Buffer.from("begun")) : controller.error(new Error("broken")),
        });
        return new Response(body as never);
      }
      default:
        return Response.json({ url: request.url, host: request.headers.get("host") });
    }
  }
}

async function serving(): Promise<WebStage & AsyncDisposable & { handler: FetchHandler; worker: PID }> {
  waiting.length = 0;
  const handler = createFetchHandler({ worker: "service", requestTimeoutMs: 100 });
  const web = await webStage(() => handler);
  const worker = web.kernel.spawn(Service, { name: "service" }) as PID;
  await settle();
  return Object.assign(web, { handler, worker });
}

describe("a fetch handler", () => {
  test("asks its worker with a Request and answers with its Response", async () => {
    await using web = await serving();
    web.parent.spawnMeta(web.handler);
    await settle();
    expect(await (await fetch(`${web.url}/a?b=c`)).json()).toEqual({ url: `${web.url}/a?b=c`, host: web.server.address });
    const echo = await fetch(`${web.url}/echo`, { method: "POST", body: "x".repeat(100_000) });
    expect([echo.status, echo.headers.get("x-method"), (await echo.text()).length]).toEqual([201, "POST", 100_000]);
    const cookies = await fetch(`${web.url}/cookies`);
    expect([cookies.status, cookies.headers.getSetCookie()]).toEqual([204, ["a=1", "b=2"]]);
  });

  test("answers 503 while it is not spawned, 502 without a worker, 504 when the answer is late (90)", async () => {
    await using web = await serving();
    expect((await fetch(web.url)).status).toBe(503);
    const alias = web.parent.spawnMeta(web.handler);
    const late = fetch(`${web.url}/later`);
    await until("the question", () => waiting[0]);
    await web.clock.advance(200);
    expect((await late).status).toBe(504);
    web.kernel.kill(web.worker);
    expect((await fetch(web.url)).status).toBe(502);
    web.parent.sendExitMeta(alias, "normal");
    await settle();
    expect((await fetch(web.url)).status).toBe(503);
  });

  test("answers 500 for an error of the worker, 502 for what is no Response, and cuts off a body that fails", async () => {
    await using web = await serving();
    web.parent.spawnMeta(web.handler);
    await settle();
    expect((await fetch(`${web.url}/error`)).status).toBe(500);
    expect((await fetch(`${web.url}/odd`)).status).toBe(502);
    await expect(fetch(`${web.url}/broken`).then((response) => response.text())).rejects.toThrow();
    expect((await fetch(`${web.url}/fine`)).status).toBe(200);
  });

  test("aborts the signal of a request whose client has gone, and forgets the question", async () => {
    await using web = await serving();
    const alias = web.parent.spawnMeta(web.handler);
    await settle();
    const leaving = new AbortController();
    const answer = fetch(`${web.url}/later`, { signal: leaving.signal });
    const { request } = await until("the question", () => waiting[0]);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await until("the worker to hear of it", () => request.signal.aborted);
    expect(await web.kernel.inspect(alias)).toMatchObject({ requests: "1", "in progress": "0" });
  });

  test("answers 503 for what waits when it ends, and 400 for an address that is none", async () => {
    await using web = await serving();
    const alias = web.parent.spawnMeta(web.handler);
    await settle();
    const odd = await raw(web.server.port, "GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n");
    await odd.closed;
    expect(odd.text()).toMatch(/^HTTP\/1.1 400 /);
    const answer = fetch(`${web.url}/later`);
    await until("the question", () => waiting[0]);
    web.parent.sendExitMeta(alias, "normal");
    expect((await answer).status).toBe(503);
  });

  test("is not built without a worker or with an option that is wrong", () => {
    const wrong = expect.objectContaining({ code: "actor.incorrect" });
    expect(() => createFetchHandler({} as never)).toThrow(wrong);
    expect(() => createFetchHandler({ worker: "service", requestTimeoutMs: 0 })).toThrow(wrong);
  });
});
