import { Worker as Thread } from "node:worker_threads";
import { fromWire } from "@metanode/core/errors";
import { actorError } from "../errors.ts";
import {
  type Address,
  type AnswerOf,
  type AnyCall,
  later,
  type PID,
  type Reason,
  type Ref,
  type RequestOf,
  reasonOfThrow,
} from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import type { Ended, Given } from "../runtime/typed.ts";
import type { AnyWorkerApi, CallsOf, MessagesOf } from "./api.ts";
import { MessageWorker } from "./message.ts";
import { type ResolvedWorkerOptions, resolveWorkerOptions, type WorkerOptions, type WorkerRest } from "./options.ts";
import { transferOf } from "./transfer.ts";
import { type FromThread, type ThreadStart, type ToThread, unwrap, unwrapReason, wrap } from "./wire.ts";

/** Whom the answer to a call goes to. */
interface Asked {
  readonly from: PID;
  readonly ref: Ref;
}

/**
 * A meta-process that runs a file in a thread of its own, where it may block, and speaks with it by mail.
 *
 *  W1. Mail reaches the thread in its order, at most `maxInFlight` at a time. The thread gives one receipt for each.
 *  W2. What the thread sends is delivered in its order, until the worker ends.
 *  W3. The end of the thread is the end of the worker, and the other way round, blocked or not.
 */
export class Worker<Messages = never, Calls extends AnyCall = never> extends MetaBehaviour<Messages, Calls> {
  readonly #file: string;
  readonly #options: ResolvedWorkerOptions;
  readonly #calls = new Map<number, Asked>();
  #meta!: MetaProcess;
  #to!: Address;
  #thread: Thread | undefined;
  #state: "created" | "starting" | "ready" | "ended" = "created";
  #wasReady = false;
  #reason: Reason | undefined;
  #lastCall = 0;
  #inFlight = 0;
  #onRoom: (() => void) | undefined;

  /** For {@link createWorker}. */
  constructor(file: string, options: ResolvedWorkerOptions) {
    super();
    this.#file = file;
    this.#options = options;
  }

  override async start(meta: MetaProcess): Promise<Reason> {
    const { name, start, transfer = [], resourceLimits } = this.#options;
    this.#meta = meta;
    this.#to = this.#options.process ?? meta.parent;
    this.#state = "starting";
    let thread: Thread;
    try {
      const workerData: ThreadStart = { metanodeWorker: true, start };
      const limits = resourceLimits === undefined ? {} : { resourceLimits };
      thread = new Thread(new URL(this.#file), { name, workerData, transferList: [...transfer], ...limits });
    } catch (cause) {
      this.#state = "ended";
      return this.#notStarted(cause);
    }
    // No await before this: a handler that runs from now on finds the thread.
    this.#thread = thread;
    thread.on("message", (what: FromThread) => {
      try {
        this.#receive(what);
      } catch (error) {
        meta.report("the thread posted something else than its worker expects", error);
      }
    });
    thread.on("messageerror", (error) => meta.report("what the thread sent cannot be read", error));
    let failure: Error | undefined;
    thread.on("error", (error: Error) => {
      failure = error;
    });
    const code = await new Promise<number>((resolve) => thread.once("exit", resolve));
    this.#state = "ended";
    return this.#reason ?? this.#reasonOfExit(code, failure);
  }

  /** Hands the message to the thread. Comes back when there is room for it. */
  override handleMessage(from: PID, message: Messages): Ended {
    return this.#whenRoom(() => {
      const problem = this.#post({ kind: "message", payload: wrap(message) }, message);
      if (problem !== undefined) this.unhandled(`message from ${from} that cannot be copied to the thread`, problem);
    });
  }

  override handleCall(from: PID, ref: Ref, request: RequestOf<Calls>): Given<AnswerOf<Calls>> {
    const ask = (): void => {
      if (!ref.isAlive(this.#meta.now())) return; // nobody waits any more
      const call = ++this.#lastCall;
      const problem = this.#post({ kind: "call", call, payload: wrap(request) }, request);
      if (problem === undefined) {
        this.#calls.set(call, { from, ref });
      } else {
        const text = `the request cannot be copied to the thread: ${problem.message}`;
        this.#meta.respondError(from, ref, actorError("actor.incorrect", text, { cause: problem }));
      }
    };
    return this.#whenRoom(ask)?.then(() => later) ?? later;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    const { name, tag } = this.#options;
    return {
      file: this.#file,
      name,
      tag,
      state: this.#state,
      thread: this.#state === "ended" ? "" : String(this.#thread?.threadId ?? ""),
      inFlight: String(this.#inFlight),
      calls: String(this.#calls.size),
    };
  }

  override terminate(): void {
    this.#state = "ended";
    this.#thread?.terminate();
  }

  /** Runs `act` now if there is room, else when there is. An exit ends the wait, and `act` does not run then. */
  #whenRoom(act: () => void): Promise<void> | undefined {
    if (this.#inFlight < this.#options.maxInFlight) {
      act();
      return undefined;
    }
    const { exiting } = this.#meta;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#onRoom = undefined;
        exiting.removeEventListener("abort", done);
        if (!exiting.aborted) act();
        resolve();
      };
      this.#onRoom = done;
      exiting.addEventListener("abort", done);
      if (exiting.aborted) done();
    });
  }

  /** Gives mail to the thread; says why it cannot be copied, if it cannot. */
  #post(mail: ToThread, holder: unknown): Error | undefined {
    try {
      this.#thread?.postMessage(mail, [...transferOf(holder)]);
    } catch (error) {
      return error as Error;
    }
    this.#inFlight++;
    return undefined;
  }

  #receive(what: FromThread): void {
    if (this.#state === "ended") return;
    if (what.kind === "ready") {
      this.#wasReady = true;
      this.#state = "ready";
    } else if (what.kind === "send") {
      this.#send(unwrap(what.payload));
    } else if (what.kind === "end") {
      this.#end(unwrapReason(what.reason));
    } else if (what.kind === "done" || what.kind === "unhandled" || what.kind === "answer" || what.kind === "refuse") {
      if (what.kind === "unhandled") this.unhandled("message", undefined);
      if ("call" in what) this.#respond(what);
      this.#inFlight--;
      this.#onRoom?.();
    } else {
      this.unhandled("message of the thread to its port", what);
    }
  }

  #send(message: unknown): void {
    const { id } = this.#meta;
    try {
      this.#meta.send(this.#to, new MessageWorker(id, this.#options.tag, message) as never);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #respond(what: Extract<FromThread, { kind: "answer" | "refuse" }>): void {
    const asked = this.#calls.get(what.call);
    if (asked === undefined) return;
    this.#calls.delete(what.call);
    const { from, ref } = asked;
    try {
      if (what.kind === "answer") this.#meta.respond(from, ref, unwrap(what.payload));
      else this.#meta.respondError(from, ref, fromWire(what.error));
    } catch {
      // Who asked has ended.
    }
  }

  /** The first reason wins. */
  #end(reason: Reason): void {
    this.#reason = reason;
    this.terminate();
  }

  #reasonOfExit(exitCode: number, failure: Error | undefined): Reason {
    if (failure !== undefined && (failure as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY")
      return failed("it ran out of memory", failure);
    if (!this.#wasReady && failure !== undefined) return this.#notStarted(failure);
    if (!this.#wasReady) return this.#notStarted(new Error("it ended before it was ready; its file has to call serveWorker"));
    if (failure !== undefined) return reasonOfThrow(failure);
    return exitCode === 0 ? "normal" : failed(`it exited with code ${exitCode}`);
  }

  #notStarted(cause: unknown): Error {
    const text = cause instanceof Error ? cause.message : String(cause);
    return actorError("actor.start_failed", `the thread of ${this.#file} could not be started: ${text}`, { cause });
  }
}

function failed(text: string, cause?: Error): Error {
  return actorError("actor.worker_failed", `the thread ended: ${text}`, cause === undefined ? {} : { cause });
}

/**
 * Builds a worker; `spawnMeta` starts its thread. `A` is the type of what the file exports from `serveWorker`, which is
 * imported as a type only: `createWorker<typeof api>(new URL("./file.ts", import.meta.url))`. A file that cannot be run ends
 * it with `actor.start_failed`; an error that nobody catches in the thread with `actor.panic`.
 *
 * What crosses is copied (structured clone): an error by itself keeps its code, instances of other classes become plain
 * objects. {@link transfer} moves instead of copying.
 * @throws actor.incorrect – an option that is unknown or has no meaning, a file that is no URL
 */
export function createWorker<A extends AnyWorkerApi>(
  file: URL,
  ...[options = {}]: WorkerRest<A>
): Worker<MessagesOf<A>, CallsOf<A>> {
  if (!(file instanceof URL)) {
    throw actorError(
      "actor.incorrect",
      `the file of a worker is ${String(file)}, expected a URL, such as new URL("./file.ts", import.meta.url)`,
    );
  }
  return new Worker(file.href, resolveWorkerOptions(options as WorkerOptions<never>, file.pathname));
}
