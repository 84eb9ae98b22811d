import { nearest } from "@metanode/core/internal";
import { byBytes } from "../byte-order.ts";
import { natureError } from "../errors.ts";
import { parseStates, type StateList } from "./state-expression.ts";

/** A branch of an exclusive set: which set, and which of its alternatives. */
interface Branch {
  readonly set: number;
  readonly alternative: number;
}

/** Two states of which the later one won. */
export interface StateConflict {
  readonly winner: string;
  readonly loser: string;
}

/** A set of states after a change, and what exclusivity took away. */
export interface ResolvedStates {
  /** In the order of the input. */
  readonly states: readonly string[];
  readonly conflicts: readonly StateConflict[];
}

/**
 * What a meta's states allow. Two states exclude each other when they lie in different alternatives of one exclusive set,
 * at whatever depth. The later of two wins, against all that it excludes.
 */
export class StateRules {
  readonly list: StateList;
  /** By state: the branches that it lies in, outermost first. */
  readonly #branches = new Map<string, readonly Branch[]>();
  readonly #groups = new Set<string>();
  #sets = 0;

  constructor(list: StateList) {
    this.list = list;
    this.#index(list, []);
  }

  /** The states that an instance can have, in the order of the expression. */
  get names(): string[] {
    return [...this.#branches.keys()];
  }

  /** Whether it is a state that an instance can have. */
  has(name: string): boolean {
    return this.#branches.has(name);
  }

  /** Whether two states exclude each other. @throws instance.state – one is no state */
  excludes(a: string, b: string): boolean {
    const other = this.#of(b);
    return this.#of(a).some(({ set, alternative }) =>
      other.some((branch) => branch.set === set && branch.alternative !== alternative),
    );
  }

  /** Takes states in their order, each against those before it. @throws instance.state – a name is no state */
  resolve(names: readonly string[]): ResolvedStates {
    const held = new Set<string>();
    const conflicts: StateConflict[] = [];
    for (const name of names) {
      this.#of(name);
      for (const other of held) {
        if (!this.excludes(name, other)) continue;
        held.delete(other);
        conflicts.push({ winner: name, loser: other });
      }
      held.add(name);
    }
    return { states: [...held], conflicts };
  }

  /** A set of states as it may be stored: known, without exclusion, sorted. @throws instance.state */
  check(names: readonly string[]): string[] {
    const { conflicts } = this.resolve(names);
    const first = conflicts[0];
    if (first !== undefined) {
      throw natureError("instance.state", `the states ${first.loser} and ${first.winner} exclude each other; give one of them`, {
        details: { states: [...names], conflicts: conflicts.map(({ winner, loser }) => [winner, loser]) },
      });
    }
    return [...new Set(names)].sort(byBytes);
  }

  /**
   * `from` without `remove` and with `add`, which wins where it excludes. What `from` holds that the meta no longer knows is
   * dropped: states may have been taken out of the meta since.
   * @throws instance.state – `add` names no state
   */
  change(from: readonly string[], add: readonly string[], remove: readonly string[]): string[] {
    const kept = from.filter((name) => this.has(name) && !remove.includes(name));
    return [...this.resolve([...kept, ...add]).states].sort(byBytes);
  }

  #of(name: string): readonly Branch[] {
    const found = this.#branches.get(name);
    if (found !== undefined) return found;
    const near = nearest(name, this.names);
    const hint = near === undefined ? `known are ${this.names.join(", ") || "none"}` : `did you mean ${near}?`;
    const what = this.#groups.has(name) ? "groups states and is none itself" : "is no state of the meta";
    throw natureError("instance.state", `${JSON.stringify(name)} ${what}; ${hint}`, {
      details: { state: name, known: this.names },
    });
  }

  #index(list: StateList, above: readonly Branch[]): void {
    for (const item of list) {
      const set = item.length > 1 ? this.#sets++ : undefined;
      for (const [alternative, { name, group }] of item.entries()) {
        const branches = set === undefined ? above : [...above, { set, alternative }];
        if (group === undefined) this.#branches.set(name, branches);
        else {
          this.#groups.add(name);
          this.#index(group, branches);
        }
      }
    }
  }
}

/** The rules of an expression. @throws meta.syntax */
export function stateRules(expression: string): StateRules {
  return new StateRules(parseStates(expression));
}
