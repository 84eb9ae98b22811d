import { actorError } from "../errors.ts";

interface Entry<T> {
  readonly value: T;
  /** Who may; undefined = everybody but {@link denied}. */
  allowed: Set<string> | undefined;
  readonly denied: Set<string>;
}

/** What other nodes may ask for by name, and which of them. */
export class AccessTable<T> {
  readonly #what: string;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(what: string) {
    this.#what = what;
  }

  /**
   * Lets `nodes` have it, besides those who may already; without `nodes` everybody.
   * @throws actor.name_taken – the name stands for something else
   */
  enable(name: string, value: T, nodes?: readonly string[]): void {
    if (name === "") throw actorError("actor.incorrect", `${this.#what} needs a name`);
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#entries.set(name, { value, allowed: nodes && new Set(nodes), denied: new Set() });
      return;
    }
    if (entry.value !== value) throw actorError("actor.name_taken", `${this.#what} ${name} is enabled as something else`);
    if (nodes === undefined) {
      entry.allowed = undefined;
      entry.denied.clear();
    }
    for (const node of nodes ?? []) {
      entry.allowed?.add(node);
      entry.denied.delete(node);
    }
  }

  /**
   * Takes it from `nodes`, without `nodes` from everybody. When the last of a list is gone nobody may.
   * @throws actor.name_unknown
   */
  disable(name: string, nodes?: readonly string[]): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw this.#unknown(name);
    if (nodes === undefined) this.#entries.delete(name);
    for (const node of nodes ?? []) {
      if (entry.allowed === undefined) entry.denied.add(node);
      else entry.allowed.delete(node);
    }
  }

  /** What stands behind a name, for a node. @throws actor.name_unknown, actor.not_allowed */
  get(name: string, node: string): T {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw this.#unknown(name);
    const mayHave = entry.allowed === undefined ? !entry.denied.has(node) : entry.allowed.has(node);
    if (!mayHave) throw actorError("actor.not_allowed", `node ${node} may not have ${this.#what} ${name}`);
    return entry.value;
  }

  #unknown(name: string): Error {
    return actorError("actor.name_unknown", `${this.#what} ${name} is not enabled here`);
  }
}
