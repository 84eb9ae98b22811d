import { natureError } from "../errors.ts";
import type { Instance } from "../instance/instance.ts";
import { PARA_SEPARATOR } from "../instance/instance.ts";
import type { Mission } from "../relation/mission.ts";
import type { Placed, Target } from "./target.ts";

/**
 * Loops: a target of type L is done again and again, each pass beginning from what the last one left, until `loop.finished` stands in the
 * engine's context of the upstream after its filters.
 *
 *  O1. Every pass but the last stores one instance of the L meta, whose only mission is the same one again.
 *  O2. Passes are numbered from 1; the number is the last part of the para of the L instance.
 *  O3. With `onlyOne` the L instance is the running result, and the last pass turns it into the member meta.
 */

export const LOOP_ID = "loop.id";
export const LOOP_NEXT = "loop.next";
export const LOOP_FINISHED = "loop.finished";
export const LOOP_TASK = "loop.task";

/** One pass of a loop. */
export interface Pass {
  readonly target: Target;
  readonly mission: Mission;
  /** As stored. */
  readonly upstream: Instance;
  /** The engine's context after the filters. */
  readonly working: Readonly<Record<string, string>>;
}

/** The running result that the executor of a pass goes on from. */
export function runningResult({ meta }: Target, upstream: Instance): Instance | undefined {
  return meta.type === "L" && meta.settings.onlyOne === true && upstream.meta === meta.meta ? upstream : undefined;
}

/** The number of a pass, from 1. */
export function passNumber({ sysContext }: Pick<Instance, "sysContext">): number {
  return Number(sysContext[LOOP_ID] ?? 0) + 1;
}

/** What a pass stores, made of what its executor gave. @throws executor.logic @source spec of the workflow model, §6.3 */
export function afterPass(pass: Pass, placed: readonly Placed[]): Placed[] {
  const { target, upstream, working } = pass;
  const isOnlyOne = target.meta.settings.onlyOne === true;
  if (Object.hasOwn(working, LOOP_FINISHED)) {
    const isLast = isOnlyOne && upstream.meta === target.meta.meta;
    return placed.map((one) => (isLast ? { ...one, para: withoutPass(one.para, passNumber(upstream)) } : one));
  }
  const only = placed.length === 1 ? placed[0] : undefined;
  if (isOnlyOne && only !== undefined) return [carrier(pass, only)];
  const empty: Placed = { ...upstream, meta: target.meta.meta, version: 0, output: {}, sysContext: {} };
  return [...placed, carrier(pass, empty)];
}

/** The L instance that stands between two passes. */
function carrier({ target, mission, upstream, working }: Pass, base: Placed): Placed {
  const n = passNumber(upstream);
  const own = n === 1 ? base.para : withoutPass(upstream.para, n);
  const next = working[LOOP_NEXT];
  return {
    ...base,
    meta: target.meta.meta,
    id: upstream.id,
    para: own === "" ? String(n) : `${own}${PARA_SEPARATOR}${n}`,
    sysContext: {
      ...base.sysContext,
      [LOOP_ID]: String(n),
      ...(next === undefined ? {} : { [LOOP_NEXT]: next }),
      [LOOP_TASK]: JSON.stringify(mission),
    },
  };
}

/** A para without the number of the pass before pass `n`. */
export function withoutPass(para: string, n: number): string {
  if (n <= 1) return para;
  const digits = String(n - 1).length;
  if (para.length < digits)
    throw natureError("executor.logic", `para ${JSON.stringify(para)} is shorter than the number of its pass, ${n - 1}`);
  return para.slice(0, Math.max(0, para.length - digits - 1));
}

/** The mission of a stored L instance: the one that made it, with the context that it has by now. */
export function nextPass(mission: Mission, carrierContext: Readonly<Record<string, string>>): Mission {
  const { [LOOP_TASK]: _own, ...sysContext } = carrierContext;
  return { ...mission, sysContext: { ...mission.sysContext, ...sysContext } };
}
