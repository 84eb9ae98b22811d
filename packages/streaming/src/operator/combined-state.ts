import type { StateChange } from "../delivery/progress.ts";
import type { StageState } from "../stage/stage.ts";

/** Several things that a stage keeps as one, each under a name of its own, which has no space in it. */
export class CombinedState implements StageState {
  readonly #parts: Readonly<Record<string, StageState>>;
  readonly #onRestored: (() => void) | undefined;

  constructor(parts: Readonly<Record<string, StageState>>, onRestored?: () => void) {
    this.#parts = parts;
    this.#onRestored = onRestored;
  }

  restore(entries: ReadonlyMap<string, string>): void {
    for (const [name, part] of Object.entries(this.#parts)) {
      const own = [...entries].filter(([key]) => key.startsWith(`${name} `));
      part.restore(new Map(own.map(([key, value]) => [key.slice(name.length + 1), value])));
    }
    this.#onRestored?.();
  }

  changes(): Omit<StateChange, "stage">[] {
    return Object.entries(this.#parts).flatMap(([name, part]) =>
      part.changes().map(({ key, value }) => ({ key: `${name} ${key}`, value })),
    );
  }
}
