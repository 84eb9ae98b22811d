import type { Clock } from "@metanode/core/clock";
import {
  type Address,
  type Alias,
  type AnswerOf,
  type AnyCall,
  later,
  type PID,
  type Reason,
  type Ref,
  type RequestOf,
} from "../identity/index.ts";
import type { Log, LogLevel } from "../log/index.ts";
import type { MessageResponse, Priority } from "../mailbox/index.ts";
import type { RequestOptions, RespondOptions } from "../runtime/calls.ts";
import type { Done } from "../runtime/network.ts";
import type { CancelTimer } from "../runtime/timers.ts";
import type { Ended, Given } from "../runtime/typed.ts";

/** How to spawn a meta-process. */
export interface MetaOptions {
  /** Longest queue, for mail and for exits each; 0 = no limit. @default 0 */
  mailboxLimit?: number;
  /** Priority of what it sends. @default "normal" */
  priority?: Priority;
  /** Longest `init` that waits for something, in milliseconds. @default 5_000 */
  initTimeoutMs?: number;
  /** From which level on it logs; only here it can be `trace`. @default that of its process, at the spawn */
  logLevel?: LogLevel;
}

/**
 * What a meta-process may do. All that it sends carries the PID of the process that it belongs to. What it cannot do it
 * throws as `actor.*`.
 */
export interface MetaProcess {
  /** Its own address. */
  readonly id: Alias;
  /** The process that it belongs to. */
  readonly parent: PID;
  /** Aborted right before `terminate`, or when `init` failed: hand it to whatever waits. */
  readonly signal: AbortSignal;
  /**
   * Aborted when an exit has come, or the end without one. An exit waits for the handler that runs: one that waits for
   * something slow, such as a peer that does not read, should give up then, or it holds the end up.
   */
  readonly exiting: AbortSignal;
  /** The time of the kernel. */
  readonly clock: Clock;
  /** Priority of what it sends. @throws actor.incorrect – set to none of the three */
  sendPriority: Priority;
  /** Milliseconds since the Unix epoch, of the kernel's clock. */
  now(): number;
  /** Sends. @throws actor.process_unknown, actor.mailbox_full, actor.meta_mailbox_full */
  send<M>(to: Address<M, never>, message: NoInfer<M>, priority?: Priority): void;
  /** Sends once, later, unless the meta-process or its process has ended by then. */
  sendAfter<M>(to: Address<M, never>, message: NoInfer<M>, delayMs: number, priority?: Priority): CancelTimer;
  /** Sends at a fixed rate until cancelled, or the meta-process or its process ends. */
  sendEvery<M>(to: Address<M, never>, message: NoInfer<M>, periodMs: number, priority?: Priority): CancelTimer;
  /**
   * Asks without waiting; exactly one `handleResponse` follows, unless the request is cancelled.
   * @throws actor.not_allowed – to itself or to the process that it belongs to
   */
  sendRequest<C extends AnyCall>(to: Address<never, C>, request: RequestOf<C>, options?: RequestOptions): Ref;
  /** @throws actor.request_unknown */
  cancelRequest(ref: Ref): void;
  /** Answers a request that `handleCall` left for later. @throws actor.not_allowed – it has ended; actor.process_unknown */
  respond(to: PID, ref: Ref, value: unknown, options?: RespondOptions): Done;
  /** Answers with an error, which the caller's `call` rejects with. */
  respondError(to: PID, ref: Ref, error: Error, options?: RespondOptions): Done;
  /** Spawns a meta-process that belongs to the same process, and outlives this one. @throws actor.not_allowed */
  spawn<B extends MetaShape>(behaviour: B, options?: MetaOptions): SpawnedAlias<B>;
  /**
   * Resolves when the mail that waits at `to` now has been read, or nothing on this node has that address any more: the time
   * to send again what found the mailbox full.
   */
  whenRead(to: Address): Promise<void>;
  /** Leaves its own mail unread (`true`), as while a write is held up, or reads it again. Exits and inspections go on. */
  holdMail(held: boolean): void;
  /** A variable of the process that it belongs to, as it stands now. */
  env(name: string): unknown;
  /** All variables of the process that it belongs to, by their upper-case names. */
  envList(): ReadonlyMap<string, unknown>;
  /** The log, in the name of the meta-process. */
  readonly log: Log;
  /** Tells people of something that does not end the meta-process. */
  report(text: string, error?: unknown): void;
}

/** What of a behaviour the types below look at. */
export interface MetaShape {
  init(meta: MetaProcess): unknown;
  start(meta: MetaProcess): unknown;
  terminate(reason: Reason): unknown;
}

/** The address of a meta-process, with its types. */
export type AliasOf<B> = B extends { readonly accepts?: (message: infer M, call: infer C extends AnyCall) => void }
  ? Alias<M, C>
  : never;

/** The answer of a spawn: a promise if `init` gives one. */
export type SpawnedAlias<B extends MetaShape> =
  unknown extends ReturnType<B["init"]>
    ? AliasOf<B>
    : Extract<ReturnType<B["init"]>, PromiseLike<unknown>> extends never
      ? AliasOf<B>
      : Exclude<ReturnType<B["init"]>, PromiseLike<unknown>> extends never
        ? Promise<AliasOf<B>>
        : AliasOf<B> | Promise<AliasOf<B>>;

/**
 * What a meta-process runs: it joins one blocking thing (a socket, a program, a server) to the world of mailboxes. It has
 * two activities side by side, `start` and the handlers, which interleave at every `await` and share what they use; what
 * both need is made ready in `init` or before.
 *
 * A handler or `start` that returns a reason, or throws `Terminate`, ends the meta-process with it; any other throw ends it
 * with `actor.panic`. One handler runs at a time; mail is read in the order of its arrival, an exit before the rest.
 */
export abstract class MetaBehaviour<Messages = never, Calls extends AnyCall = never> {
  /** For the compiler only. */
  declare readonly accepts?: (message: Messages, call: Calls) => void;

  /** Prepares. A reason given back or thrown makes the spawn fail with it; nothing else is called then. */
  init(_meta: MetaProcess): unknown {
    return undefined;
  }

  /** The main activity: lives as long as the meta-process, whose end is its return. `terminate` must make it return. */
  abstract start(meta: MetaProcess): Ended;

  /** A message. `from` is a process, also where a meta-process sent it. */
  handleMessage(from: PID, message: Messages): Ended {
    this.unhandled(`message from ${from}`, message);
  }

  /** A request: returns the answer, or {@link later} if somebody answers by `respond` in the end. */
  handleCall(from: PID, _ref: Ref, request: RequestOf<Calls>): Given<AnswerOf<Calls>> {
    this.unhandled(`call from ${from}`, request);
    return later;
  }

  /** What became of a `sendRequest`. */
  handleResponse(response: MessageResponse): Ended {
    this.unhandled("response", response.label);
  }

  /** Tells what it is about, for people. */
  handleInspect(
    _from: PID,
    _items: readonly string[],
  ): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> {
    return {};
  }

  /**
   * The end, once, whatever brought it: its address is gone and whoever watched it knows. Closes what `start` waits for.
   * Closing twice must do no harm.
   */
  abstract terminate(reason: Reason): void | Promise<void>;

  /** Called for what no handler was written for. The kernel puts its report here. */
  protected unhandled(_what: string, _value: unknown): void {
    // Until it is spawned there is nobody to tell.
  }

  /** Makes {@link unhandled} report. For the kernel. */
  static bind(behaviour: MetaBehaviour<never, never>, report: (what: string, value: unknown) => void): void {
    behaviour.unhandled = report;
  }
}
