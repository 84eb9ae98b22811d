import { nearest } from "@metanode/core/internal/options";
import type { GraphIssue } from "./form.ts";
import { shown } from "./issues.ts";

/** Reads one place of a document whose shape nobody has checked. Goes on after a fault, so that all are found at once. */
export class Reader {
  readonly issues: GraphIssue[];
  readonly path: string;
  readonly #node: string | undefined;

  constructor(issues: GraphIssue[], path = "", node?: string) {
    this.issues = issues;
    this.path = path;
    this.#node = node;
  }

  /** The place below this one: a key, or an index. */
  at(key: string | number): Reader {
    const step = typeof key === "number" ? `[${key}]` : /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    return new Reader(this.issues, this.path === "" ? step.replace(/^\./, "") : this.path + step, this.#node);
  }

  /** This place, known to be a part of a node: its faults name the node. */
  of(node: string): Reader {
    return new Reader(this.issues, this.path, node);
  }

  /** Says what was found here, and what was expected. */
  fault(kind: GraphIssue["kind"], found: unknown, expected: string): void {
    const where = this.path === "" ? "the document" : this.path;
    this.say(kind, `${where}${this.#nodeText()} is ${shown(found)}, expected ${expected}`);
  }

  /** Says that a list has nothing in it. */
  empty(expected: string): void {
    this.say("bad-value", `${this.path}${this.#nodeText()} is empty, expected ${expected}`);
  }

  /** Says something about this place in words of its own. */
  say(kind: GraphIssue["kind"], message: string, more: Partial<GraphIssue> = {}): void {
    this.issues.push({
      kind,
      message,
      ...(this.#node === undefined ? {} : { node: this.#node }),
      ...(this.path === "" ? {} : { path: this.path }),
      ...more,
    });
  }

  /** A text that is not empty. */
  text(given: unknown): string {
    if (typeof given === "string" && given !== "" && !given.includes("\0")) return given;
    this.fault("bad-value", given, "a text that is not empty");
    return "";
  }

  /** A text of a certain pattern, that `expected` puts in words; absent when it is not. */
  matching(given: unknown, pattern: RegExp, expected: string): string | undefined {
    if (typeof given === "string" && pattern.test(given)) return given;
    this.fault("bad-name", given, expected);
    return undefined;
  }

  list<T>(given: unknown, read: (reader: Reader, item: unknown, index: number) => T): T[] {
    if (Array.isArray(given)) return given.map((item: unknown, index) => read(this.at(index), item, index));
    this.fault("bad-value", given, "a list");
    return [];
  }

  /** Complains about keys that nobody reads: a misspelt setting would be no setting. */
  onlyKeys(given: object, known: readonly string[]): void {
    for (const key of Object.keys(given)) {
      if (known.includes(key)) continue;
      const near = key.length > 64 ? undefined : nearest(key, known);
      const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
      const { path } = this.at(key);
      this.say("bad-form", `${path}${this.#nodeText()} is not a known key; ${hint}`, {
        path,
        ...(near === undefined ? {} : { suggestion: near }),
      });
    }
  }

  #nodeText(): string {
    return this.#node === undefined ? "" : ` (node ${this.#node})`;
  }
}

/** Whether a value is an object with keys: no list and not null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
