import type { IncomingMessage, ServerResponse } from "node:http";
import { actorError } from "../errors.ts";
import type { Address } from "../identity/index.ts";
import type { MetaProcess } from "../meta/behaviour.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { HttpMeta } from "./http-meta.ts";
import type { Refusal } from "./refusal.ts";
import { MessageWebRequest } from "./web-request.ts";

/** Longest time of a request unless it is said otherwise. */
export const DEFAULT_REQUEST_MS = 5_000;

/** How to make a {@link WebHandler}. */
export interface WebHandlerOptions {
  /** Who gets the requests: an actor, or a pool of them. @default the process that the handler belongs to */
  worker?: Address<MessageWebRequest, never>;
  /** How long a request may take until the worker says `done`, in milliseconds, 1 or more. @default 5_000 */
  requestTimeoutMs?: number;
  /** Answers what no worker answers. @default the status of the error, and its name as text */
  refusal?: Refusal;
}

/**
 * Turns HTTP requests into mail: each becomes a `MessageWebRequest` of the worker. As a meta-process it is spawned with
 * `spawnMeta`; as a listener (`listener`) it goes into a server, alone or behind a listener that picks by path.
 *
 * A request is answered 503 while the handler is not spawned or has ended, 502 when the worker cannot take it (it does not
 * live, or its mailbox is full), 504 when the worker has not called `done` in time. Requests in progress at the end of the
 * handler go on.
 */
export class WebHandler extends HttpMeta {
  readonly #worker: Address<MessageWebRequest, never> | undefined;
  readonly #requestTimeoutMs: number;
  #requests = 0;
  #inProgress = 0;

  constructor(options: WebHandlerOptions) {
    super(options.refusal);
    this.#worker = options.worker;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_MS;
  }

  protected override serve(meta: MetaProcess, request: IncomingMessage, response: ServerResponse): void {
    this.#requests++;
    this.#inProgress++;
    const message = new MessageWebRequest(request, response, () => {
      timer.cancel();
      this.#inProgress--;
    });
    const timer = meta.clock.setTimer(this.#requestTimeoutMs, () => this.#expire(message));
    try {
      meta.send(this.#worker ?? meta.parent, message);
    } catch (cause) {
      const error = actorError("actor.worker_unreachable", `no worker takes the request: ${(cause as Error).message}`, { cause });
      MessageWebRequest.abandon(message, error, () => this.refuse(error, request, response));
    }
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      worker: String(this.#worker ?? this.meta.parent),
      requests: String(this.#requests),
      "in progress": String(this.#inProgress),
      refused: String(this.refused),
    };
  }

  #expire(message: MessageWebRequest): void {
    const { request, response } = message;
    const text = `${request.method} ${request.url} was not done within ${this.#requestTimeoutMs} ms`;
    const error = actorError("actor.worker_timeout", text);
    this.meta.report(text);
    MessageWebRequest.abandon(message, error, () => this.refuse(error, request, response));
  }
}

/** Builds a {@link WebHandler}. @throws actor.incorrect – an option that is unknown or out of range */
export function createWebHandler(options: WebHandlerOptions = {}): WebHandler {
  knownOptions("web", options, ["worker", "requestTimeoutMs", "refusal"]);
  if (options.requestTimeoutMs !== undefined) wholeNumber("web.requestTimeoutMs", options.requestTimeoutMs, 1);
  return new WebHandler(options);
}
