import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import { type Ended, type PID, type Reason, Terminate } from "../../src/index.ts";
import { createWebHandler, type MessageWebRequest, WebWorker } from "../../src/web/index.ts";
import { until } from "../fixtures/until.ts";
import { settle } from "../probe.ts";
import { raw, type WebStage, webStage } from "./tools.ts";

const ended: Reason[] = [];
const mail: unknown[] = [];
const streams: Readable[] = [];

class Service extends WebWorker<string> {
  override handleMessage(from: PID, message: string | MessageWebRequest): Ended {
    if (typeof message !== "string") return super.handleMessage(from, message);
    mail.push(message);
  }

  override async handleGet(_from: PID, { request, response }: MessageWebRequest): Promise<undefined> {
    switch (request.url) {
      case "/throws":
        throw new Error("cannot do that");
      case "/half":
        response.write("half");
        throw new Error("cannot do the rest");
      case "/endless": {
        const endless = Readable.from(ticks());
        streams.push(endless);
        await pipeline(endless, response);
        break;
      }
      default:
        await Promise.resolve();
        response.setHeader("x-path", request.url ?? "");
    }
  }

  override async handlePost(_from: PID, { request, response }: MessageWebRequest): Promise<undefined> {
    response.end(`got ${await text(request)}`);
  }

  override handlePut(_from: PID, { response }: MessageWebRequest): Ended {
    response.writeHead(201);
    return "shutdown";
  }

  override handleDelete(): never {
    throw new Terminate("normal");
  }

  override handlePatch(): never {
    throw new Error("at once");
  }

  override terminate(reason: Reason): void {
    ended.push(reason);
  }
}

async function* ticks(): AsyncGenerator<string> {
  for (;;) {
    yield "tick\n";
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function serving(): Promise<WebStage & AsyncDisposable> {
  ended.length = 0;
  return await webStage((parent) => {
    parent.spawn(Service, { name: "service" });
    const handler = createWebHandler({ worker: "service" });
    parent.spawnMeta(handler);
    return handler;
  });
}

describe("a web worker", () => {
  test("is done with a request when its method has returned, or its promise has settled", async () => {
    await using web = await serving();
    const got = await fetch(`${web.url}/here`);
    expect([got.status, got.headers.get("x-path"), await got.text()]).toEqual([200, "/here", ""]);
    const posted = await fetch(web.url, { method: "POST", body: "a body" });
    expect(await posted.text()).toBe("got a body");
    expect([web.clock.pendingTimers, ended]).toEqual([0, []]);
  });

  test("answers 501 for methods that it does not write, and for those that it does not know (89)", async () => {
    await using web = await serving();
    expect((await fetch(web.url, { method: "OPTIONS" })).status).toBe(501);
    expect((await fetch(web.url, { method: "HEAD" })).status).toBe(501);
    const purge = await raw(web.server.port, "PURGE / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    await purge.closed;
    expect(purge.text()).toMatch(/^HTTP\/1.1 501 /);
  });

  test("answers 500 when a method throws, and ends after that", async () => {
    for (const ask of [{ path: "/throws" }, { path: "/", method: "PATCH" }]) {
      await using web = await serving();
      expect((await fetch(web.url + ask.path, { method: ask.method ?? "GET" })).status).toBe(500);
      await settle();
      expect(ended).toMatchObject([{ code: "actor.panic" }]);
      expect((await fetch(web.url)).status).toBe(502);
    }
  });

  test("cuts off what a method that throws had begun", async () => {
    await using web = await serving();
    await expect(fetch(`${web.url}/half`).then((response) => response.text())).rejects.toThrow();
    await until("its end", () => ended.length === 1);
  });

  test("finishes the request before it ends for a reason that a method returned or threw", async () => {
    await using first = await serving();
    expect((await fetch(first.url, { method: "PUT" })).status).toBe(201);
    await settle();
    expect(ended).toEqual(["shutdown"]);
    await using second = await serving();
    expect((await fetch(second.url, { method: "DELETE" })).status).toBe(200);
    await settle();
    expect(ended).toEqual(["normal"]);
  });

  test("goes on when a client leaves in the middle of an answer", async () => {
    await using web = await serving();
    const leaving = new AbortController();
    const endless = await fetch(`${web.url}/endless`, { signal: leaving.signal });
    const reader = endless.body?.getReader();
    await reader?.read();
    leaving.abort();
    await until("the answer to be given up", () => streams.at(-1)?.closed);
    expect((await fetch(`${web.url}/next`)).headers.get("x-path")).toBe("/next");
    expect(ended).toEqual([]);
  });

  test("gets other mail as any actor does", async () => {
    await using web = await serving();
    web.kernel.send("service", "hello");
    await settle();
    expect(mail).toEqual(["hello"]);
  });
});
