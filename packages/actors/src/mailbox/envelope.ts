import type { EventName } from "../identity/identity.ts";
import type { Address, PID, Reason, Ref } from "../identity/index.ts";

/** In which queue mail waits: `max` urgent, `high` system, `normal` main, `log` last. */
export type Priority = "normal" | "high" | "max";

/** Whether `value` names a priority. */
export function isPriority(value: unknown): value is Priority {
  return value === "normal" || value === "high" || value === "max";
}

/**
 * What an envelope holds. `message` is plain mail that remembers the address it was sent to; `child_exit` the end of a
 * child that its parent linked to at the spawn; `mark` is no mail, but a function that is called when all mail before it has
 * been read.
 */
export type EnvelopeKind =
  | "message"
  | "call"
  | "exit"
  | "child_exit"
  | "event"
  | "inspect"
  | "response"
  | "notice"
  | "log"
  | "mark";

/**
 * Whether mail of a kind is taken by a full queue too: the process has called for it, so that its number is bounded, and
 * was promised that none is lost.
 */
export function isCertain(kind: EnvelopeKind): boolean {
  return kind === "response" || kind === "child_exit" || kind === "notice";
}

/** Mail that is more than a sender and a payload. One shape for all kinds. */
export class Envelope {
  readonly kind: EnvelopeKind;
  readonly from: PID;
  readonly payload: unknown;
  /** Of a call. */
  readonly ref: Ref | undefined;
  /** The address that was used, where it matters. */
  readonly to: Address | undefined;

  constructor(kind: EnvelopeKind, from: PID, payload: unknown, ref?: Ref, to?: Address) {
    this.kind = kind;
    this.from = from;
    this.payload = payload;
    this.ref = ref;
    this.to = to;
  }
}

/** What a link or monitor was made to; a string is the name of a node. */
export type TargetAddress = PID<never, never> | Exclude<Address, string> | EventName | string;

/** The end of something that the process is linked to, or the exit signal of another process (`kind` pid, its sender as target). */
export class MessageExit {
  readonly kind: "pid" | "name" | "alias" | "event" | "node";
  readonly target: TargetAddress;
  readonly reason: Reason;

  constructor(kind: MessageExit["kind"], target: TargetAddress, reason: Reason) {
    this.kind = kind;
    this.target = target;
    this.reason = reason;
  }
}

/** The end of something that the process monitors. Comes once. */
export class MessageDown {
  readonly kind: MessageExit["kind"];
  readonly target: TargetAddress;
  readonly reason: Reason;

  constructor(kind: MessageExit["kind"], target: TargetAddress, reason: Reason) {
    this.kind = kind;
    this.target = target;
    this.reason = reason;
  }
}

/** What a producer published. One object for all subscribers. */
export class MessageEvent<Payload = unknown> {
  readonly event: EventName;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly message: Payload;

  constructor(event: EventName, timeMs: number, message: Payload) {
    this.event = event;
    this.timeMs = timeMs;
    this.message = message;
  }
}

/** To a producer that asked for it: its event has its first subscriber. */
export class MessageEventStart {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** To a producer that asked for it: its event has lost its last subscriber. */
export class MessageEventStop {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Mail that did not fit into the mailbox of `pid`; comes from the original sender. */
export class MessageFallback {
  readonly pid: PID;
  readonly tag: string;
  readonly target: Address;
  readonly message: unknown;

  constructor(pid: PID, tag: string, target: Address, message: unknown) {
    this.pid = pid;
    this.tag = tag;
    this.target = target;
    this.message = message;
  }
}

/** What became of a request that did not wait: an answer, or an error. */
export interface MessageResponse {
  readonly ref: Ref;
  readonly from: Address;
  readonly label: string;
  readonly result: unknown;
  readonly error: Error | undefined;
}
