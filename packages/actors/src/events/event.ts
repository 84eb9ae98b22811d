import type { EventName, Ref } from "../identity/index.ts";
import type { MessageEvent } from "../mailbox/index.ts";
import type { Consumer, WatchList } from "../relations/watch-list.ts";

/** How an event is registered. */
export interface EventOptions {
  /** Whether the producer is told of the first subscriber and of the loss of the last. @default false */
  notify?: boolean;
  /** How many of the last events a new subscriber gets; 0 = none. @default 0 */
  bufferLimit?: number;
  /** Whether anybody may publish, without the token. @default false */
  open?: boolean;
}

/** One registered event. `P` is what produces it; the kernel itself has none. */
export class EventEntry<C extends Consumer, P> {
  readonly name: EventName;
  readonly token: Ref;
  readonly producer: P | undefined;
  readonly open: boolean;
  readonly subscribers: WatchList<C>;
  readonly #limit: number;
  #buffer: MessageEvent[] = [];
  published = 0;
  delivered = 0;

  constructor(name: EventName, token: Ref, producer: P | undefined, subscribers: WatchList<C>, options: EventOptions) {
    this.name = name;
    this.token = token;
    this.producer = producer;
    this.subscribers = subscribers;
    this.open = options.open ?? false;
    this.#limit = options.bufferLimit ?? 0;
  }

  /** How many of the last events a new subscriber gets. */
  get bufferLimit(): number {
    return this.#limit;
  }

  /** Keeps the event for later subscribers. */
  keep(event: MessageEvent): void {
    this.published++;
    if (this.#limit === 0) return;
    this.#buffer.push(event);
    if (this.#buffer.length > this.#limit) this.#buffer.shift();
  }

  /** The last events, oldest first. */
  buffered(): MessageEvent[] {
    return [...this.#buffer];
  }
}
