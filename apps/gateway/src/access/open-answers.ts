import type { Clock, Timer } from "@metanode/core";
import type { Identity } from "./roles.ts";

/** Answers that go on, such as feeds: each ends when the token that it was asked for with is revoked or expires. */
export class OpenAnswers {
  readonly #clock: Clock;
  readonly #byName = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has `end` called when `identity` counts no more; what it returns says that the answer has ended by itself. */
  hold({ name, expiresMs }: Identity, end: () => void): () => void {
    const ends = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, ends.add(end));
    let timer: Timer | undefined;
    if (expiresMs !== undefined) timer = this.#clock.setTimer(expiresMs - this.#clock.now(), end);
    return () => {
      timer?.cancel();
      ends.delete(end);
      if (ends.size === 0 && this.#byName.get(name) === ends) this.#byName.delete(name);
    };
  }

  /** Ends all of one name. */
  end(name: string): void {
    for (const end of [...(this.#byName.get(name) ?? [])]) end();
  }
}
