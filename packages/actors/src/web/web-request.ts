/**
 * One HTTP request on its way through a worker.
 *
 *  W1. It is over once: by `done`, by the response having been sent, by the client going away, or by its time running out.
 *  W2. After the last two nothing that the worker does to the response has any effect, and nothing throws.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { actorError } from "../errors.ts";

/** An HTTP request for a worker, which answers by writing to `response` and then calls `done`. */
export class MessageWebRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #onOver: (() => void) | undefined;
  #isOver = false;
  #reason: Error | undefined = undefined;
  #controller: AbortController | undefined = undefined;

  constructor(request: IncomingMessage, response: ServerResponse, onOver?: () => void) {
    this.request = request;
    this.response = response;
    this.#onOver = onOver;
    // What goes wrong with a response comes as an event as well, which without a listener would end the program.
    response.on("error", () => undefined);
    response.once("close", () => {
      if (response.writableFinished) this.#end();
      else MessageWebRequest.abandon(this, actorError("actor.connection_lost", "the client went away"));
    });
  }

  /** Whether nobody waits for the answer any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted when the client goes away or the time runs out before `done`: nobody waits for the answer any more. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Says that the answer is complete, and ends the response if the worker has not. Idempotent, harmless when over. */
  done(): void {
    if (this.#isOver) return;
    if (!this.response.writableEnded) this.response.end();
    this.#end();
  }

  /** Ends it for the worker; `last` may still use the response. For the handler. */
  static abandon(message: MessageWebRequest, reason: Error, last?: () => void): void {
    if (message.#isOver) return;
    message.#end();
    last?.();
    mute(message.response);
    message.#reason = reason;
    message.#controller?.abort(reason);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver?.();
  }
}

/** Makes everything that writes to `response` do nothing; callbacks are called, so that nobody waits for ever. */
function mute(response: ServerResponse): void {
  const chain = (): ServerResponse => response;
  const call = (args: readonly unknown[]): void => {
    const callback = args.at(-1);
    if (typeof callback === "function") process.nextTick(callback);
  };
  const silent = {
    setHeader: chain,
    setHeaders: chain,
    appendHeader: chain,
    removeHeader: () => undefined,
    addTrailers: () => undefined,
    flushHeaders: () => undefined,
    writeHead: chain,
    writeContinue: () => undefined,
    writeProcessing: () => undefined,
    writeEarlyHints: () => undefined,
    write: (...args: readonly unknown[]) => {
      call(args);
      return true;
    },
    end: (...args: readonly unknown[]) => {
      call(args);
      return response;
    },
  };
  Object.assign(response, silent);
}
