/** What a link tells whoever listens. */
export interface LinkEvents {
  /** A batch arrived, in the order of sending. Its bytes are the listener's: nobody changes them any more. */
  onBatch(batch: Uint8Array): void;
  /** There is room again, after a {@link Link.send} that gave false. */
  onDrain(): void;
  /** No more will come, either way. Called once. The error with which the other side ended it may not come along. */
  onClosed(error?: Error): void;
}

/**
 * Joins two kernels: carries batches of bytes both ways, in order, neither losing nor doubling one while it is open. It
 * knows nothing of what stands in them.
 *
 * Implementations: memory (below), gRPC (`@metanode/actors/grpc`), and whatever passes `linkConformance`
 * (`@metanode/actors/testing/link`).
 */
export interface Link {
  /** Largest batch that it carries, in bytes. */
  readonly maxBatchBytes: number;
  /**
   * Whether nobody but this program, this user, or someone who has proved himself can be at the other end. Over any other
   * link kernels speak only if they share a cookie.
   */
  readonly isTrusted: boolean;
  /** Sets who listens, in place of who listened before. What nobody has heard yet is delivered then. */
  listen(events: LinkEvents): void;
  /** Sends a batch, whose bytes must not be changed afterwards. False: no more, please, before {@link LinkEvents.onDrain}. */
  send(batch: Uint8Array): boolean;
  /** Ends the link. Without an error what was sent before still arrives. Idempotent. */
  close(error?: Error): void;
}

/** Whoever listens to a link. What comes before somebody does is told then, in order. */
export class Ears {
  #events: LinkEvents | undefined;
  #early: ((events: LinkEvents) => void)[] = [];

  listen(events: LinkEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const tell of early) this.tell(tell);
  }

  tell(tell: (events: LinkEvents) => void): void {
    if (this.#events === undefined) this.#early.push(tell);
    else tell(this.#events);
  }
}

/** Batches under way in one direction of a memory link before it says that it is full. */
const MEMORY_WINDOW = 64;
const MEMORY_BATCH_BYTES = 64 * 1024 * 1024;

class MemoryLink implements Link {
  readonly maxBatchBytes = MEMORY_BATCH_BYTES;
  readonly isTrusted = true;
  #peer: MemoryLink | undefined;
  readonly #ears = new Ears();
  #underWay = 0;
  #isFull = false;
  #isClosed = false;

  join(peer: MemoryLink): void {
    this.#peer = peer;
  }

  listen(events: LinkEvents): void {
    this.#ears.listen(events);
  }

  send(batch: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#underWay++;
    if (this.#underWay >= MEMORY_WINDOW) this.#isFull = true;
    setImmediate(() => this.#peer?.receive(batch));
    return !this.#isFull;
  }

  receive(batch: Uint8Array): void {
    if (this.#isClosed) return;
    this.#ears.tell((events) => {
      this.#peer?.taken();
      events.onBatch(batch);
    });
  }

  /** The other side has taken a batch. */
  taken(): void {
    this.#underWay--;
    if (!this.#isFull || this.#underWay > MEMORY_WINDOW / 2 || this.#isClosed) return;
    this.#isFull = false;
    setImmediate(() => {
      if (!this.#isClosed) this.#ears.tell((events) => events.onDrain());
    });
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    setImmediate(() => {
      this.#peer?.end(error);
      this.#ears.tell((events) => events.onClosed(error));
    });
  }

  end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ears.tell((events) => events.onClosed(error));
  }
}

/** Two joined ends in one process. What passes is bytes, so nothing is shared. */
export function createMemoryLinks(): [Link, Link] {
  const left = new MemoryLink();
  const right = new MemoryLink();
  left.join(right);
  right.join(left);
  return [left, right];
}
