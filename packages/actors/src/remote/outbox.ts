import type { Writer } from "./codec/writer.ts";
import type { Link } from "./link.ts";

/** A batch of this size leaves without waiting for the end of the turn. */
const FLUSH_BYTES = 64 * 1024;
/** What a batch may hold beside its largest message. */
export const BATCH_SLACK_BYTES = 2 * FLUSH_BYTES;

/**
 * What leaves for one node.
 *
 *  O1. Frames leave in the order in which they were written, one batch per turn of the event loop, or earlier a full one.
 *  O2. While there is no link, or the link is full, batches wait here. Over `maxBytes` of them {@link isFull} says so, and
 *      whoever can be told is told instead of writing.
 */
export class Outbox {
  readonly writer: Writer;
  messages = 0;
  bytes = 0;
  readonly #maxBytes: number;
  #link: Link | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isBlocked = false;
  #isArmed = false;
  #isClosed = false;

  constructor(writer: Writer, maxBytes: number) {
    this.writer = writer;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait. */
  get waitingBytes(): number {
    return this.#queuedBytes + this.writer.at;
  }

  get isFull(): boolean {
    return this.#queuedBytes + this.writer.at > this.#maxBytes;
  }

  /** The link stands: what waits leaves. */
  attach(link: Link): void {
    this.#link = link;
    this.drain();
  }

  /** The link has room again. */
  drain(): void {
    this.#isBlocked = false;
    while (this.#canSend && this.#queue.length > 0) {
      const batch = this.#queue.shift() as Uint8Array;
      this.#queuedBytes -= batch.byteLength;
      this.#send(batch);
    }
    this.#flush();
  }

  /** A frame was written. */
  wrote(): void {
    this.messages++;
    if (this.writer.at >= FLUSH_BYTES) this.#cut();
    else if (!this.#isArmed) {
      this.#isArmed = true;
      setImmediate(this.#turn);
    }
  }

  /** Sends what the link takes now; nothing leaves afterwards. */
  close(): void {
    this.#flush();
    this.#isClosed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  get #canSend(): boolean {
    return this.#link !== undefined && !this.#isBlocked && !this.#isClosed;
  }

  readonly #turn = (): void => {
    this.#isArmed = false;
    this.#flush();
  };

  #flush(): void {
    if (this.writer.at > 0 && this.#canSend) this.#cut();
  }

  #cut(): void {
    const batch = this.writer.take();
    if (this.#canSend) this.#send(batch);
    else if (!this.#isClosed) {
      this.#queue.push(batch);
      this.#queuedBytes += batch.byteLength;
    }
  }

  #send(batch: Uint8Array): void {
    this.bytes += batch.byteLength;
    if (this.#link?.send(batch) === false) this.#isBlocked = true;
  }
}
