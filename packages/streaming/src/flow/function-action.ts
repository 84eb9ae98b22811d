import { intWithin } from "@metanode/core/internal/options";
import type { StageFunction } from "../stage/answer.ts";
import { resolveFailurePolicy } from "../stage/failure.ts";
import { FunctionStage } from "../stage/function-stage.ts";
import type { Action } from "../stage/stage.ts";
import { iterableSource } from "./iterable-source.ts";

/** Records that may wait in a stage for asynchronous answers. */
const MAX_WAITING = 10_000;

/** A function as an action: for nodes that are fed. */
export function functionAction<In, Out>(call: StageFunction<In, Out>): Action {
  return {
    stage: (host) =>
      new FunctionStage(call as StageFunction, host, {
        policy: resolveFailurePolicy(host.node),
        concurrency: intWithin("concurrency", host.node.concurrency ?? 16, 1),
        maxWaiting: MAX_WAITING,
      }),
  };
}

/** What makes an iterable as an action: for nodes that begin. It is made anew for each run, and has to give the same again. */
export function iterableAction(make: () => Iterable<unknown> | AsyncIterable<unknown>): Action {
  return { source: () => iterableSource(make) };
}
