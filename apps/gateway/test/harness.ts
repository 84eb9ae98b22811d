import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Message } from "@metanode/core";
import { pino } from "pino";
import { type Gateway, type GatewayOptions, openGateway, type Problem } from "../src/index.ts";

/** The processor that the tests talk to. */
export const WORKER = fileURLToPath(new URL("./fixtures/worker.ts", import.meta.url));

export const silent = pino({ level: "silent" });

/** A folder that goes away with the block that holds it. */
export interface TempFolder extends Disposable {
  readonly path: string;
  file(name: string): string;
  /** The lines of a file; none while it does not exist. */
  lines(name: string): string[];
}

export function tempFolder(): TempFolder {
  const path = mkdtempSync(join(tmpdir(), "gateway-test-"));
  const file = (name: string): string => join(path, name);
  return {
    path,
    file,
    lines: (name) => (existsSync(file(name)) ? readFileSync(file(name), "utf8").split("\n").slice(0, -1) : []),
    // A processor whose node was killed may write for a moment longer.
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }),
  };
}

/** A gateway on a free port and in a folder of its own, with one process of the worker. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly folder: TempFolder;
  /** A request below /api/v1, with the token. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** The same, its answer as JSON. */
  json(path: string, init?: RequestInit): Promise<unknown>;
  /** Posts an event in structured mode. */
  post(event: Partial<Message> & { type: string }, options?: PostOptions): Promise<Response>;
}

export interface PostOptions {
  query?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function testGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const folder = tempFolder();
  const worker = { name: "worker", file: WORKER, env: { NOTES: folder.file("notes") } };
  const gateway = await openGateway({
    data: folder.file("data"),
    listen: { port: 0 },
    processors: [worker],
    logger: silent,
    ...options,
  });
  return wrap(gateway, folder);
}

function wrap(gateway: Gateway, folder: TempFolder): TestGateway {
  const request: TestGateway["request"] = (path, init = {}) => {
    const headers = { authorization: `Bearer ${gateway.token}`, ...(init.headers as Record<string, string>) };
    return fetch(`${gateway.url}/api/v1${path}`, { ...init, headers });
  };
  return {
    gateway,
    folder,
    request,
    json: async (path, init) => (await request(path, init)).json(),
    post: (event, { query = "", headers = {}, signal } = {}) =>
      request(`/messages${query}`, {
        method: "POST",
        headers: { "content-type": "application/cloudevents+json", ...headers },
        body: eventText(event),
        ...(signal === undefined ? {} : { signal }),
      }),
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      folder[Symbol.dispose]();
    },
  };
}

let made = 0;

/** A structured event; what is not stated is filled in. */
export function eventOf(event: Partial<Message> & { type: string }): Record<string, unknown> {
  made++;
  return { specversion: "1.0", id: `test-${made}`, source: "/test", ...event };
}

export function eventText(event: Partial<Message> & { type: string }): string {
  return JSON.stringify(eventOf(event));
}

/** The body of an answer that is expected to be a problem of that status and code. */
export async function problemOf(response: Response): Promise<Problem & { mediaType: string | null; httpStatus: number }> {
  const problem = (await response.json()) as Problem;
  return { ...problem, mediaType: response.headers.get("content-type"), httpStatus: response.status };
}

export const JSON_BODY = { "content-type": "application/json" };
