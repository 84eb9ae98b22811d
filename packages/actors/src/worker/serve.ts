import { isMainThread, type MessagePort, parentPort, workerData } from "node:worker_threads";
import { toWire } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import { type AnyCall, type Reason, reasonOfOutcome, reasonOfThrow, Terminate } from "../identity/index.ts";
import type { WorkerApi, WorkerHandlers, WorkerThread } from "./api.ts";
import { transferOf } from "./transfer.ts";
import { type FromThread, type ThreadStart, type ToThread, unwrap, wrap, wrapReason } from "./wire.ts";

/**
 * Serves a worker: the file that `createWorker` names calls this once, in its first turn, and exports what it gives back,
 * for the types. `Messages` and `Calls` are what the thread understands, `Sends` what it sends, `Start` what it is given to
 * begin with. Does nothing in a thread that is not that of a worker.
 */
export function serveWorker<Messages = never, Calls extends AnyCall = never, Sends = never, Start = undefined>(
  handlers: WorkerHandlers<Messages, Calls, Sends, Start>,
): WorkerApi<Messages, Calls, Sends, Start> {
  const given = workerData as ThreadStart | null;
  if (!isMainThread && parentPort !== null && given?.metanodeWorker === true) {
    void new Server(parentPort, handlers as unknown as AnyHandlers, given.start).begin();
  }
  return {};
}

type AnyHandlers = WorkerHandlers<unknown, AnyCall, unknown, unknown>;

/**
 * The side of the thread.
 *
 *  T1. One handler at a time, in the order of the mail, none before `init` is through.
 *  T2. Each message and each call gets one receipt: done, unhandled, an answer or a refusal; unless the thread ends first.
 */
class Server {
  readonly #port: MessagePort;
  readonly #handlers: AnyHandlers;
  readonly #thread: WorkerThread<unknown, unknown>;
  readonly #queue: ToThread[] = [];
  #isBusy = true;

  constructor(port: MessagePort, handlers: AnyHandlers, start: unknown) {
    this.#port = port;
    this.#handlers = handlers;
    this.#thread = {
      start,
      send: (message) => this.#post({ kind: "send", payload: wrap(message) }, message),
    };
  }

  async begin(): Promise<void> {
    this.#port.on("message", (mail: ToThread) => {
      this.#queue.push(mail);
      if (!this.#isBusy) void this.#work();
    });
    try {
      const given = await this.#handlers.init?.(this.#thread);
      if (given === undefined) {
        this.#post({ kind: "ready" });
        await this.#work();
      } else {
        this.#end(reasonOfOutcome(given));
      }
    } catch (thrown) {
      this.#end(reasonOfThrow(thrown));
    }
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let mail = this.#queue.shift(); mail !== undefined; mail = this.#queue.shift()) {
      if (mail.kind === "call") await this.#call(mail.call, unwrap(mail.payload));
      else await this.#message(unwrap(mail.payload));
    }
    this.#isBusy = false;
  }

  async #message(message: unknown): Promise<void> {
    const handlers = this.#handlers;
    try {
      const given = await handlers.handleMessage?.(message, this.#thread);
      if (given === undefined) this.#post({ kind: handlers.handleMessage === undefined ? "unhandled" : "done" });
      else this.#end(reasonOfOutcome(given));
    } catch (thrown) {
      this.#end(reasonOfThrow(thrown));
    }
  }

  async #call(call: number, request: unknown): Promise<void> {
    try {
      if (this.#handlers.handleCall === undefined) {
        throw actorError("actor.unsupported", "this worker answers no calls; give serveWorker a handleCall");
      }
      const given: unknown = await this.#handlers.handleCall(request, this.#thread);
      if (!(given instanceof Terminate)) {
        this.#answer(call, given);
      } else {
        if (given.reason === "normal" && given.answer !== undefined) this.#answer(call, given.answer);
        this.#end(given.reason);
      }
    } catch (thrown) {
      if (thrown instanceof Terminate) this.#end(thrown.reason);
      else this.#post({ kind: "refuse", call, error: toWire(thrown) });
    }
  }

  #answer(call: number, value: unknown): void {
    this.#post({ kind: "answer", call, payload: wrap(value) }, value);
  }

  /** The other side ends this thread. */
  #end(reason: Reason): void {
    this.#post({ kind: "end", reason: wrapReason(reason) });
  }

  #post(what: FromThread, holder?: unknown): void {
    this.#port.postMessage(what, [...transferOf(holder)]);
  }
}
