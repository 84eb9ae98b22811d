import { coreError } from "@metanode/core/errors";
import { Ears, type Link, type LinkEvents } from "./link.ts";

/** What a link sends, each answered when it was taken. */
export type Step = { readonly kind: "batch"; readonly bytes: Uint8Array } | { readonly kind: "end"; readonly reason: string };

/** Gets a step to the other end, in whatever order; resolves when it was taken there, rejects when it cannot be known. */
export type Carry = (sequence: number, step: Step) => Promise<unknown>;

/** Batches under way in one direction. */
const WINDOW = 64;

/**
 * A link over messages that are answered one by one, and may overtake each other on their way.
 *
 * L1. Steps carry numbers, and are heard in the order of those; a batch that is not known to have come ends the link.
 * L2. An answer says that a step came, not that it was heard: the window bounds what is under way.
 */
export class RoutedLink implements Link {
  readonly maxBatchBytes: number;
  /** Nodes of a tree have proved themselves to their neighbours. */
  readonly isTrusted = true;
  readonly #carry: Carry;
  readonly #onEnded: () => void;
  readonly #ears = new Ears();
  #sent = 0;
  #underWay = 0;
  #isFull = false;
  #isClosed = false;
  #heard = 0;
  readonly #early = new Map<number, Step>();

  constructor(options: { readonly maxBatchBytes: number; readonly carry: Carry; readonly onEnded: () => void }) {
    this.maxBatchBytes = options.maxBatchBytes;
    this.#carry = options.carry;
    this.#onEnded = options.onEnded;
  }

  listen(events: LinkEvents): void {
    this.#ears.listen(events);
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#underWay++;
    this.#carry(++this.#sent, { kind: "batch", bytes }).then(
      () => this.#taken(),
      (error: Error) => this.ended(error),
    );
    this.#isFull = this.#underWay >= WINDOW;
    return !this.#isFull;
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.ended(error);
    // Whoever does not hear of it notices at its own next batch.
    this.#carry(++this.#sent, { kind: "end", reason: error?.message ?? "" }).catch(() => undefined);
  }

  /** A step came from the other end. */
  receive(sequence: number, step: Step): void {
    if (sequence > this.#heard) this.#early.set(sequence, step);
    for (let next = this.#next(); next !== undefined && !this.#isClosed; next = this.#next()) this.#hear(next);
  }

  /** No more can come or go. */
  ended(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#early.clear();
    this.#onEnded();
    this.#ears.tell((events) => events.onClosed(error));
  }

  #next(): Step | undefined {
    const step = this.#early.get(this.#heard + 1);
    if (step !== undefined) this.#early.delete(++this.#heard);
    return step;
  }

  #hear(step: Step): void {
    if (step.kind === "batch") this.#ears.tell((events) => events.onBatch(step.bytes));
    else this.ended(step.reason === "" ? undefined : coreError("node.unreachable", step.reason));
  }

  #taken(): void {
    this.#underWay--;
    if (!this.#isFull || this.#underWay > WINDOW / 2 || this.#isClosed) return;
    this.#isFull = false;
    this.#ears.tell((events) => events.onDrain());
  }
}
