import type { Alias, PID, Reason, Ref } from "../identity/index.ts";
import { type LogLevel, type LogSource, startLevel } from "../log/index.ts";
import { Envelope, type MessageExit, type Priority } from "../mailbox/index.ts";
import { type Behaviour, BIND, ENDING, EXIT, NOTICE, START } from "../process/behaviour.ts";
import { extrasOf } from "../process/extras.ts";
import { abandonAll } from "../process/pending.ts";
import { Process, type ProcessHost } from "../process/process.ts";
import type { MetaBehaviour } from "./behaviour.ts";

/** Everything fixed at the spawn of a meta-process. */
export interface MetaSetup {
  readonly alias: Alias;
  /** The process that it belongs to, and in whose name it sends. */
  readonly owner: Process;
  readonly behaviour: MetaBehaviour<never, never>;
  readonly host: ProcessHost;
  readonly limit: number;
  readonly priority: Priority;
  readonly startedMs: number;
  /** @default that of the owner, now */
  readonly logLevel: LogLevel | undefined;
}

/**
 * The mailbox side of a meta-process: the loop of a process (K1 to K4), with two queues instead of four. Exits and
 * inspections wait in one, all other mail in the other, whatever its priority.
 */
export class MetaRun extends Process {
  readonly alias: Alias;
  readonly owner: Process;
  readonly meta: MetaBehaviour<never, never>;
  /** An exit waits, or was handled. */
  isExiting = false;
  /** Whether `start` has been entered and has not come back. */
  isStartBusy = false;
  /** Whether `terminate` has been entered and has not come back. */
  isTerminateBusy = false;
  /** Called when both are through. */
  onGone: (() => void) | undefined = undefined;
  #ending: AbortController | undefined = undefined;
  #exiting: AbortController | undefined = undefined;
  #endedWith: Reason | undefined = undefined;
  #dropTimers: (() => void) | undefined = undefined;

  constructor({ alias, owner, behaviour, host, limit, priority, startedMs, logLevel }: MetaSetup) {
    const { pid, parent, leader } = owner;
    const heritage = logLevel === undefined ? owner.heritage : { ...owner.heritage, logLevel: startLevel(logLevel) };
    super({ pid, host, behaviour: new Body(behaviour), parent, leader, limit, priority, startedMs, heritage });
    this.alias = alias;
    this.owner = owner;
    this.meta = behaviour;
  }

  override get fullCode(): "actor.meta_mailbox_full" {
    return "actor.meta_mailbox_full";
  }

  override get logSource(): LogSource {
    return { kind: "meta", parent: this.pid, alias: this.alias, behaviour: this.meta.constructor.name };
  }

  override put(_queue: Priority | "log", from: PID | undefined, payload: unknown): boolean {
    const kind = payload instanceof Envelope ? payload.kind : "message";
    const fits = super.put(kind === "exit" || kind === "inspect" ? "max" : "normal", from, payload);
    if (fits && kind === "exit") {
      this.isExiting = true;
      this.#exiting?.abort();
    }
    return fits;
  }

  /** What it handles counts for its process too. */
  override run(share: number): number {
    const before = this.messagesIn;
    const handled = super.run(share);
    this.owner.messagesIn += this.messagesIn - before;
    return handled;
  }

  /** Aborted right before `terminate`, or when `init` failed. */
  get signal(): AbortSignal {
    if (this.#ending === undefined) {
      this.#ending = new AbortController();
      if (this.#endedWith !== undefined) this.#ending.abort(this.#endedWith);
    }
    return this.#ending.signal;
  }

  /** Aborted when an exit waits, or it has ended. */
  get exiting(): AbortSignal {
    if (this.#exiting === undefined) {
      this.#exiting = new AbortController();
      if (this.isExiting || this.#endedWith !== undefined) this.#exiting.abort();
    }
    return this.#exiting.signal;
  }

  /** Where what is to be cancelled at the end is kept: of this meta-process or of its process, whichever comes first. */
  timers(): Set<(reason: unknown) => void> {
    const timers = extrasOf<Process>(this).onEnd;
    if (this.#dropTimers === undefined) {
      this.#dropTimers = () => {
        for (const cancel of [...timers]) cancel(undefined);
      };
      extrasOf(this.owner).onEnd.add(this.#dropTimers);
    }
    return timers;
  }

  /** Gives back what it holds, open requests and timers, and wakes whoever waits until its mail is read. */
  release(): void {
    abandonAll(this);
    if (this.#dropTimers !== undefined) this.owner.extras?.onEnd.delete(this.#dropTimers);
    for (const ended of [...(this.extras?.onEnd ?? [])]) ended(undefined);
  }

  /** Says by its signals that it has ended. */
  abort(reason: Reason): void {
    this.#endedWith = reason;
    this.#ending?.abort(reason);
    this.#exiting?.abort();
  }
}

/** A meta's behaviour as the loop of a process calls it. */
class Body implements Behaviour {
  readonly #meta: MetaBehaviour<never, never>;

  constructor(meta: MetaBehaviour<never, never>) {
    this.#meta = meta;
  }

  [BIND](): void {
    // It has no use for its process: the author's side is the handle that `init` and `start` get.
  }
  [START](): unknown {
    return undefined;
  }
  [EXIT](exit: MessageExit): unknown {
    return exit.reason;
  }
  [ENDING](): boolean {
    return false;
  }
  [NOTICE](): unknown {
    return undefined;
  }
  handleMessage(from: PID, message: never): unknown {
    return this.#meta.handleMessage(from, message);
  }
  handleCall(from: PID, ref: Ref, request: never): unknown {
    return this.#meta.handleCall(from, ref, request);
  }
  handleEvent(): unknown {
    return undefined;
  }
  handleResponse(response: never): unknown {
    return this.#meta.handleResponse(response);
  }
  handleLog(): unknown {
    return undefined;
  }
  handleInspect(from: PID, items: readonly string[]): unknown {
    return this.#meta.handleInspect(from, items);
  }
  terminate(reason: never): unknown {
    return this.#meta.terminate(reason);
  }
}
