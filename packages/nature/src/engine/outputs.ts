import { natureError } from "../errors.ts";
import type { Output } from "../executor/executor.ts";
import { checkData, type DataLimits } from "../instance/check.ts";
import type { Instance } from "../instance/instance.ts";
import { LOOP_ID } from "../instance/sys-context.ts";
import type { FaultHook } from "./fault.ts";
import { afterPass } from "./loop.ts";
import { andThen, type Maybe } from "./maybe.ts";
import { type Ground, nextStates, type Placed, place, type Target } from "./target.ts";

/** What instances are made of. */
export interface Batch extends Ground {
  readonly target: Target;
  readonly outputs: readonly Output[];
  /** The engine's context of the upstream after the filters. */
  readonly working: Readonly<Record<string, string>>;
  /** The last version of a line. */
  readonly latest: (placed: Placed) => Maybe<Instance | undefined>;
  readonly limits: DataLimits & { readonly maxPasses: number };
  readonly nowMs: number;
  readonly fault: FaultHook | undefined;
}

/**
 * The instances that outputs become: identity, version, states, context.
 * @throws executor.logic, instance.* – what the executor gave does not fit
 */
export function toInstances(batch: Batch): Maybe<readonly Instance[]> {
  const { target, outputs } = batch;
  const placed = outputs.map((output, index) => place(batch, target, output, index));
  batch.fault?.("task.placed");
  if (target.meta.isStateful) return stateful(batch, placed);
  return (target.meta.type === "L" ? pass(batch, placed) : placed).map((one) => instanceOf(batch, one, 0, []));
}

function pass({ target, mission, upstream, working, limits, fault }: Batch, placed: readonly Placed[]): Placed[] {
  const all = afterPass({ target, mission, upstream, working }, placed);
  fault?.("task.loop");
  const carrier = all.find(({ meta }) => meta === target.meta.meta);
  const passes = Number(carrier?.sysContext[LOOP_ID] ?? 0);
  if (limits.maxPasses > 0 && passes > limits.maxPasses) {
    throw natureError("executor.logic", `the loop ${target.meta.meta} is not finished after ${limits.maxPasses} passes`, {
      details: { meta: target.meta.meta, maxPasses: limits.maxPasses },
    });
  }
  return all;
}

function stateful(batch: Batch, placed: readonly Placed[]): Maybe<readonly Instance[]> {
  const { mission, target } = batch;
  const only = placed[0];
  if (only === undefined) return [];
  if (placed.length > 1) {
    throw natureError(
      "executor.logic",
      `the executor gave ${placed.length} instances, a meta with states (${target.meta.meta}) takes one`,
    );
  }
  return andThen(batch.latest(only), (last) => {
    const states = nextStates(mission, target.meta, only.output, last);
    batch.fault?.("task.version");
    return [instanceOf(batch, only, (last?.version ?? 0) + 1, states)];
  });
}

/** What is made of an instance belongs to the same trace, unless its executor has said another one. */
export function inTrace(upstream: Instance, given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const { traceparent } = upstream.context;
  return traceparent === undefined || given.traceparent !== undefined ? given : { ...given, traceparent };
}

function instanceOf(
  { upstream, limits, nowMs, catalog }: Batch,
  placed: Placed,
  version: number,
  states: readonly string[],
): Instance {
  const { meta, id, para, output, sysContext } = placed;
  const { content = "" } = output;
  const context = inTrace(upstream, output.context);
  const from = { meta: upstream.meta, id: upstream.id, para: upstream.para, version: upstream.version };
  const createdMs = Math.floor(nowMs);
  const instance = { meta, id, para, version, content, context, sysContext, states, from, createdMs };
  checkData(catalog.meta(meta), instance, limits);
  return instance;
}
