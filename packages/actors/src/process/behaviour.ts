import type { Alias, PID, Reason, Ref } from "../identity/index.ts";
import type { LogRecord } from "../log/index.ts";
import type { MessageEvent, MessageExit, MessageResponse } from "../mailbox/index.ts";

/** Gives the behaviour its process and kernel, before everything else. */
export const BIND: unique symbol = Symbol("bind");
/** Begins the behaviour; a throw or rejection makes the spawn fail. */
export const START: unique symbol = Symbol("start");
/** An exit signal arrived. Gives back a reason to end with, or nothing to live on. */
export const EXIT: unique symbol = Symbol("exit");
/** The process is about to end with a reason. True holds the end up: the behaviour ends the process later. */
export const ENDING: unique symbol = Symbol("ending");
/** See {@link Behaviour}. */
export const ANSWERS: unique symbol = Symbol("answers");
/** Mail of a behaviour to itself that no callback of the author gets. */
export const NOTICE: unique symbol = Symbol("notice");
/** Ordinary mail of a behaviour that hands it on instead of handling it: a message, a call or an event. */
export const ROUTE: unique symbol = Symbol("route");

/**
 * What a process runs. A callback gives back nothing, a reason to end, or a promise of either. Keyed by symbols are the
 * parts that authors of actors do not see.
 */
export interface Behaviour {
  [BIND](process: object, kernel: object): void;
  [START](args: readonly unknown[]): unknown;
  [EXIT](exit: MessageExit): unknown;
  [ENDING](reason: Reason): boolean;
  [NOTICE](notice: unknown): unknown;
  /** Gets mail as it lies in the queue: a sender and its message, or no sender and an envelope. Only while `isRouting` of its process is set. */
  [ROUTE]?(from: PID | undefined, payload: unknown): unknown;
  handleMessage(from: PID, message: never): unknown;
  handleCall(from: PID, ref: Ref, request: never): unknown;
  /** Where the process splits its mail by the address that was used. */
  handleMessageName?(name: string, from: PID, message: never): unknown;
  handleCallName?(name: string, from: PID, ref: Ref, request: never): unknown;
  handleMessageAlias?(alias: Alias, from: PID, message: never): unknown;
  handleCallAlias?(alias: Alias, from: PID, ref: Ref, request: never): unknown;
  /** Whether a request is answered also when its handler ends the process with a reason other than `normal`. */
  readonly [ANSWERS]?: boolean;
  handleEvent(event: MessageEvent): unknown;
  handleResponse(response: MessageResponse): unknown;
  handleInspect(from: PID, items: readonly string[]): unknown;
  handleLog(record: LogRecord): unknown;
  terminate(reason: Reason): unknown;
}
