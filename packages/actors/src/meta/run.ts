import type { Alias, PID, Ref } from "../identity/index.ts";
import { type LogLevel, type LogSource, startLevel } from "../log/index.ts";
import { Envelope, type MessageExit, type Priority } from "../mailbox/index.ts";
import { type Behaviour, BIND, ENDING, EXIT, NOTICE, START } from "../process/behaviour.ts";
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
  /** Aborted right before `terminate`. */
  readonly ending = new AbortController();
  /** Whether `start` has been entered and has not come back. */
  isStartBusy = false;
  /** Called when `start` comes back. */
  onStartBack: (() => void) | undefined = undefined;

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
    const isControl = payload instanceof Envelope && (payload.kind === "exit" || payload.kind === "inspect");
    return super.put(isControl ? "max" : "normal", from, payload);
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
