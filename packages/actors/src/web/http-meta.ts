import type { IncomingMessage, ServerResponse } from "node:http";
import type { MetanodeError } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { type Refusal, refuse } from "./refusal.ts";

type HttpMetaState = "created" | "spawned" | "ready" | "ended";

/**
 * A meta-process that is a listener of HTTP requests as well. The one half runs without the other: requests that come while
 * it is not spawned, or has ended, are refused.
 */
export abstract class HttpMeta extends MetaBehaviour {
  #state: HttpMetaState = "created";
  #meta: MetaProcess | undefined = undefined;
  readonly #refusal: Refusal | undefined;
  #refused = 0;

  constructor(refusal?: Refusal) {
    super();
    this.#refusal = refusal;
  }

  /** Takes one request. Give it to a server, or call it in a listener of your own that picks by path. */
  readonly listener = (request: IncomingMessage, response: ServerResponse): void => {
    const refused = this.notReady();
    if (refused === undefined) this.serve(this.meta, request, response);
    else this.refuse(refused, request, response);
  };

  override init(meta: MetaProcess): void {
    this.#meta = meta;
    this.#state = "spawned";
  }

  /** Waits for the end: what it does, it does when requests come. */
  override start(meta: MetaProcess): Promise<void> {
    this.#state = "ready";
    return new Promise((resolve) => meta.signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  /** Whatever it is asked, it answers that it cannot. */
  override handleCall(): never {
    return actorError("actor.unsupported", "a listener of HTTP requests answers no calls") as never;
  }

  override terminate(): void {
    this.#state = "ended";
  }

  /** Answers a request while this is `ready`. */
  protected abstract serve(meta: MetaProcess, request: IncomingMessage, response: ServerResponse): void;

  /** The handle; only while {@link notReady} gives nothing, or later. */
  protected get meta(): MetaProcess {
    return this.#meta as MetaProcess;
  }

  /** Requests refused so far. */
  protected get refused(): number {
    return this.#refused;
  }

  /** Why a request cannot be taken now. */
  protected notReady(): MetanodeError | undefined {
    if (this.#state === "ready") return undefined;
    this.#refused++;
    if (this.#state === "created") return actorError("actor.handler_not_initialized");
    return actorError(this.#state === "spawned" ? "actor.handler_not_ready" : "actor.handler_terminated");
  }

  /** Answers a request with an error. */
  protected refuse(error: MetanodeError, request: IncomingMessage, response: ServerResponse): void {
    refuse({ error, request, response, refusal: this.#refusal, report: (text, cause) => this.#meta?.report(text, cause) });
  }
}
