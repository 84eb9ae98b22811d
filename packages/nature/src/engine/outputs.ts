import { natureError } from "../errors.ts";
import type { Output } from "../executor/executor.ts";
import { checkData, type DataLimits } from "../instance/check.ts";
import type { Instance } from "../instance/instance.ts";
import { afterPass } from "./loop.ts";
import { type Ground, nextStates, type Placed, place, type Target } from "./target.ts";

/** What instances are made of. */
export interface Batch extends Ground {
  readonly target: Target;
  readonly outputs: readonly Output[];
  /** The engine's context of the upstream after the filters. */
  readonly working: Readonly<Record<string, string>>;
  /** The last version of a line. */
  readonly latest: (placed: Placed) => Promise<Instance | undefined>;
  readonly limits: DataLimits;
  readonly nowMs: number;
}

/** The instances that outputs become: identity, version, states, context. @throws executor.logic, instance.* – what the executor gave does not fit */
export async function toInstances(batch: Batch): Promise<Instance[]> {
  const { target, outputs, mission, upstream, working } = batch;
  const placed = outputs.map((output, index) => place(batch, target, output, index));
  if (target.meta.isStateful) return stateful(batch, placed);
  const all = target.meta.type === "L" ? afterPass({ target, mission, upstream, working }, placed) : placed;
  return all.map((one) => instanceOf(batch, one, 0, []));
}

async function stateful(batch: Batch, placed: readonly Placed[]): Promise<Instance[]> {
  const { mission, target } = batch;
  const only = placed[0];
  if (only === undefined) return [];
  if (placed.length > 1) {
    throw natureError(
      "executor.logic",
      `the executor gave ${placed.length} instances, a meta with states (${target.meta.meta}) takes one`,
    );
  }
  const last = await batch.latest(only);
  const states = nextStates(mission, target.meta, only.output, last);
  return [instanceOf(batch, only, (last?.version ?? 0) + 1, states)];
}

function instanceOf(
  { upstream, limits, nowMs, catalog }: Batch,
  placed: Placed,
  version: number,
  states: readonly string[],
): Instance {
  const { meta, id, para, output, sysContext } = placed;
  const data = { content: output.content ?? "", context: output.context ?? {}, sysContext, states };
  checkData(catalog.meta(meta), data, limits);
  const from = { meta: upstream.meta, id: upstream.id, para: upstream.para, version: upstream.version };
  return { meta, id, para, version, ...data, from, createdMs: Math.floor(nowMs) };
}
