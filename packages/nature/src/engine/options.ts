import { type Clock, systemClock } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";

/** How an engine works. */
export interface EngineOptions {
  /** Conversions at a time. @default 64 */
  concurrency?: number;
  /** Tasks that are kept in memory; more wait in the database until there is room. @default 10_000 */
  maxOwned?: number;
  /** Longest run of an executor or filter whose relation sets no other, in milliseconds. @default 30_000 */
  executorTimeoutMs?: number;
  /** Tries of a task before it is one that failed. @default 6 */
  maxAttempts?: number;
  /** Wait before the second try, in milliseconds; doubles with every further one, up to an hour. @default 5_000 */
  backoffMs?: number;
  /** Part of a wait that is left to chance, 0 to 1, so that what failed together is not tried again together. @default 0.2 */
  jitter?: number;
  /** How long an engine that does not say that it lives keeps its tasks, in milliseconds. @default 30_000 */
  leaseMs?: number;
  /** How often the database is asked for due tasks that others put there, in milliseconds. @default 1_000 */
  pollMs?: number;
  /** Longest content of an instance, in bytes. @default 65_535 */
  maxContentBytes?: number;
  /** Longest context of an instance, user's and engine's each, as JSON in bytes. @default 65_535 */
  maxContextBytes?: number;
  /** Passes of a loop after which it is one that failed; 0 = any number. @default 0 */
  maxPasses?: number;
  /**
   * Steps that may be run ahead of the disk, where functions of this process answer at once: they are stored together with what they were made
   * from, and a crash before that repeats them all. 0 = each step is on the disk before the next one begins. @default 16
   */
  maxAhead?: number;
  /** Instances that can be put in together. @default 10_000 */
  maxBatch?: number;
  /** How long a key is remembered as stored for metas with `cacheSaved`, in milliseconds. @default 90_000 */
  savedTtlMs?: number;
  /** @default the machine's */
  clock?: Clock;
  /** Chance of the jitter: from 0 to 1. @default Math.random */
  random?: () => number;
}

/** The options with their defaults. */
export type ResolvedEngineOptions = Readonly<Required<EngineOptions>>;

const KNOWN: readonly (keyof EngineOptions)[] = [
  "concurrency",
  "maxOwned",
  "executorTimeoutMs",
  "maxAttempts",
  "backoffMs",
  "jitter",
  "leaseMs",
  "pollMs",
  "maxContentBytes",
  "maxContextBytes",
  "maxPasses",
  "maxAhead",
  "maxBatch",
  "savedTtlMs",
  "clock",
  "random",
];

function fraction(path: string, value: number): number {
  if (value >= 0 && value <= 1) return value;
  throw coreError("config.invalid", `${path} is ${value}, expected a number from 0 to 1`, { details: { path } });
}

/** @throws config.invalid */
export function resolveEngineOptions(given: EngineOptions = {}): ResolvedEngineOptions {
  rejectUnknownKeys("engine", given, KNOWN);
  const int = (name: keyof EngineOptions, preset: number, min = 1): number =>
    intWithin(`engine.${name}`, given[name] ?? preset, min);
  return Object.freeze({
    concurrency: int("concurrency", 64),
    maxOwned: int("maxOwned", 10_000),
    executorTimeoutMs: int("executorTimeoutMs", 30_000),
    maxAttempts: int("maxAttempts", 6),
    backoffMs: int("backoffMs", 5_000, 0),
    jitter: fraction("engine.jitter", given.jitter ?? 0.2),
    leaseMs: int("leaseMs", 30_000),
    pollMs: int("pollMs", 1_000),
    maxContentBytes: int("maxContentBytes", 65_535),
    maxContextBytes: int("maxContextBytes", 65_535),
    maxPasses: int("maxPasses", 0, 0),
    maxAhead: int("maxAhead", 16, 0),
    maxBatch: int("maxBatch", 10_000),
    savedTtlMs: int("savedTtlMs", 90_000),
    clock: given.clock ?? systemClock,
    random: given.random ?? Math.random,
  });
}

/** However often a task was tried, an hour later is soon enough. */
const MAX_BACKOFF_MS = 3_600_000;

/** The wait before try number `attempts` + 1, in milliseconds. @source spec of the workflow model, §8.3 */
export function backoffOf({ backoffMs, jitter, random }: ResolvedEngineOptions, attempts: number): number {
  const base = Math.min(backoffMs * 2 ** Math.max(0, attempts - 1), Math.max(backoffMs, MAX_BACKOFF_MS));
  return Math.round(base * (1 + jitter * (random() - 0.5)));
}
