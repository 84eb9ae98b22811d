import { matchesGlob } from "node:path";
import { coreError } from "../errors.ts";
import type { NodeCard } from "./card.ts";

/**
 * Which nodes are meant: `region=eu & type=a.x`, `path=/root/eu/** | !(version<2.0)`.
 *
 * A term is a key, alone (it is there) or compared: `=` and `!=` with globs (`*`, `?`, in paths also `**`), `<` `<=` `>` `>=` by number
 * or, where one of the two is none, by version. `&` (or `,`) binds before `|`; `!` and parentheses as usual; a value with odd letters
 * stands in double quotes. Keys: `id` `name` `path` `version` `state` `type` (what it handles, `order.price` or `order.price@2`),
 * `fact.<name>`, and the names of labels, plain or as `label.<name>` where one is called like a key.
 */
export interface Selector {
  /** As it was written. */
  readonly text: string;
  matches(card: NodeCard): boolean;
}

type Test = (card: NodeCard) => boolean;

/** Operators, the longer first so that `<=` is not read as `<`. */
const OPERATORS = ["!=", "<=", ">=", "=", "<", ">"] as const;
type Operator = (typeof OPERATORS)[number];

/** Everything. */
export const EVERY: Selector = { text: "", matches: () => true };

/** Reads a selector. An empty text means every node. @throws {MetanodeError} message.invalid – says where */
export function parseSelector(text: string): Selector {
  if (text.trim() === "") return EVERY;
  const reader = new Reader(text);
  const matches = reader.either();
  reader.end();
  return { text, matches };
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  either(): Test {
    const tests = [this.#both()];
    while (this.#take("|")) tests.push(this.#both());
    return tests.length === 1 ? (tests[0] as Test) : (card) => tests.some((test) => test(card));
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#error("the end, & or |");
  }

  #both(): Test {
    const tests = [this.#not()];
    while (this.#take("&") || this.#take(",")) tests.push(this.#not());
    return tests.length === 1 ? (tests[0] as Test) : (card) => tests.every((test) => test(card));
  }

  #not(): Test {
    let negative = false;
    while (this.#take("!")) negative = !negative;
    const test = this.#operand();
    return negative ? (card) => !test(card) : test;
  }

  #operand(): Test {
    if (!this.#take("(")) return this.#term();
    const test = this.either();
    if (!this.#take(")")) throw this.#error(")");
    return test;
  }

  #term(): Test {
    this.#space();
    const key = /^[A-Za-z_][\w.-]*/.exec(this.#text.slice(this.#at))?.[0];
    if (key === undefined) throw this.#error("a key such as region, type or path");
    this.#at += key.length;
    const valuesOf = reading(key);
    const operator = OPERATORS.find((one) => this.#take(one));
    if (operator === undefined) return (card) => valuesOf(card).length > 0;
    return comparing(valuesOf, operator, this.#value());
  }

  #value(): string {
    this.#space();
    const rest = this.#text.slice(this.#at);
    const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(rest);
    const found = quoted ?? /^[^\s&|,()!<>="]+/.exec(rest);
    if (found === null) throw this.#error("a value");
    this.#at += found[0].length;
    return quoted ? (quoted[1] ?? "").replace(/\\(.)/g, "$1") : found[0];
  }

  #take(token: string): boolean {
    this.#space();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #space(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }

  #error(expected: string): Error {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text.slice(this.#at, this.#at + 20)) : "nothing more";
    return coreError(
      "message.invalid",
      `selector ${JSON.stringify(this.#text)}: ${found} at ${this.#at + 1}, expected ${expected}`,
      {
        details: { path: "selector", at: this.#at + 1, expected },
      },
    );
  }
}

type Values = (card: NodeCard) => readonly (string | number)[];

function reading(key: string): Values {
  switch (key) {
    case "id":
    case "name":
    case "path":
    case "version":
      return (card) => [card[key]];
    case "state":
      return (card) => [card.maintenance?.state ?? "active"];
    case "type":
      // With and without the version, so that either can be asked for.
      return (card) => card.types.flatMap((type) => [type, type.slice(0, type.lastIndexOf("@"))]);
    default:
  }
  if (key.startsWith("fact.")) return (card) => present(card.facts[key.slice(5)]);
  const label = key.startsWith("label.") ? key.slice(6) : key;
  return (card) => present(Object.hasOwn(card.labels, label) ? card.labels[label] : undefined);
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function comparing(valuesOf: Values, operator: Operator, expected: string): Test {
  const isEqual = equalTo(expected);
  if (operator === "=") return (card) => valuesOf(card).some(isEqual);
  if (operator === "!=") return (card) => !valuesOf(card).some(isEqual);
  const fits: (order: number) => boolean = {
    "<": (order: number) => order < 0,
    "<=": (order: number) => order <= 0,
    ">": (order: number) => order > 0,
    ">=": (order: number) => order >= 0,
  }[operator];
  return (card) => valuesOf(card).some((value) => fits(compare(value, expected)));
}

function equalTo(expected: string): (value: string | number) => boolean {
  if (!/[*?]/.test(expected)) return (value) => String(value) === expected;
  return (value) => matchesGlob(String(value), expected);
}

/** By number where both are numbers, else part by part as versions are. */
function compare(found: string | number, expected: string): number {
  const [left, right] = [Number(found), Number(expected)];
  if (found !== "" && !Number.isNaN(left) && !Number.isNaN(right)) return left - right;
  return String(found).localeCompare(expected, "en", { numeric: true });
}
