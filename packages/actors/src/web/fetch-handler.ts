import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { TLSSocket } from "node:tls";
import { hasCode, MetanodeError } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import type { Address, Call, Ref } from "../identity/index.ts";
import type { MessageResponse } from "../mailbox/index.ts";
import type { MetaProcess } from "../meta/behaviour.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { HttpMeta } from "./http-meta.ts";
import { answerStatus, type Refusal } from "./refusal.ts";
import { DEFAULT_REQUEST_MS } from "./web-handler.ts";

/** How to make a {@link FetchHandler}. */
export interface FetchHandlerOptions {
  /** Who answers: an actor that is called with a `Request` and answers with a `Response`. Not the process of the handler itself. */
  worker: Address<never, Call<Request, Response>>;
  /** How long the answer may take, in milliseconds, 1 or more; its body may take longer. @default 5_000 */
  requestTimeoutMs?: number;
  /** Answers what no worker answers. @default the status of the error, and its name as text */
  refusal?: Refusal;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Turns HTTP requests into calls: the worker is asked with a `Request` of the Fetch standard and answers with a `Response`.
 * An error that it answers with decides the status, 500 for one that has none. Otherwise like a `WebHandler`. The signal of the request is
 * aborted when the client goes away.
 */
export class FetchHandler extends HttpMeta {
  readonly #worker: Address<never, Call<Request, Response>>;
  readonly #timeoutMs: number;
  readonly #open = new Map<Ref, Exchange>();
  #requests = 0;

  constructor(options: FetchHandlerOptions) {
    super(options.refusal);
    this.#worker = options.worker;
    this.#timeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_MS;
  }

  protected override serve(meta: MetaProcess, request: IncomingMessage, response: ServerResponse): void {
    this.#requests++;
    const left = new AbortController();
    const asked = toRequest(request, left.signal);
    if (asked === undefined) {
      answerStatus(response, 400);
      return;
    }
    let ref: Ref;
    try {
      ref = meta.sendRequest(this.#worker, asked, { timeoutMs: this.#timeoutMs });
    } catch (cause) {
      const text = `no worker takes the request: ${(cause as Error).message}`;
      this.refuse(actorError("actor.worker_unreachable", text, { cause }), request, response);
      return;
    }
    this.#open.set(ref, { request, response });
    response.on("error", () => undefined);
    response.once("close", () => {
      if (!response.writableFinished) left.abort(actorError("actor.connection_lost", "the client went away"));
      if (this.#open.delete(ref)) meta.cancelRequest(ref);
    });
  }

  override handleResponse({ ref, result, error }: MessageResponse): void {
    const exchange = this.#open.get(ref);
    if (exchange === undefined) return; // the client has gone, and the answer was on its way already
    this.#open.delete(ref);
    const { request, response } = exchange;
    if (error !== undefined) this.refuse(this.#refusalOf(error, request), request, response);
    else if (result instanceof Response) void this.#answer(result, response);
    else this.refuse(actorError("actor.worker_unreachable", "the worker answered with no Response"), request, response);
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      worker: String(this.#worker),
      requests: String(this.#requests),
      "in progress": String(this.#open.size),
      refused: String(this.refused),
    };
  }

  /** Nobody would hear the answers: what waits for one is refused. */
  override terminate(): void {
    super.terminate();
    for (const [ref, { request, response }] of [...this.#open]) {
      this.#open.delete(ref);
      this.refuse(actorError("actor.handler_terminated"), request, response);
    }
  }

  #refusalOf(error: Error, request: IncomingMessage): MetanodeError {
    const text = `${request.method} ${request.url}: ${error.message}`;
    this.meta.report(text, error);
    if (hasCode(error, "actor.timeout")) return actorError("actor.worker_timeout", text, { cause: error });
    return error instanceof MetanodeError ? error : actorError("actor.panic", text, { cause: error });
  }

  async #answer(answer: Response, response: ServerResponse): Promise<void> {
    try {
      response.statusCode = answer.status;
      if (answer.statusText !== "") response.statusMessage = answer.statusText;
      response.setHeaders(answer.headers);
      if (answer.body === null) response.end();
      else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response);
    } catch (error) {
      // The body failed, or the client went away: what was sent is cut off.
      response.destroy();
      if (!response.req.destroyed) this.meta.report("the body of an answer broke off", error);
    }
  }
}

/** The same request in the form of the Fetch standard; undefined if its address is none. */
function toRequest(request: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", url = "/", headers } = request;
  const scheme = (request.socket as Partial<TLSSocket>).encrypted ? "https" : "http";
  const hasBody = method !== "GET" && method !== "HEAD";
  try {
    const fields = new Headers();
    for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
      fields.append(request.rawHeaders[at] as string, request.rawHeaders[at + 1] as string);
    }
    const init = { method, headers: fields, signal, ...(hasBody && { body: Readable.toWeb(request), duplex: "half" }) };
    return new Request(url.startsWith("/") ? `${scheme}://${headers.host ?? "localhost"}${url}` : url, init as RequestInit);
  } catch {
    return undefined; // for example a host with characters that no host has, or a method that is forbidden (TRACE)
  }
}

/** Builds a {@link FetchHandler}. @throws actor.incorrect – an option that is missing, unknown or out of range */
export function createFetchHandler(options: FetchHandlerOptions): FetchHandler {
  knownOptions("web", options, ["worker", "requestTimeoutMs", "refusal"]);
  if (options.worker === undefined) throw actorError("actor.incorrect", "web.worker is missing");
  if (options.requestTimeoutMs !== undefined) wholeNumber("web.requestTimeoutMs", options.requestTimeoutMs, 1);
  return new FetchHandler(options);
}
