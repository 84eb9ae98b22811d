/*
 * A child that comes and goes.
 *
 * Q1. The life of a link is short if the link broke within {@link STABLE_BEATS} beats of its attachment: its process died, or it spoke
 *     what nobody understands. One that was ended in order, or lasted longer, is none.
 * Q2. After {@link QUARANTINE_AFTER} short lives in a row the child is in quarantine: nothing is handed to it, or to what is below it, by
 *     type. Whoever names it, by path, by id or in a for-all, reaches it while its link stands; so do all orders of its manager.
 * Q3. A quarantine ends after its time, or when somebody approves the child again. Ended by time it leaves one try: the next short life
 *     begins another. A link that lasts, or an approval, clears the slate.
 * Q4. Nothing is stored: a manager that was started again judges anew.
 */

export const STABLE_BEATS = 5;
export const QUARANTINE_AFTER = 5;

/** How long the links with one child have lasted. */
export class LinkLives {
  #shortLives = 0;
  #sinceMs: number | undefined;
  #isQuarantined = false;

  get isQuarantined(): boolean {
    return this.#isQuarantined;
  }

  /** In a row, up to now. */
  get shortLives(): number {
    return this.#shortLives;
  }

  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** Counts a link's end; gives true if a quarantine begins with it. */
  end(nowMs: number, { isBroken, stableMs }: { isBroken: boolean; stableMs: number }): boolean {
    if (this.#sinceMs === undefined) return false;
    const isShort = isBroken && nowMs - this.#sinceMs < stableMs;
    this.#sinceMs = undefined;
    this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    if (this.#isQuarantined || this.#shortLives < QUARANTINE_AFTER) return false;
    this.#isQuarantined = true;
    return true;
  }

  /** The quarantine is over by its time. */
  release(): void {
    this.#isQuarantined = false;
  }

  /** Somebody has approved of the child again. */
  forgive(): void {
    this.#isQuarantined = false;
    this.#shortLives = 0;
  }
}
