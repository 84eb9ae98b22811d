import { type Clock, coreError } from "@metanode/core";
import type { FastifyInstance } from "fastify";

/** Tokens and addresses that are counted at a time. */
const MAX_KEYS = 10_000;

/**
 * Lets each token make so many requests a second in a scope; without a token, each address. Who has been quiet for a second may
 * make as many at once. Loaded by whoever sets a limit; nobody else pays for it.
 */
export async function limitRates(scope: FastifyInstance, perSecond: number, clock: Clock): Promise<void> {
  if (perSecond === 0) return;
  const { default: rateLimit } = await import("@fastify/rate-limit");
  const buckets = new Buckets(perSecond, () => clock.now());
  await scope.register(rateLimit, {
    max: perSecond,
    timeWindow: 1_000,
    enableDraftSpec: true,
    store: function Store() {
      return { incr: buckets.take.bind(buckets), child: () => buckets };
    } as never,
    // An address is no name of a token.
    keyGenerator: ({ identity, ip }) => identity?.name ?? `at ${ip}`,
    errorResponseBuilder: ({ identity, ip }, { ttl }) =>
      coreError(
        "call.resource_exhausted",
        `${identity?.name ?? ip} has made more than ${perSecond} requests within a second; wait, or raise listen.rateLimit`,
        { retryAfterMs: ttl },
      ),
  });
}

interface Bucket {
  left: number;
  atMs: number;
}

/** A bucket for each key, filled in a second: what is left in it may be used at once. */
export class Buckets {
  readonly #size: number;
  readonly #now: () => number;
  readonly #byKey = new Map<string, Bucket>();

  constructor(perSecond: number, now: () => number) {
    this.#size = perSecond;
    this.#now = now;
  }

  /** Takes one; `current` is over the size where there is none, and `ttl` says when there is, or when it is full again. */
  take(key: string, done: (error: null, result: { current: number; ttl: number }) => void): void {
    const bucket = this.#filled(key);
    const isLeft = bucket.left >= 1;
    if (isLeft) bucket.left--;
    const missing = isLeft ? this.#size - bucket.left : 1 - bucket.left;
    const current = isLeft ? this.#size - Math.floor(bucket.left) : this.#size + 1;
    done(null, { current, ttl: Math.ceil((missing / this.#size) * 1_000) });
  }

  #filled(key: string): Bucket {
    const atMs = this.#now();
    const bucket = this.#byKey.get(key);
    if (bucket !== undefined) {
      bucket.left = Math.min(this.#size, bucket.left + (Math.max(0, atMs - bucket.atMs) / 1_000) * this.#size);
      bucket.atMs = atMs;
      return bucket;
    }
    if (this.#byKey.size >= MAX_KEYS) this.#forget(atMs);
    const made = { left: this.#size, atMs };
    this.#byKey.set(key, made);
    return made;
  }

  /** After a second every bucket is full, as one that is made anew is. */
  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#byKey) if (nowMs - atMs >= 1_000) this.#byKey.delete(key);
    if (this.#byKey.size >= MAX_KEYS) this.#byKey.clear();
  }
}
