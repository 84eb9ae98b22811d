import type { AnswerOf, AnyCall, RequestOf, Terminate } from "../identity/index.ts";
import type { Ended } from "../runtime/typed.ts";

/** What the file of a worker exports: it tells `createWorker` what the thread understands. For the compiler only. */
export interface WorkerApi<Messages = never, Calls extends AnyCall = never, Sends = never, Start = undefined> {
  readonly types?: (message: Messages, call: Calls) => readonly [Sends, Start];
}

/** Any worker. */
export type AnyWorkerApi = WorkerApi<never, never, unknown, unknown>;

/** What its thread can be sent. */
export type MessagesOf<A extends AnyWorkerApi> = Parameters<NonNullable<A["types"]>>[0];
/** What its thread can be asked. */
export type CallsOf<A extends AnyWorkerApi> = Extract<Parameters<NonNullable<A["types"]>>[1], AnyCall>;
/** What its thread sends. */
export type SendsOf<A extends AnyWorkerApi> = ReturnType<NonNullable<A["types"]>>[0];
/** What its thread is given to begin with. */
export type StartOf<A extends AnyWorkerApi> = ReturnType<NonNullable<A["types"]>>[1];

/** What code in the thread of a worker has of its surroundings. */
export interface WorkerThread<Sends = never, Start = undefined> {
  /** What the options of the worker gave it to begin with: a copy, but for what was shared or transferred. */
  readonly start: Start;
  /**
   * Sends a `MessageWorker` to whom the worker serves. Goes out at once, also from a loop that does not come back.
   * @throws DataCloneError – what cannot be copied
   */
  send(message: Sends): void;
}

type OrPromise<T> = T | Promise<T>;

/**
 * What a worker does, in its thread: one handler at a time, in the order of the mail. As in a meta-process, a handler that
 * returns a reason, or throws `Terminate`, ends the worker with it, and any other throw ends it with `actor.panic`; but
 * what `handleCall` throws is what the caller's `call` rejects with, and the worker goes on.
 */
export interface WorkerHandlers<Messages, Calls extends AnyCall, Sends, Start> {
  /** Prepares; mail waits until it is through. */
  init?(thread: WorkerThread<Sends, Start>): Ended;
  /** A message. */
  handleMessage?(message: Messages, thread: WorkerThread<Sends, Start>): Ended;
  /** A request: gives its answer back. `Terminate` with the reason `normal` and an answer gives it and ends the worker. */
  handleCall?(request: RequestOf<Calls>, thread: WorkerThread<Sends, Start>): OrPromise<AnswerOf<Calls> | Terminate>;
}
