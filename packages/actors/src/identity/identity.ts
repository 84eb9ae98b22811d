import { nodeChecksum } from "./checksum.ts";
import type { AnyCall } from "./typed.ts";

/**
 * Addresses. Each is a value that nothing changes, and all but refs are frozen: every call makes a ref, and freezing it would
 * cost a tenth of the call. What it leads to on this node hangs on it unseen, so that a local send looks nothing up. A value
 * that came from elsewhere has nothing hanging on it and is looked up by its fields.
 */

/** A process. `Messages` and `Calls` are what it understands; both exist for the compiler only. */
export class PID<in Messages = unknown, in Calls extends AnyCall = AnyCall> {
  /** For the compiler only. */
  declare readonly accepts?: (message: Messages, call: Calls) => void;
  readonly node: string;
  readonly id: number;
  /** The start of the node, in seconds since the Unix epoch: addresses of an earlier life are told apart by it. */
  readonly creation: number;
  #local: object | undefined;

  constructor(node: string, id: number, creation: number) {
    this.node = node;
    this.id = id;
    this.creation = creation;
    this.#local = undefined;
    Object.freeze(this);
  }

  /** Hangs `local` on the address, or takes it off. For the kernel. */
  static bind(pid: PID<never, never>, local: object | undefined): void {
    pid.#local = local;
  }

  /** What the address leads to on this node. For the kernel. */
  static local(pid: PID<never, never>): object | undefined {
    return pid.#local;
  }

  toString(): string {
    return `<${nodeChecksum(this.node)}.${Math.floor(this.id / 2 ** 32)}.${this.id >>> 0}>`;
  }
}

/** A process by its registered name; an empty `node` is the own node. */
export class ProcessName<in Messages = unknown, in Calls extends AnyCall = AnyCall> {
  /** For the compiler only. */
  declare readonly accepts?: (message: Messages, call: Calls) => void;
  readonly name: string;
  readonly node: string;

  constructor(name: string, node = "") {
    this.name = name;
    this.node = node;
    Object.freeze(this);
  }

  toString(): string {
    return `<${nodeChecksum(this.node)}.${this.name}>`;
  }
}

/** A further address of a process, or the address of a meta-process. */
export class Alias<in Messages = unknown, in Calls extends AnyCall = AnyCall> {
  /** For the compiler only. */
  declare readonly accepts?: (message: Messages, call: Calls) => void;
  readonly node: string;
  readonly id: number;
  readonly creation: number;

  constructor(node: string, id: number, creation: number) {
    this.node = node;
    this.id = id;
    this.creation = creation;
    Object.freeze(this);
  }

  toString(): string {
    return `Alias#<${nodeChecksum(this.node)}.${Math.floor(this.id / 2 ** 32)}.${this.id >>> 0}.0>`;
  }
}

/** A number used once: it names a request, or is the token of an event. */
export class Ref {
  readonly node: string;
  readonly id: number;
  readonly creation: number;
  /** When nobody waits for the answer any more, in milliseconds since the Unix epoch; 0 = never. */
  readonly deadlineMs: number;
  #local: object | undefined;

  constructor(node: string, id: number, creation: number, deadlineMs = 0) {
    this.node = node;
    this.id = id;
    this.creation = creation;
    this.deadlineMs = deadlineMs;
    this.#local = undefined;
  }

  /** Hangs `local` on the ref, or takes it off. For the kernel. */
  static bind(ref: Ref, local: object | undefined): void {
    ref.#local = local;
  }

  /** What waits behind the ref on this node. For the kernel. */
  static local(ref: Ref): object | undefined {
    return ref.#local;
  }

  /** Whether somebody may still wait: there is no deadline, or it has not passed. */
  isAlive(nowMs: number): boolean {
    return this.deadlineMs === 0 || nowMs <= this.deadlineMs;
  }

  toString(): string {
    return `Ref#<${nodeChecksum(this.node)}.${Math.floor(this.id / 2 ** 32)}.${this.id >>> 0}.${Math.floor(this.deadlineMs / 1_000)}>`;
  }
}

/** An event by its name; an empty `node` is the own node. */
export class EventName {
  readonly name: string;
  readonly node: string;

  constructor(name: string, node = "") {
    this.name = name;
    this.node = node;
    Object.freeze(this);
  }

  toString(): string {
    return `Event#<${nodeChecksum(this.node)}:${this.name}>`;
  }
}

/** Everything that mail can be sent to. A string is a name registered on the own node and is not typed. */
export type Address<Messages = never, Calls extends AnyCall = never> =
  | PID<Messages, Calls>
  | ProcessName<Messages, Calls>
  | Alias<Messages, Calls>
  | string;
