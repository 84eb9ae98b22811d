import type { ActorErrorCode } from "../errors.ts";
import type { Address, Alias, EventName, PID, ProcessName, Reason, Ref } from "../identity/index.ts";
import type { MessageEvent, Priority } from "../mailbox/index.ts";
import type { Process } from "../process/process.ts";
import type { RelationKind } from "../relations/watch-list.ts";

/** What kept something from its target: a code, or an error that says more. */
export type Problem = ActorErrorCode | Error;

/** Done, or done when the promise resolves: for what another node may have to do. */
export type Done = void | Promise<void>;

/** A target of links and monitors on another node. */
export type FarTarget = PID<never, never> | ProcessName | Alias;

/** A request on its way to another node. */
export interface FarCall {
  readonly from: PID;
  readonly to: Address;
  readonly request: unknown;
  readonly ref: Ref;
  readonly priority: Priority;
  /** Whether the caller is told at once when nobody gets the request. */
  readonly isImportant: boolean;
}

/** An answer to a request of another node. */
export interface FarAnswer {
  readonly to: PID;
  readonly ref: Ref;
  readonly answer: { readonly value: unknown } | { readonly error: Error };
  /** Whoever wants to know that the answer arrived. */
  readonly waits: Process | undefined;
  /** Whoever answers, if it is a process. */
  readonly by: Process | undefined;
}

/** The spawn of a process on another node. */
export interface FarSpawn {
  /** The process that asks, its parent to be; undefined = the kernel. */
  readonly parent: Process | undefined;
  readonly node: string;
  /** What the other node has enabled. */
  readonly name: string;
  /** `RemoteSpawnOptions`. */
  readonly options: object;
}

/**
 * What the runtime asks of whatever reaches other nodes (`remote/`). Mail that cannot leave gives its problem back instead
 * of throwing it: the sender may be a timer. What waits for the other node gives a promise, which settles within seconds.
 */
export interface Network {
  send(from: PID, to: Address, message: unknown, priority: Priority): Problem | undefined;
  /** Resolves when the message is in the mailbox. `from` undefined = the kernel. */
  sendImportant(from: Process | undefined, to: Address, message: unknown, priority: Priority): Promise<void>;
  call(call: FarCall): Problem | undefined;
  /** Gives a promise where somebody waits. @throws what keeps the answer from leaving */
  respond(answer: FarAnswer): Promise<void> | undefined;
  exit(from: PID, to: PID<never, never>, reason: Reason): Problem | undefined;
  watch(consumer: Process, kind: RelationKind, to: FarTarget): Promise<void>;
  unwatch(consumer: Process, kind: RelationKind, to: FarTarget): void;
  subscribe(consumer: Process, kind: RelationKind, event: EventName): Promise<MessageEvent[]>;
  unsubscribe(consumer: Process, kind: RelationKind, event: EventName): void;
  watchNode(consumer: Process, kind: RelationKind, node: string): Promise<void>;
  unwatchNode(consumer: Process, kind: RelationKind, node: string): void;
  spawn(spawn: FarSpawn): Promise<PID>;
}
