import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as tlsRequest } from "node:https";
import { describe, expect, test } from "vitest";
import { createCertificates } from "../../src/tcp/index.ts";
import { createWebHandler, type MessageWebRequest, openWebServer } from "../../src/web/index.ts";
import { until } from "../fixtures/until.ts";
import { inside, Probe, settle, stage } from "../probe.ts";
import { raw, webStage } from "./tools.ts";

const pem = (name: string): string => readFileSync(new URL(`../tcp/fixtures/test-only-${name}.pem`, import.meta.url), "utf8");

describe("a web server", () => {
  test("says that its port is in use before anything is spawned", async () => {
    await using web = await webStage(() => ({}));
    const taken = openWebServer({ port: web.server.port, handler: () => undefined });
    await expect(taken).rejects.toMatchObject({ code: "actor.port_in_use", cause: { code: "EADDRINUSE" } });
    const foreign = openWebServer({ port: 0, host: "192.0.2.1", handler: () => undefined });
    await expect(foreign).rejects.toMatchObject({ code: "actor.listen_failed", cause: { code: "EADDRNOTAVAIL" } });
    expect(web.kernel.metas()).toEqual([web.alias]);
  });

  test.each([[{ port: -1 }], [{ port: 65_536 }], [{ port: 0, hots: "::1" }], [{ port: 0, handler: undefined }]])(
    "is not opened with %o",
    async (wrong) => {
      const opening = openWebServer({ handler: () => undefined, ...wrong } as never);
      await expect(opening).rejects.toMatchObject({ code: "actor.incorrect" });
    },
  );

  test("stops listening at its end, finishes the request in progress, and closes connections that have none", async () => {
    await using web = await webStage((parent) => {
      const handler = createWebHandler();
      parent.spawnMeta(handler);
      return handler;
    });
    const idle = await raw(web.server.port);
    const kept = await raw(web.server.port, "GET /first HTTP/1.1\r\nhost: x\r\n\r\n");
    const first = await until("the first request", () => web.parent.got[0] as MessageWebRequest | undefined);
    first.response.end("first");
    await until("its answer", () => kept.text().includes("first"));
    const busy = await raw(web.server.port, "GET /second HTTP/1.1\r\nhost: x\r\n\r\n");
    const second = await until("the second request", () => web.parent.got[1] as MessageWebRequest | undefined);
    second.response.write("begun, ");
    web.parent.sendExitMeta(web.alias, "normal");
    await Promise.all([idle.closed, kept.closed]);
    expect(web.kernel.metas().map(String)).not.toContain(String(web.alias));
    const refused = await openWebServer({ port: web.server.port, handler: () => undefined });
    refused.terminate();
    second.response.end("finished");
    await busy.closed;
    expect(busy.text()).toMatch(/begun, [\s\S]*finished/);
  });

  test("that was never spawned is closed by its terminate, also twice", async () => {
    const server = await openWebServer({ port: 0, handler: (_request, response) => response.end("served") });
    expect(await (await fetch(`http://${server.address}`)).text()).toBe("served");
    server.terminate();
    server.terminate();
    await expect(fetch(`http://${server.address}`)).rejects.toThrow();
  });

  test("answers 500 for a listener that throws, now or later, tells of it, and goes on", async () => {
    await using web = await webStage(() => ({
      listener: async (request, response) => {
        if (request.url === "/begun") response.write("begun");
        if (request.url !== "/fine") throw new Error(`broken at ${request.url}`);
        response.end("fine");
      },
    }));
    expect((await fetch(`${web.url}/first`)).status).toBe(500);
    await expect(fetch(`${web.url}/begun`).then((response) => response.text())).rejects.toThrow();
    expect(await (await fetch(`${web.url}/fine`)).text()).toBe("fine");
    expect(web.reports.map(({ error }) => (error as Error).message)).toEqual(["broken at /first", "broken at /begun"]);
    await using other = await webStage(() => ({
      listener: () => {
        throw new Error("broken at once");
      },
    }));
    expect((await fetch(other.url)).status).toBe(500);
  });

  test("answers garbage with 400, and an upgrade that nobody takes like any request", async () => {
    await using web = await webStage(() => ({ listener: (_request, response) => response.end("plain") }));
    const garbage = await raw(web.server.port, "\x00\x01 what is this\r\n\r\n");
    await garbage.closed;
    expect(garbage.text()).toMatch(/^HTTP\/1.1 400 /);
    const head = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\nupgrade: websocket\r\n\r\n";
    const upgrade = await raw(web.server.port, head);
    await upgrade.closed;
    expect(upgrade.text()).toMatch(/^HTTP\/1.1 200 [\s\S]*plain/);
  });

  test("answers 404 where nothing takes requests, and closes an upgrade whose listener throws", async () => {
    await using web = await webStage(() => ({
      upgrade: () => {
        throw new Error("no upgrade");
      },
    }));
    expect((await fetch(web.url)).status).toBe(404);
    const upgrade = await raw(web.server.port, "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await upgrade.closed;
    expect(upgrade.text()).toBe("");
    const other = await raw(web.server.port, "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n");
    await until("an ordinary answer", () => other.text().startsWith("HTTP/1.1 404 "));
    other.socket.destroy();
    expect(web.reports.map(({ text }) => text)).toEqual([expect.stringContaining("the listener of an upgrade threw")]);
  });

  test("serves several handlers through a listener that picks by path", async () => {
    await using web = await webStage((parent) => {
      const api = createWebHandler({ worker: "api" });
      const pages = createWebHandler({ worker: "pages" });
      parent.spawnMeta(api);
      parent.spawnMeta(pages);
      return { listener: (request, response) => (request.url?.startsWith("/api/") ? api : pages).listener(request, response) };
    });
    for (const name of ["api", "pages"]) {
      const worker = inside(web.kernel.spawn(Probe, { name }));
      worker.react = (message) => void (message as MessageWebRequest).response.end(`${name} here`);
    }
    expect(await (await fetch(`${web.url}/api/1`)).text()).toBe("api here");
    expect(await (await fetch(`${web.url}/index`)).text()).toBe("pages here");
  });

  test("speaks HTTPS with a certificate", async () => {
    const { kernel } = stage();
    const parent = inside(kernel.spawn(Probe));
    const server = await openWebServer({
      port: 0,
      handler: (request, response) => response.end(`hello at ${request.url}`),
      tls: { key: pem("first-key"), cert: pem("first") },
    });
    parent.spawnMeta(server);
    const asked = tlsRequest({ host: "127.0.0.1", port: server.port, path: "/safe", ca: pem("authority"), agent: false }).end();
    const [response] = await once(asked, "response");
    expect(String(await once(response, "data"))).toBe("hello at /safe");
    await kernel.stop();
  });

  test("shows whoever connects the certificates of the moment, and follows them to its end", async () => {
    const certificates = createCertificates({ key: pem("first-key"), cert: pem("first") });
    const { kernel } = stage();
    const server = await openWebServer({ port: 0, handler: (_request, response) => response.end(), tls: certificates });
    inside(kernel.spawn(Probe)).spawnMeta(server);
    const shown = async (): Promise<unknown> => {
      const asked = tlsRequest({ host: "127.0.0.1", port: server.port, ca: pem("authority"), agent: false }).end();
      const [response] = await once(asked, "response");
      return response.resume().socket.getPeerCertificate().subject.CN;
    };
    expect(await shown()).toBe("first");
    certificates.replace({ key: pem("second-key"), cert: pem("second") });
    expect(await shown()).toBe("second");
    await kernel.stop();
  });

  test("does nothing with mail, answers calls with an error as value, and tells what it does", async () => {
    await using web = await webStage(() => ({ listener: (_request, response) => response.end() }));
    web.parent.send(web.alias as never, "hello" as never);
    await settle();
    expect(web.reports.map(({ kind }) => kind)).toEqual(["unhandled"]);
    expect(await web.kernel.call(web.alias as never, "?" as never)).toMatchObject({ code: "actor.unsupported" });
    await fetch(web.url, { headers: { connection: "close" } });
    await until("the connection to be gone", async () => (await web.kernel.inspect(web.alias)).connections === "0");
    expect(await web.kernel.inspect(web.alias)).toEqual({ listener: web.server.address, connections: "0", requests: "1" });
  });

  test("ends with its process, and leaves nothing of the kernel behind", async () => {
    const web = await webStage(() => ({ listener: (_request, response) => response.end() }));
    const idle = await raw(web.server.port);
    await web.kernel.stop();
    await idle.closed;
    expect(web.kernel.metas()).toEqual([]);
    expect(web.kernel.info()).toMatchObject({ processes: 0, aliases: 0 });
    await expect(fetch(web.url)).rejects.toThrow();
  });
});
