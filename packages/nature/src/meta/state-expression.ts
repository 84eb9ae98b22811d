import { natureError } from "../errors.ts";
import { placeOf, placeText } from "./place.ts";

/**
 * The states of a meta, as an expression:
 *
 *   list := item { "," item } ;  item := unit { "|" unit } ;  unit := name [ "[" list "]" ]
 *
 * `,` lists independent states, `|` makes alternatives that exclude each other, `name[...]` groups. Only names without
 * brackets are states that an instance can have. Blanks around names are dropped; names hold any characters but `,|[]` and are unique in
 * the whole expression, groups included.
 */

/** A name, and what it groups. */
export interface StateUnit {
  readonly name: string;
  /** Undefined = a state. */
  readonly group: readonly StateItem[] | undefined;
}

/** One unit, or several that exclude each other. */
export type StateItem = readonly StateUnit[];

/** A parsed expression. */
export type StateList = readonly StateItem[];

/** Deeper brackets are refused, so that no expression can exhaust the stack. */
const MAX_DEPTH = 100;
const SPECIAL = /[,|[\]]/;

/** Parses an expression; blank text has no states. @throws meta.syntax – `details.line` and `details.column` count from 1, in characters */
export function parseStates(text: string): StateList {
  return text.trim() === "" ? [] : new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #names = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): StateList {
    const list = this.#list(0);
    if (this.#at < this.#text.length) throw this.#error(this.#at, "] closes no bracket");
    return list;
  }

  #list(depth: number): StateList {
    if (depth > MAX_DEPTH) throw this.#error(this.#at - 1, `brackets are nested deeper than ${MAX_DEPTH}`);
    const items: StateItem[] = [];
    do items.push(this.#item(depth));
    while (this.#takes(","));
    return items;
  }

  #item(depth: number): StateItem {
    const units: StateUnit[] = [];
    do units.push(this.#unit(depth));
    while (this.#takes("|"));
    return units;
  }

  #unit(depth: number): StateUnit {
    const { name, start } = this.#name();
    if (!this.#takes("[")) return { name, group: undefined };
    const group = this.#list(depth + 1);
    if (!this.#takes("]")) throw this.#error(this.#at, `the bracket of ${name} (${this.#place(start)}) is not closed`);
    this.#skipBlanks();
    const next = this.#text[this.#at];
    if (next !== undefined && !SPECIAL.test(next)) throw this.#error(this.#at, "expected , | or ] behind a bracket");
    return { name, group };
  }

  #name(): { name: string; start: number } {
    this.#skipBlanks();
    const start = this.#at;
    while (this.#at < this.#text.length && !SPECIAL.test(this.#text[this.#at] as string)) this.#at++;
    const name = this.#text.slice(start, this.#at).trim();
    if (name === "") throw this.#error(start, "expected the name of a state");
    if (name.includes("\0") || !name.isWellFormed()) throw this.#error(start, "the name holds what no database can store");
    const before = this.#names.get(name);
    if (before !== undefined) throw this.#error(start, `${name} stands at ${this.#place(before)} already`);
    this.#names.set(name, start);
    return { name, start };
  }

  #takes(char: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #place(at: number): string {
    return placeText(placeOf(this.#text, at));
  }

  #error(at: number, what: string): Error {
    const text = `states ${JSON.stringify(this.#text)}, ${this.#place(at)}: ${what}`;
    return natureError("meta.syntax", text, { details: { ...placeOf(this.#text, at) } });
  }
}

/** The expression of a list, in its one spelling. */
export function printStates(list: StateList): string {
  return list.map((item) => item.map(printUnit).join("|")).join(",");
}

function printUnit({ name, group }: StateUnit): string {
  return group === undefined ? name : `${name}[${printStates(group)}]`;
}
