import { nearest } from "@metanode/core/internal";
import { optionalFlag, optionalList, optionalObject, optionalText, optionalTexts, refuse } from "../shape.ts";
import type { Notes } from "./nature-note.ts";

/**
 * Spellings of older versions whose meaning is not certain, or gone. Nature ignores them, and so would whoever reads their settings today.
 * @source spec of the workflow model, §3.1
 */
const STALE = new Set(["copy_para", "upstream_para", "context_name", "conflict_avoid"]);

/** The members of a JSON object of Nature's, of which each is asked for by its name; what nobody asked for is told. */
export class Members {
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #asked = new Set<string>();
  readonly #notes: Notes;

  /** @throws config.invalid – it is no object */
  constructor(given: unknown, path: string, notes: Notes) {
    this.#given = optionalObject(path === "" ? "settings" : path, given) ?? {};
    this.#path = path;
    this.#notes = notes;
  }

  text(name: string): string | undefined {
    return optionalText(this.path(name), this.any(name)) || undefined;
  }

  flag(name: string): boolean {
    return optionalFlag(this.path(name), this.any(name)) ?? false;
  }

  texts(name: string): readonly string[] | undefined {
    const texts = optionalTexts(this.path(name), this.any(name));
    return texts?.length === 0 ? undefined : texts;
  }

  list(name: string): readonly unknown[] {
    return optionalList(this.path(name), this.any(name)) ?? [];
  }

  whole(name: string): number | undefined {
    const value = this.any(name) ?? undefined;
    return value === undefined || Number.isSafeInteger(value)
      ? (value as number | undefined)
      : refuse(this.path(name), value, "a whole number");
  }

  /** Exactly two whole numbers. */
  pair(name: string): readonly [number, number] | undefined {
    const value = this.any(name) ?? undefined;
    if (value === undefined) return undefined;
    const [one, other, more] = Array.isArray(value) ? value : [];
    return Number.isSafeInteger(one) && Number.isSafeInteger(other) && more === undefined
      ? [one, other]
      : refuse(this.path(name), value, "two whole numbers");
  }

  object(name: string): Members {
    return new Members(this.any(name), this.path(name), this.#notes);
  }

  any(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#given, name) ? this.#given[name] : undefined;
  }

  path(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  /** Tells of what nobody asked for. */
  end(): void {
    for (const name of Object.keys(this.#given)) if (!this.#asked.has(name)) this.#unknown(name);
  }

  #unknown(name: string): void {
    if (STALE.has(name)) {
      this.#notes.add("lost", this.path(name), "is a spelling of older versions, which Nature ignores; look up what it was for");
      return;
    }
    const near = nearest(name, [...this.#asked]);
    this.#notes.add("lost", this.path(name), `is not known${near === undefined ? "" : `; did you mean ${near}?`}`);
  }
}
