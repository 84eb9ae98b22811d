import type { CallContext } from "./member.ts";
import { withdrawn } from "./outcome.ts";

/**
 * A call under way in a group, from its message to its one answer.
 *
 *  E1. It ends once: with a value, with an error, or withdrawn by its caller.
 *  E2. The caller's abort withdraws everything that it began within the same turn.
 *  E3. Where all members answer without a promise, so does it.
 */
export abstract class Exchange<T> {
  protected readonly context: CallContext;
  #ended = false;
  #value: T | undefined;
  #error: unknown;
  #failed = false;
  #signal: AbortSignal | undefined;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(context: CallContext) {
    this.context = context;
  }

  /** Whether the answer is there. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Carries the call out. Once per exchange. */
  run(): T | Promise<T> {
    const { signal } = this.context;
    if (signal?.aborted) throw withdrawn(signal.reason);
    this.begin();
    if (this.#ended) return this.#answer();
    if (signal?.aborted) {
      this.withdraw(withdrawn(signal.reason));
      return this.#answer();
    }
    if (signal !== undefined) {
      this.#signal = signal;
      signal.addEventListener("abort", this);
    }
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The caller's signal was aborted. */
  handleEvent(): void {
    this.withdraw(withdrawn(this.#signal?.reason));
  }

  /** Ends the call with `error` and withdraws all that it began. Does nothing once it has ended. */
  withdraw(error: unknown): void {
    if (this.#ended) return;
    this.fail(error);
    this.abandon(error);
  }

  /** Sends what is to be sent; may end the call before it returns. */
  protected abstract begin(): void;
  /** Cancels what is open. */
  protected abstract abandon(reason: unknown): void;

  protected succeed(value: T): void {
    this.#value = value;
    this.#end();
    this.#resolve?.(value);
  }

  protected fail(error: unknown): void {
    this.#error = error;
    this.#failed = true;
    this.#end();
    this.#reject?.(error);
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this);
    this.#signal = undefined;
  }

  #answer(): T {
    if (this.#failed) throw this.#error;
    return this.#value as T;
  }
}
