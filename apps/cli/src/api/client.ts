import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import * as https from "node:https";
import { readEvents as eventsIn, type ServerEvent } from "@metanode/client";
import { asMetanodeError, coreError, MetanodeError } from "@metanode/core/errors";
import * as http from "@metanode/core/internal/http";
import type { Connection } from "../settings.ts";
import { uptimeMs } from "../time.ts";

/** One request below the node's URL. */
export interface ApiRequest {
  /** @default "GET" */
  readonly method?: string;
  /** Encoded already: `/api/v1/processors`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** A value becomes JSON; bytes go as they are. */
  readonly body?: unknown;
  /** Until the answer begins (for {@link ApiClient.json}: is complete), in milliseconds; 0 for no limit. @default 30_000 */
  readonly timeoutMs?: number;
}

/** An answer with a status below 400. The body has to be read or destroyed. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Speaks to one node over HTTP. Every failure is a {@link MetanodeError}: the node's own, `node.unreachable` when nobody or
 * somebody else answers, `call.deadline` when no answer begins in time.
 */
export class ApiClient {
  readonly connection: Connection;
  readonly #detail: (text: string) => void;

  constructor(connection: Connection, detail: (text: string) => void = () => undefined) {
    this.connection = connection;
    this.#detail = detail;
  }

  /** The JSON of an answer, `undefined` where it has no body. */
  async json<T = unknown>(request: ApiRequest): Promise<T> {
    const startMs = uptimeMs();
    const { body } = await this.request(request);
    const limitMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const onTimeout = (): void => void body.destroy(this.#late(limitMs));
    const timer = limitMs > 0 ? setTimeout(onTimeout, limitMs - (uptimeMs() - startMs)) : undefined;
    const bytes = await readAll(body).finally(() => clearTimeout(timer));
    return (bytes.length === 0 ? undefined : parseJson(bytes, this.connection.url)) as T;
  }

  /** The answer itself, for streams and bytes. */
  async request(request: ApiRequest): Promise<ApiResponse> {
    const startMs = uptimeMs();
    const url = this.#urlOf(request);
    const method = request.method ?? "GET";
    const response = await this.#send(url, method, request);
    this.#detail(`${method} ${url.href} ${response.statusCode} ${Math.round(uptimeMs() - startMs)}ms`);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw await this.#failureOf(response, status);
    return { status, headers: response.headers, body: response };
  }

  #urlOf({ path, query = {} }: ApiRequest): URL {
    const url = new URL(this.connection.url);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    for (const [name, value] of Object.entries(query)) {
      const values = Array.isArray(value) ? (value as readonly string[]) : [value];
      for (const one of values) if (one !== undefined) url.searchParams.append(name, String(one));
    }
    return url;
  }

  #send(url: URL, method: string, request: ApiRequest): Promise<IncomingMessage> {
    const { token } = this.connection;
    const isBytes = request.body instanceof Uint8Array || typeof request.body === "string";
    const body =
      request.body === undefined || isBytes ? (request.body as Uint8Array | string | undefined) : JSON.stringify(request.body);
    const headers = {
      accept: "application/json",
      ...(body === undefined || isBytes ? {} : { "content-type": "application/json" }),
      ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...request.headers,
    };
    const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const send = url.protocol === "https:" ? https.request : http.request;
      const sent = send(url, { method, headers }, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      const onTimeout = (): void => {
        sent.destroy(this.#late(timeoutMs));
      };
      const timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined;
      sent.on("error", (error) => {
        clearTimeout(timer);
        reject(error instanceof MetanodeError ? error : this.#unreachable(error));
      });
      sent.end(body);
    });
  }

  #late(timeoutMs: number): MetanodeError {
    return coreError("call.deadline", `${this.connection.url.origin} did not answer within ${timeoutMs} ms`);
  }

  #unreachable(cause: NodeJS.ErrnoException): MetanodeError {
    const { url, urlSource } = this.connection;
    const reason = cause.code === "ECONNREFUSED" ? "nobody listens there" : reasonOf(cause);
    return coreError(
      "node.unreachable",
      `no node answers at ${url.origin} (${urlSource}): ${reason}; start it with \`metanode up\`, or name another with --url`,
      { details: { url: url.href, source: urlSource }, cause },
    );
  }

  async #failureOf(response: IncomingMessage, status: number): Promise<MetanodeError> {
    const bytes = await readAll(response);
    const error = problemError(bytes);
    if (error !== undefined) return error;
    const { url, urlSource } = this.connection;
    const type = response.headers["content-type"] ?? "no content type";
    return coreError(
      "node.unreachable",
      `what answers at ${url.origin} (${urlSource}) is no node: status ${status} with ${type}, expected Problem Details; check the URL`,
      { retryable: false, details: { url: url.href, status } },
    );
  }
}

/** An error with the Problem Details that it came in, which is what the JSON format shows. */
export class ApiError extends MetanodeError {
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, problem: Readonly<Record<string, unknown>>) {
    const { retryable, retryAfterMs, details, origin } = problem as Partial<MetanodeError>;
    super(code, message, {
      ...(typeof retryable === "boolean" ? { retryable } : {}),
      ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      ...(typeof details === "object" ? { details } : {}),
      ...(Array.isArray(origin) ? { origin } : {}),
    });
    this.problem = problem;
  }
}

/** The error in a problem object; `undefined` when the value is none. */
export function errorOfProblem(value: unknown): ApiError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, detail, title } = value as Record<string, unknown>;
  if (typeof code !== "string") return undefined;
  return new ApiError(code, String(detail ?? title ?? code), value as Record<string, unknown>);
}

function problemError(bytes: Uint8Array): MetanodeError | undefined {
  try {
    return errorOfProblem(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch {
    return undefined; // some other server's page
  }
}

/** Every byte of a body. @throws {MetanodeError} node.unreachable – the connection broke in the middle. */
export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of guarded(body)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The lines of a body as they come; an unfinished last line counts. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of guarded(body)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

/** The server-sent events of a body as they come. @throws {MetanodeError} node.unreachable – the connection broke in the middle. */
export function readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  return eventsIn(guarded(body));
}

async function* guarded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    if (cause instanceof MetanodeError) throw cause;
    throw coreError(
      "node.unreachable",
      `the node ended the answer in the middle: ${reasonOf(cause)}; look whether it still runs`,
      { cause },
    );
  }
}

function parseJson(bytes: Buffer, url: URL): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw coreError("node.unreachable", `what answers at ${url.origin} is no node: its answer is no JSON; check the URL`, {
      retryable: false,
      cause,
    });
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = asMetanodeError(cause).cause as NodeJS.ErrnoException;
  return message || code || "the connection failed";
}
