/**
 * The way to the handler.
 *
 * D1. Messages arrive in the order of the calls, each once.
 * D2. What finds no room is held where that was asked for, and so is everything after it until it has been sent.
 * D3. It fails once; nothing is sent after that.
 */
import { hasCode } from "@metanode/core/errors";
import type { Address } from "../identity/index.ts";
import type { MetaProcess } from "./behaviour.ts";

/** How to deliver. */
export interface DeliveryOptions<M> {
  readonly meta: MetaProcess;
  readonly handler: Address<M, never>;
  /** Whether to wait for room in a full mailbox. */
  readonly waits: boolean;
  /** Told when it begins and ends to hold messages. */
  readonly onHolding: (holding: boolean) => void;
  /** Told why a message cannot be delivered. */
  readonly onFailed: (error: Error) => void;
}

/** Sends to one handler. */
export class Delivery<M> {
  readonly #options: DeliveryOptions<M>;
  #held: M[] = [];
  /** How many of those held have been sent. */
  #sent = 0;
  #isOpen = true;
  #last: { message: M; done: () => void } | undefined;

  constructor(options: DeliveryOptions<M>) {
    this.#options = options;
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Whether messages are still taken. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(message: M): void {
    if (!this.#isOpen) return;
    if (this.#held.length > 0) {
      this.#held.push(message);
      return;
    }
    const { meta, handler, waits, onHolding } = this.#options;
    try {
      meta.send(handler, message);
    } catch (error) {
      if (!waits || !isFull(error)) {
        this.#fail(error as Error);
        return;
      }
      this.#held.push(message);
      onHolding(true);
      this.#retryLater();
    }
  }

  /** Sends what comes last, after all that is held, and also after a failure; then calls `done`. */
  finish(message: M, done: () => void): void {
    this.#last = { message, done };
    if (this.#held.length === 0) this.#sendLast();
  }

  /** Forgets what is held; nothing but the last message is sent from now on. */
  drop(): void {
    this.#isOpen = false;
    if (this.#held.length === 0) return;
    this.#held = [];
    this.#sendLast();
  }

  #retryLater(): void {
    const { meta, handler } = this.#options;
    void meta.whenRead(handler).then(() => this.#retry());
  }

  #retry(): void {
    const { meta, handler, onHolding } = this.#options;
    if (this.#held.length === 0) return;
    try {
      for (; this.#sent < this.#held.length; this.#sent++) meta.send(handler, this.#held[this.#sent] as M);
    } catch (error) {
      if (isFull(error)) this.#retryLater();
      else this.#fail(error as Error);
      return;
    }
    this.#held = [];
    this.#sent = 0;
    onHolding(false);
    this.#sendLast();
  }

  #fail(error: Error): void {
    this.drop();
    this.#options.onFailed(error);
  }

  #sendLast(): void {
    if (this.#last === undefined) return;
    const { meta, handler, waits } = this.#options;
    const { message, done } = this.#last;
    try {
      meta.send(handler, message);
    } catch (error) {
      if (waits && isFull(error)) {
        void meta.whenRead(handler).then(() => this.#sendLast());
        return;
      }
      // Whoever it was for is gone, or has no room and nobody asked to wait for it.
    }
    done();
  }
}

function isFull(error: unknown): boolean {
  return hasCode(error, "actor.mailbox_full") || hasCode(error, "actor.meta_mailbox_full");
}
