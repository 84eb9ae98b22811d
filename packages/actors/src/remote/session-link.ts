import { coreError } from "@metanode/core/errors";
import type { Session } from "@metanode/core/internal";
import { Ears, type Link, type LinkEvents } from "./link.ts";

/** The type of the messages that carry batches. */
export const BATCH_TYPE = "metanode.actors.batch";
/** Batches under way in one direction: full ones make 4 MiB, which is what the flow control of the stream lets pass. */
export const WINDOW = 64;
/** Largest batch. The stream below takes 64 MiB, with envelopes and other frames. */
export const MAX_BATCH_BYTES = 48 * 1024 * 1024;
/** How a message is cast over a session: see `link.proto`. */
const CAST = 2;
const NO_LIMIT = { deadlineMs: Number.MAX_SAFE_INTEGER };

function nothing(): void {
  // The end of the session is told by itself.
}

/**
 * A link over a session of core, which may carry other calls as well. A batch is a cast whose reply says that it was taken,
 * so the credit of the session is what bounds the batches under way. Whoever owns the session hands it the messages of type
 * {@link BATCH_TYPE} and tells it of credit and of the end.
 */
export class SessionLink implements Link {
  readonly maxBatchBytes = MAX_BATCH_BYTES;
  readonly isTrusted: boolean;
  #session: Session | undefined;
  readonly #ears = new Ears();
  #isFull = false;
  #isClosed = false;

  constructor(options: { isTrusted: boolean }) {
    this.isTrusted = options.isTrusted;
  }

  /** The session stands. */
  open(session: Session): void {
    this.#session = session;
  }

  listen(events: LinkEvents): void {
    this.#ears.listen(events);
  }

  send(batch: Uint8Array): boolean {
    const session = this.#session;
    if (this.#isClosed || session === undefined) return true;
    session.call({ id: "", source: "", type: BATCH_TYPE, data: batch }, NO_LIMIT, CAST).catch(nothing);
    this.#isFull = session.credit <= 0;
    return !this.#isFull;
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.ended(error);
    this.#session?.close(error === undefined ? undefined : coreError("node.unreachable", error.message, { cause: error }));
  }

  /** A call of type {@link BATCH_TYPE} came. */
  receive(data: unknown): void {
    if (!(data instanceof Uint8Array)) throw coreError("message.invalid", `${BATCH_TYPE} carries bytes`);
    if (!this.#isClosed) this.#ears.tell((events) => events.onBatch(data));
  }

  /** The session has credit. */
  credit(): void {
    // Half of the window at once: a batch for each credit would keep the batches small.
    if (!this.#isFull || (this.#session?.credit ?? 0) < WINDOW / 2) return;
    this.#isFull = false;
    this.#ears.tell((events) => events.onDrain());
  }

  /** The session has ended. */
  ended(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ears.tell((events) => events.onClosed(error));
  }
}
