import { coreError } from "@metanode/core";
import type { FastifyInstance } from "fastify";

/**
 * Lets each token make so many requests a second in a scope; without a token, each address. Counts begin anew every
 * second. Loaded by whoever sets a limit; nobody else pays for it.
 */
export async function limitRates(scope: FastifyInstance, perSecond: number): Promise<void> {
  if (perSecond === 0) return;
  const { default: rateLimit } = await import("@fastify/rate-limit");
  await scope.register(rateLimit, {
    max: perSecond,
    timeWindow: 1_000,
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
