import type { PID, Reason } from "../identity/index.ts";
import { Envelope, MessageDown, type MessageEvent, type Priority } from "../mailbox/index.ts";
import { type Consumer, purge, type Relation } from "../relations/watch-list.ts";

/** What a node that watches is told. */
export interface FarEvents {
  onEnded(watch: number, owner: PID, reason: Reason): void;
  /** False if it cannot be told. */
  onEvent(watch: number, queue: Priority, from: PID, event: MessageEvent): boolean;
}

/** Another node as a consumer: it watches one target of this node, for all its processes that want to. */
export class FarWatcher implements Consumer {
  relations: Set<Relation> | undefined = undefined;
  state: "sleep" | "terminated" = "sleep";
  readonly #watch: number;
  readonly #events: FarEvents;

  constructor(watch: number, events: FarEvents) {
    this.#watch = watch;
    this.#events = events;
  }

  put(queue: Priority | "log", from: PID | undefined, payload: unknown): boolean {
    if (payload instanceof MessageDown) {
      this.#events.onEnded(this.#watch, from as PID, payload.reason);
      return true;
    }
    if (!(payload instanceof Envelope) || payload.kind !== "event") return false;
    return this.#events.onEvent(this.#watch, queue as Priority, payload.from, payload.payload as MessageEvent);
  }

  /** It watches no more. */
  end(): void {
    this.state = "terminated";
    purge(this);
  }
}
