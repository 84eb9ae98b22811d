import { hasCode } from "@metanode/core/errors";
import { describe, expect, test } from "vitest";
import type { Alias, Ended, PID } from "../../src/index.ts";
import { createWebHandler, MessageWebRequest, type WebHandlerOptions, WebWorker } from "../../src/web/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle } from "../probe.ts";
import { raw, type WebStage, webStage } from "./tools.ts";

class Accepting extends WebWorker {
  override handleGet(_from: PID, { response }: MessageWebRequest): Ended {
    response.writeHead(202).end();
  }
}

/** A web server whose handler belongs to the parent and has these options. */
async function serving(options: WebHandlerOptions = {}): Promise<WebStage & AsyncDisposable> {
  return await webStage((parent) => {
    const handler = createWebHandler(options);
    parent.spawnMeta(handler);
    return handler;
  });
}

/** The request that waits at a probe. */
async function arrived(probe: Probe): Promise<MessageWebRequest> {
  return await until("a request at the worker", () => probe.got.find((message) => message instanceof MessageWebRequest));
}

describe("a web handler", () => {
  test("gives requests to its own process, whose answer is the answer: 204 (89)", async () => {
    await using web = await serving();
    web.parent.react = (message) => {
      const { response, done } = message as MessageWebRequest;
      response.writeHead(204);
      done.call(message);
    };
    const { status } = await fetch(web.url);
    expect(status).toBe(204);
    expect(web.clock.pendingTimers).toBe(0);
  });

  test("gives requests to a worker by name: its GET answers 202, what it has no method for 501 (89)", async () => {
    await using web = await serving({ worker: "web" });
    web.kernel.spawn(Accepting, { name: "web" });
    expect((await fetch(web.url)).status).toBe(202);
    expect((await fetch(web.url, { method: "POST", body: "x" })).status).toBe(501);
  });

  test("answers 503 while it was not spawned, while it is being spawned, and when it has ended (90)", async () => {
    const codes: string[] = [];
    const handler = createWebHandler({ worker: "web", refusal: (error) => codes.push(error.code) });
    let alias: Alias<never, never> | undefined;
    await using web = await webStage((parent) => ({
      listener: (request, response) => {
        if (request.url === "/spawn") alias = parent.spawnMeta(handler);
        handler.listener(request, response);
      },
    }));
    web.kernel.spawn(Accepting, { name: "web" });
    const ask = async (path: string): Promise<number> => (await fetch(`${web.url}${path}`)).status;
    expect(await ask("/")).toBe(503);
    expect(await ask("/spawn")).toBe(503);
    expect(await ask("/")).toBe(202);
    web.parent.sendExitMeta(alias as Alias<never, never>, "normal");
    await settle();
    expect(await ask("/")).toBe(503);
    expect(codes).toEqual(["actor.handler_not_initialized", "actor.handler_not_ready", "actor.handler_terminated"]);
  });

  test("answers 502 when the worker was killed, never lived, or has no room (90)", async () => {
    const refused: unknown[] = [];
    await using web = await serving({ worker: "web", refusal: (error) => refused.push(error) });
    expect((await fetch(web.url)).status).toBe(502);
    const worker = web.kernel.spawn(Accepting, { name: "web" });
    expect((await fetch(web.url)).status).toBe(202);
    web.kernel.kill(worker);
    expect((await fetch(web.url)).status).toBe(502);
    const busy = inside(web.kernel.spawn(Probe, { name: "web", mailboxLimit: 1 }));
    let free = (): void => undefined;
    busy.react = () =>
      new Promise<void>((resolve) => {
        free = resolve;
      });
    const signal = AbortSignal.timeout(20_000);
    const taken = [
      fetch(web.url, { signal }),
      until("one being handled", () => busy.got.length === 1).then(() => fetch(web.url)),
    ];
    await until("one waiting", () => web.kernel.processInfo(busy.self).mailbox.main === 1);
    expect((await fetch(web.url)).status).toBe(502);
    expect(refused.every((error) => hasCode(error, "actor.worker_unreachable"))).toBe(true);
    expect(refused.map((error) => ((error as Error).cause as { code: string }).code)).toEqual([
      "actor.process_unknown",
      "actor.process_unknown",
      "actor.mailbox_full",
    ]);
    await web.clock.advance(5_000);
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([504, 504]);
    busy.react = () => undefined;
    free();
  });

  test("answers 504 when the worker is silent for the time of a request, and tells of it (90)", async () => {
    await using web = await serving({ requestTimeoutMs: 300 });
    const answer = fetch(`${web.url}/slow`);
    await arrived(web.parent);
    await web.clock.advance(299);
    expect(web.reports).toEqual([]);
    await web.clock.advance(1);
    expect((await answer).status).toBe(504);
    expect(web.reports.map(({ text }) => text)).toEqual([expect.stringContaining("GET /slow was not done within 300 ms")]);
    expect(web.clock.pendingTimers).toBe(0);
  });

  test("makes whatever a worker does after its time harmless (W2)", async () => {
    await using web = await serving();
    const answer = fetch(web.url);
    const message = await arrived(web.parent);
    const { response, signal } = message;
    await web.clock.advance(5_000);
    expect(signal.reason).toMatchObject({ code: "actor.worker_timeout" });
    response.setHeader("x-late", "1").appendHeader("x-late", "2").writeHead(200, { "x-late": "3" });
    response.setHeaders(new Map([["x-late", "4"]]));
    response.removeHeader("date");
    response.flushHeaders();
    const written = new Promise((resolve) => response.write("late", resolve));
    const ended = new Promise<void>((resolve) => response.end("late", resolve));
    message.done();
    message.done();
    await Promise.all([written, ended]);
    const { status, headers } = await answer;
    expect([status, headers.get("x-late")]).toEqual([504, null]);
    expect(web.parent.ended).toEqual([]);
  });

  test("cuts a response off whose worker began it and did not end it in time", async () => {
    await using web = await serving();
    const answer = fetch(web.url);
    const message = await arrived(web.parent);
    message.response.write("the beginning");
    const response = await answer;
    await web.clock.advance(5_000);
    await expect(response.text()).rejects.toThrow();
  });

  test("lets a refusal answer, and answers itself what that leaves or throws", async () => {
    const answers: string[] = ["full", "head", "nothing", "throws"];
    await using web = await serving({
      worker: "nobody",
      refusal: (_error, _request, response) => {
        const how = answers.shift();
        if (how === "full") response.writeHead(418).end("no tea");
        if (how === "head") response.writeHead(419);
        if (how === "throws") throw new Error("the refusal is broken");
      },
    });
    const ask = async (): Promise<[number, string]> => {
      const response = await fetch(web.url);
      return [response.status, await response.text()];
    };
    expect(await ask()).toEqual([418, "no tea"]);
    expect(await ask()).toEqual([419, ""]);
    expect(await ask()).toEqual([502, "Bad Gateway\n"]);
    expect(await ask()).toEqual([502, "Bad Gateway\n"]);
    expect(web.reports.map(({ error }) => (error as Error).message)).toEqual(["the refusal is broken"]);
  });

  test("tells the worker when the client goes away, and leaves no timer behind", async () => {
    await using web = await serving();
    const leaving = new AbortController();
    const answer = fetch(web.url, { signal: leaving.signal });
    const message = await arrived(web.parent);
    const told = new Promise((resolve) => message.signal.addEventListener("abort", resolve));
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await told;
    expect(message.isOver).toBe(true);
    expect(message.signal.reason).toMatchObject({ code: "actor.connection_lost" });
    message.response.writeHead(200).end("nobody reads this");
    message.done();
    expect(web.clock.pendingTimers).toBe(0);
  });

  test("takes a response that was sent for done, although nobody said so", async () => {
    await using web = await serving();
    web.parent.react = (message) => void (message as MessageWebRequest).response.end("hello");
    expect(await (await fetch(web.url)).text()).toBe("hello");
    await until("no timer left", () => web.clock.pendingTimers === 0);
    const message = await arrived(web.parent);
    expect([message.isOver, message.signal.aborted]).toEqual([true, false]);
  });

  test("lets requests in progress finish when it ends", async () => {
    const handler = createWebHandler({ worker: "web" });
    await using web = await webStage(() => handler);
    const worker = inside(web.kernel.spawn(Probe, { name: "web" }));
    const alias = web.parent.spawnMeta(handler);
    await settle();
    const answer = fetch(web.url);
    const message = await arrived(worker);
    web.parent.sendExitMeta(alias, "normal");
    await settle();
    message.response.end("still here");
    expect(await (await answer).text()).toBe("still here");
  });

  test("answers calls with an error as value, and tells what it does", async () => {
    const handler = createWebHandler({ worker: "web", requestTimeoutMs: 50 });
    await using web = await webStage(() => handler);
    const alias = web.parent.spawnMeta(handler);
    await settle();
    await fetch(web.url);
    expect(await web.kernel.call(alias as never, "?" as never)).toMatchObject({ code: "actor.unsupported" });
    expect(await web.kernel.inspect(alias)).toEqual({ worker: "web", requests: "1", "in progress": "0", refused: "0" });
  });

  test("leaves nothing behind of many connections that are opened and dropped", async () => {
    await using web = await serving();
    const before = web.kernel.info();
    for (let round = 0; round < 5; round++) {
      const sockets = await Promise.all(
        Array.from({ length: 100 }, (_, n) => raw(web.server.port, n % 2 === 0 ? "GET / HTTP/1.1\r\nhost: x\r\n\r\n" : "")),
      );
      await until("fifty requests", () => web.parent.got.length === 50 * (round + 1));
      for (const { socket } of sockets) socket.destroy();
    }
    await until("no connection left", async () => (await web.kernel.inspect(web.alias)).connections === "0");
    expect(web.parent.got.every((message) => (message as MessageWebRequest).isOver)).toBe(true);
    expect(web.reports).toEqual([]);
    await web.clock.advance(10_000); // the inspections had deadlines
    expect(web.clock.pendingTimers).toBe(0);
    expect(web.kernel.info()).toEqual({ ...before, uptimeMs: 10_000 });
  });

  test.each([{ requestTimeoutMs: 0 }, { requestTimeoutMs: 1.5 }, { requestTimeOutMs: 5 }])("is not built with %o", (options) => {
    expect(() => createWebHandler(options)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });
});
