import type { Clock, Timer } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { Committer } from "./committer.ts";
import { HostedDeadLetters } from "./dead-letters.ts";
import { HostedStream } from "./hosted-stream.ts";
import type { DeadLetters, Log, LogStream, StreamOptions } from "./log.ts";
import { checkName, type ResolvedStreamOptions, resolveStreamOptions } from "./options.ts";
import type { LogStore } from "./store.ts";

/** How often what is over its age is removed from streams that nobody uses meanwhile. */
const EXPIRY_MS = 30_000;

/** What a log over a store needs besides it. */
export interface HostedLogOptions {
  readonly clock: Clock;
  /**
   * Told of failures of the storage behind nobody's call: a state of a consumer that could not be saved (it is tried
   * again, and told once until it works), or an expiry that could not be made.
   */
  readonly onFault?: ((error: MetanodeError) => void) | undefined;
}

/** A log over a {@link LogStore}: all that memory and SQLite have in common. */
export class HostedLog implements Log {
  readonly deadLetters: DeadLetters;
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #committer: Committer;
  readonly #onFault: (error: MetanodeError) => void;
  readonly #streams = new Map<string, Promise<HostedStream>>();
  #expiryTimer: Timer | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(store: LogStore, options: HostedLogOptions) {
    this.#store = store;
    this.#clock = options.clock;
    this.#onFault = options.onFault ?? (() => undefined);
    this.#committer = new Committer(store, options.clock, this.#onFault);
    this.deadLetters = new HostedDeadLetters({
      store,
      settle: () => this.#settle(),
      onReplayed: ({ consumer, sequence }) => void this.#restore(consumer, sequence),
    });
    this.#watchAge();
  }

  async stream(name: string, options?: StreamOptions): Promise<LogStream> {
    checkName("stream", name);
    const resolved = options === undefined ? undefined : resolveStreamOptions(options);
    this.#assertOpen();
    const known = this.#streams.get(name);
    if (known !== undefined && resolved === undefined) return known;
    const opening = this.#openStream(name, resolved, known);
    this.#streams.set(name, opening);
    try {
      return await opening;
    } catch (error) {
      // The next call tries anew; a stream that was open stays so.
      if (this.#streams.get(name) === opening) {
        if (known === undefined) this.#streams.delete(name);
        else this.#streams.set(name, known);
      }
      throw error;
    }
  }

  async #openStream(
    name: string,
    options: ResolvedStreamOptions | undefined,
    known: Promise<HostedStream> | undefined,
  ): Promise<HostedStream> {
    const earlier = await known?.catch(() => undefined);
    const record = await this.#store.openStream(name, options, Math.floor(this.#clock.now()));
    if (earlier !== undefined) {
      earlier.setOptions(record.options);
      return earlier;
    }
    return new HostedStream(name, record, {
      store: this.#store,
      clock: this.#clock,
      committer: this.#committer,
      assertOpen: () => this.#assertOpen(),
    });
  }

  async streams(): Promise<string[]> {
    this.#assertOpen();
    return (await this.#store.streamNames()).sort();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#expiryTimer?.cancel();
    const streams = await Promise.allSettled(this.#streams.values());
    const ended = await Promise.allSettled(
      streams.map((stream) => (stream.status === "fulfilled" ? stream.value.close() : undefined)),
    );
    await this.#committer.idle();
    this.#committer.stop();
    await this.#store.close();
    const failed = ended.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #settle(): Promise<void> {
    this.#assertOpen();
    await this.#committer.flush();
  }

  async #restore(consumer: number, sequence: number): Promise<void> {
    const streams = await Promise.allSettled(this.#streams.values());
    for (const stream of streams) if (stream.status === "fulfilled") stream.value.restore(consumer, sequence);
  }

  #watchAge(): void {
    this.#expiryTimer = this.#clock.setTimer(EXPIRY_MS, () => {
      this.#store.expire(Math.floor(this.#clock.now())).catch(this.#onFault);
      this.#watchAge();
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw coreError("node.closed", "the log was closed; open it again to use it");
  }
}
