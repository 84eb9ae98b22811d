import { coreError } from "@metanode/core/errors";

/**
 * Proof that what a source handed over has reached every sink.
 *
 *  R1. A receipt is settled once its last hold is released; then it tells, once.
 *  R2. Whoever passes records on to n takers holds n times; whoever is done with records releases once.
 *  R3. A failure releases nothing. Records whose receipt never settles are read again.
 *
 * One receipt stands for a whole batch of a source, so that counting costs nothing per record.
 */
export class Receipt {
  #holds = 1;
  readonly #onSettled: () => void;

  /** Made with one hold, its maker's. */
  constructor(onSettled: () => void) {
    this.#onSettled = onSettled;
  }

  get isSettled(): boolean {
    return this.#holds === 0;
  }

  /** Keeps the receipt open for one more taker. */
  hold(): void {
    if (this.#holds === 0) throw coreError("core.internal", "a settled receipt was held again");
    this.#holds++;
  }

  /** Gives one hold back. */
  release(): void {
    if (this.#holds === 0) throw coreError("core.internal", "a settled receipt was released again");
    if (--this.#holds === 0) this.#onSettled();
  }
}

/**
 * One receipt for what was made of several: it takes over one hold of each of them and gives them back when it is settled.
 * For outputs of which nobody knows to which input they belong.
 */
export function jointReceipt(receipts: readonly Receipt[]): Receipt {
  return new Receipt(() => {
    for (const receipt of receipts) receipt.release();
  });
}
