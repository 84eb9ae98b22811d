import type { ExecutorSpec } from "../relation/relation.ts";

/** Remembers which executors answer at once. */
export class Prompt {
  readonly #known = new Set<string>();

  /** What is known of one from its last answer. */
  has({ protocol, url }: ExecutorSpec): boolean {
    return protocol === "auto" || this.#known.has(`${protocol} ${url}`);
  }

  learn({ protocol, url }: ExecutorSpec, isPrompt: boolean): void {
    const name = `${protocol} ${url}`;
    if (isPrompt) this.#known.add(name);
    else this.#known.delete(name);
  }
}
