import { coreError } from "./errors.ts";

/**
 * Small checks for options objects, so that every package refuses a bad value in the same words.
 * All throw `config.invalid` with `details.path`.
 */

function refuse(path: string, found: unknown, expected: string): never {
  const shown = typeof found === "string" ? JSON.stringify(found) : String(found);
  throw coreError("config.invalid", `${path} is ${shown}, expected ${expected}`, { details: { path, expected } });
}

/** A whole number within bounds, both included. */
export function intWithin(path: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  return refuse(
    path,
    value,
    max === Number.MAX_SAFE_INTEGER ? `a whole number of ${min} or more` : `a whole number from ${min} to ${max}`,
  );
}

/** A string that is not empty. */
export function textOf(path: string, value: unknown): string {
  return typeof value === "string" && value !== "" ? value : refuse(path, value, "a non-empty string");
}

/** Refuses keys that nobody knows, and names the nearest known one. */
export function rejectUnknownKeys(path: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const where = path === "" ? key : `${path}.${key}`;
    const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
    throw coreError("config.invalid", `${where} is not a known setting; ${hint}`, {
      details: { path: where, known: [...known], ...(near === undefined ? {} : { suggestion: near }) },
    });
  }
}

/** The known word that `word` is most likely a misspelling of: at most a third of its letters differ. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

/** Letters to insert, drop, change or swap with their neighbour (optimal string alignment distance), row by row. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? (beforePrevious[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution, swap));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
