import { natureError } from "../errors.ts";
import type { ExecutorSpec, Protocol } from "../relation/relation.ts";
import type { Executor, ExecutorResolver } from "./executor.ts";

/** Executors by protocol. */
export type Resolvers = Partial<Record<Protocol, ExecutorResolver>>;

/** Finds the executor of a specification. @throws executor.unknown */
export function executorOf(resolvers: Resolvers, { protocol, url }: ExecutorSpec): Executor {
  const resolver = resolvers[protocol];
  if (resolver === undefined) {
    throw natureError(
      "executor.unknown",
      `nothing here runs executors of protocol ${protocol}; set it up, or use ${Object.keys(resolvers).join(", ")}`,
      {
        details: { protocol, url },
      },
    );
  }
  return resolver.resolve(url);
}
