import type { Message } from "../message/message.ts";
import type { Delivery } from "./log.ts";
import type { Held } from "./waiting.ts";

/** What a delivery tells its consumer. */
export interface Settler {
  onAck(attempt: Attempt): void;
  onNak(attempt: Attempt, options: { delayMs?: number; reason?: unknown } | undefined): void;
  onTerm(attempt: Attempt, reason: unknown): void;
  onRelease(attempt: Attempt, delayMs: number | undefined): void;
  onProgress(attempt: Attempt): void;
}

/** One attempt at one message. An `expired` one ran out of its ack wait: only an ack still counts. */
export class Attempt implements Delivery {
  readonly message: Message;
  readonly attempt: number;
  readonly held: Held;
  /** The moment when the ack wait is over. */
  deadlineMs: number;
  state: "open" | "expired" | "settled" = "open";
  readonly #settler: Settler;

  constructor(settler: Settler, held: Held, message: Message, deadlineMs: number) {
    this.#settler = settler;
    this.held = held;
    this.message = message;
    this.attempt = held.failures + 1;
    this.deadlineMs = deadlineMs;
  }

  get sequence(): number {
    return this.held.sequence;
  }

  ack(): void {
    if (this.state !== "settled" && !this.held.isDone) this.#settler.onAck(this);
  }

  nak(options?: { delayMs?: number; reason?: unknown }): void {
    if (this.state === "open") this.#settler.onNak(this, options);
  }

  term(reason: unknown): void {
    if (this.state === "open") this.#settler.onTerm(this, reason);
  }

  release(delayMs?: number): void {
    if (this.state === "open") this.#settler.onRelease(this, delayMs);
  }

  inProgress(): void {
    if (this.state === "open") this.#settler.onProgress(this);
  }
}
