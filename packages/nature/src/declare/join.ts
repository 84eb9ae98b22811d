import { isDeepStrictEqual } from "node:util";
import { coreError } from "@metanode/core/errors";
import type { Declarations } from "../catalog/catalog.ts";
import { relationName } from "../catalog/normal.ts";
import { natureError } from "../errors.ts";
import type { LocalExecutor } from "../executor/local.ts";
import { checked, type Flow } from "./flow.ts";

/** Several flows as one: what a node is given. */
export type JoinedFlows = Declarations & Pick<Flow, "executors">;

/**
 * Puts flows together. What several declare alike, for example a meta that one took over from another, is there once.
 * @throws meta.exists, relation.exists, config.invalid – two flows use one name for different things
 */
export function joinFlows(...flows: readonly JoinedFlows[]): JoinedFlows {
  const metas = unite(
    flows.flatMap((flow) => flow.metas),
    ({ meta }) => meta,
    (name) => natureError("meta.exists", `two flows declare meta ${name} differently`, { details: { meta: name } }),
  );
  const relations = unite(
    flows.flatMap((flow) => flow.relations),
    relationName,
    (name) => natureError("relation.exists", `two flows declare relation ${name} differently`),
  );
  const executors: Record<string, LocalExecutor> = {};
  for (const [name, one] of flows.flatMap((flow) => Object.entries(flow.executors))) {
    if (Object.hasOwn(executors, name) && executors[name] !== one) {
      throw coreError("config.invalid", `two flows have different executors named ${name}; rename one`, {
        details: { path: name },
      });
    }
    executors[name] = one;
  }
  return { ...checked({ metas, relations }), executors };
}

function unite<T>(all: readonly T[], nameOf: (one: T) => string, clash: (name: string) => Error): T[] {
  const found = new Map<string, T>();
  for (const one of all) {
    const name = nameOf(one);
    const other = found.get(name);
    if (other !== undefined && !isDeepStrictEqual(other, one)) throw clash(name);
    found.set(name, other ?? one);
  }
  return [...found.values()];
}
