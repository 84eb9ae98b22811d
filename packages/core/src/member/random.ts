/** A source of numbers in [0, 1), as `Math.random` is one. */
export type Random = () => number;

/**
 * The same numbers for the same seed, so that a test or a simulation can be run again exactly. Not for secrets.
 * @source mulberry32 by Tommy Ettinger, public domain
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number in [0, count). */
export function randomBelow(random: Random, count: number): number {
  return Math.floor(random() * count);
}
