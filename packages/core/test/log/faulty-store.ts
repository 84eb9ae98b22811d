import type { MetanodeError } from "../../src/errors.ts";
import { HostedLog } from "../../src/log/hosted.ts";
import { MemoryStore } from "../../src/log/memory.ts";
import type { LogStore } from "../../src/log/store.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

type Requests = "commit" | "read" | "readHeld" | "openConsumer";

/**
 * The store of the log in memory with faults made on purpose: requests may be answered late, and fail before they have
 * an effect.
 */
export class FaultyStore extends MemoryStore {
  /** What was asked, by request. */
  readonly asked: { [K in Requests]: Parameters<LogStore[K]>[] } = { commit: [], read: [], readHeld: [], openConsumer: [] };
  /** The next requests of a kind fail with this. */
  readonly failures = new Map<Requests, MetanodeError>();
  readonly #gates = new Map<Requests, { readonly passed: Promise<void>; readonly open: () => void }>();

  /** Keeps back the answers to a kind of request. */
  hold(kind: Requests): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(kind, { passed: promise, open: resolve });
  }

  /** Gives the answers that were kept back. */
  letGo(kind: Requests): void {
    this.#gates.get(kind)?.open();
    this.#gates.delete(kind);
  }

  async #answer<T>(kind: Requests, work: () => Promise<T>): Promise<T> {
    const failure = this.failures.get(kind);
    const gate = this.#gates.get(kind);
    const result = failure === undefined ? work() : undefined;
    await gate?.passed;
    if (result === undefined) throw failure;
    return result;
  }

  override commit(...args: Parameters<LogStore["commit"]>): ReturnType<LogStore["commit"]> {
    this.asked.commit.push(args);
    return this.#answer("commit", () => super.commit(...args));
  }

  override read(...args: Parameters<LogStore["read"]>): ReturnType<LogStore["read"]> {
    this.asked.read.push(args);
    return this.#answer("read", () => super.read(...args));
  }

  override readHeld(...args: Parameters<LogStore["readHeld"]>): ReturnType<LogStore["readHeld"]> {
    this.asked.readHeld.push(args);
    return this.#answer("readHeld", () => super.readHeld(...args));
  }

  override openConsumer(...args: Parameters<LogStore["openConsumer"]>): ReturnType<LogStore["openConsumer"]> {
    this.asked.openConsumer.push(args);
    return this.#answer("openConsumer", () => super.openConsumer(...args));
  }
}

/** A log over a {@link FaultyStore} on virtual time, and the faults that it told of. */
export function faultyLog(): { store: FaultyStore; clock: VirtualClock; faults: MetanodeError[]; log: HostedLog } {
  const store = new FaultyStore();
  const clock = new VirtualClock();
  const faults: MetanodeError[] = [];
  return { store, clock, faults, log: new HostedLog(store, { clock, onFault: (error) => faults.push(error) }) };
}
