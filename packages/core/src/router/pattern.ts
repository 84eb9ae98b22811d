import { coreError } from "../errors.ts";

/**
 * Patterns of message types, as in NATS subjects: `*` stands for one word, `>` at the end for one or more.
 * `order.*` matches `order.price`; `order.>` also matches `order.price.eu`.
 */
export interface TypePattern {
  readonly text: string;
  readonly words: readonly string[];
}

/** Whether the text is a pattern and not one exact type. */
export function isPattern(text: string): boolean {
  return text.includes("*") || text.includes(">");
}

/** @throws {MetanodeError} config.invalid – an empty word, or `*` or `>` inside a word or `>` before the end. */
export function parsePattern(text: string): TypePattern {
  const words = text.split(".");
  words.forEach((word, index) => {
    const isWild = word === "*" || (word === ">" && index === words.length - 1);
    if (word === "" || (!isWild && /[*>\s]/.test(word))) {
      throw coreError(
        "config.invalid",
        `${JSON.stringify(text)} is no pattern of types: word ${index + 1} is ${JSON.stringify(word)}; expected words, *, or > at the end, joined by dots`,
        { details: { pattern: text } },
      );
    }
  });
  return { text, words };
}

/** Whether `type` matches. */
export function matchesPattern(pattern: TypePattern, type: string): boolean {
  const words = type.split(".");
  for (let index = 0; index < pattern.words.length; index++) {
    const expected = pattern.words[index];
    if (expected === ">") return words.length > index;
    if (index >= words.length || (expected !== "*" && expected !== words[index])) return false;
  }
  return words.length === pattern.words.length;
}

/** Orders patterns so that the more exact comes first: word by word, a literal before `*` before `>`. */
export function comparePatterns(a: TypePattern, b: TypePattern): number {
  for (let index = 0; index < Math.max(a.words.length, b.words.length); index++) {
    const difference = rank(a.words[index]) - rank(b.words[index]);
    if (difference !== 0) return difference;
  }
  return a.text < b.text ? -1 : Number(a.text > b.text);
}

function rank(word: string | undefined): number {
  if (word === undefined) return 3;
  if (word === ">") return 2;
  return word === "*" ? 1 : 0;
}
