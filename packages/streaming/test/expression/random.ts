/** A seeded generator of numbers below `bound` (mulberry32), so that a run can be repeated. */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

const OPERATORS = [";", "||", ";", "||", "+"];
const SPACES = ["", " ", " ", "\n", "\t "];

/** A random sound expression over some names, each used once, with brackets and white space in odd places. */
export function randomExpression(random: (bound: number) => number, names: readonly string[]): string {
  if (names.length === 1) return random(4) === 0 ? `(${names[0]})` : String(names[0]);
  let text = "";
  for (let at = 0; at < names.length; ) {
    const left = names.length - at;
    const take = 1 + random(random(2) === 0 ? 1 : at === 0 ? left - 1 : left);
    const operand = randomExpression(random, names.slice(at, at + take));
    const space = (): string => SPACES[random(SPACES.length)] ?? "";
    const isBare = take === 1 || random(3) === 0;
    text += `${at === 0 ? "" : `${space()}${OPERATORS[random(OPERATORS.length)]}${space()}`}${isBare ? operand : `(${operand})`}`;
    at += take;
  }
  return text;
}
