import { AssertionError } from "node:assert";
import type { Alias, PID } from "../identity/index.ts";
import { type Action, actionText, isMeant, type NameOf, type Operation, type Pattern, patternText } from "./actions.ts";

/** How many actions an error prints at most. */
const SHOWN = 50;

interface Waiting {
  readonly isIt: (action: Action) => boolean;
  readonly found: (action: Action) => void;
  readonly ended: (by: PID | Alias) => void;
}

/** Everything that was done on a stage, in order. */
export class Journal {
  readonly actions: Action[] = [];
  readonly nameOf: NameOf;
  readonly #waiting = new Set<Waiting>();

  constructor(nameOf: NameOf) {
    this.nameOf = nameOf;
  }

  add(action: Action): void {
    this.actions.push(action);
    for (const waiting of [...this.#waiting]) if (waiting.isIt(action)) waiting.found(action);
  }

  /** Whoever waits for something of `by` need not wait any more. */
  ended(by: PID | Alias): void {
    for (const waiting of [...this.#waiting]) waiting.ended(by);
  }

  /** The actions that are meant; `by` undefined = of anybody. */
  find<K extends Operation>(by: PID | Alias | undefined, kind: K, pattern: Pattern<K> = {}): Action<K>[] {
    return this.actions.filter((action) => isOf(action, by) && action.kind === kind && isMeant(action, pattern)) as Action<K>[];
  }

  /** @throws AssertionError – it was done another number of times; without a number, never. */
  expect<K extends Operation>(by: PID | Alias | undefined, kind: K, pattern: Pattern<K>, times?: number): Action<K>[] {
    const found = this.find(by, kind, pattern);
    if (times === undefined ? found.length > 0 : found.length === times) return found;
    const wanted = times === undefined ? "at least once" : timesText(times);
    const who = by === undefined ? "somebody" : this.nameOf(by);
    const head = `expected ${who} to ${kind}${patternText(pattern, this.nameOf)} ${wanted}, it did so ${timesText(found.length)}`;
    throw new AssertionError({ message: `${head}\n${this.text(by)}`, actual: found.length, expected: times ?? 1 });
  }

  /** The first action that is meant, also of the past. Rejects if `by` ends without it. */
  until<K extends Operation>(by: PID | Alias, kind: K, pattern: Pattern<K> = {}): Promise<Action<K>> {
    const [past] = this.find(by, kind, pattern);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        isIt: (action) => isOf(action, by) && action.kind === kind && isMeant(action, pattern),
        found: (action) => {
          this.#waiting.delete(waiting);
          resolve(action as Action<K>);
        },
        ended: (gone) => {
          if (gone !== by) return;
          this.#waiting.delete(waiting);
          const head = `${this.nameOf(by)} ended before it did ${kind}${patternText(pattern, this.nameOf)}`;
          reject(new AssertionError({ message: `${head}\n${this.text(by)}` }));
        },
      };
      this.#waiting.add(waiting);
    });
  }

  /** What was done, one line each. */
  text(by?: PID | Alias): string {
    const all = this.actions.filter((action) => isOf(action, by));
    if (all.length === 0) return "it did nothing";
    const lines = all.slice(-SHOWN).map((action) => `  ${actionText(action, this.nameOf)}`);
    if (all.length > SHOWN) lines.unshift(`  (${all.length - SHOWN} before these)`);
    return ["what it did:", ...lines].join("\n");
  }
}

function isOf(action: Action, by: PID | Alias | undefined): boolean {
  return by === undefined || action.by === by;
}

function timesText(times: number): string {
  if (times === 0) return "never";
  return times === 1 ? "once" : `${times} times`;
}
