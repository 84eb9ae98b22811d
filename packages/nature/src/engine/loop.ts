import { natureError } from "../errors.ts";
import { idOfOutput } from "../instance/hash.ts";
import type { Instance } from "../instance/instance.ts";
import { PARA_SEPARATOR } from "../instance/instance.ts";
import { LOOP_FINISHED, LOOP_ID, LOOP_NEXT, LOOP_TASK } from "../instance/sys-context.ts";
import type { LoadedMeta } from "../meta/meta.ts";
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

/** The number of the pass that begins from an upstream, counted from 1: one more than stands in an instance of the loop. */
export function passNumber({ meta }: LoadedMeta, upstream: Pick<Instance, "meta" | "sysContext">): number {
  if (upstream.meta !== meta) return 1;
  const text = upstream.sysContext[LOOP_ID] ?? "";
  if (/^\d{1,15}$/.test(text)) return Number(text) + 1;
  throw natureError(
    "executor.logic",
    `${LOOP_ID} of an instance of ${meta} is ${JSON.stringify(text)}, expected the number of its pass`,
  );
}

/** What a pass stores, made of what its executor gave. @throws executor.logic @source spec of the workflow model, §6.3 */
export function afterPass(pass: Pass, placed: readonly Placed[]): Placed[] {
  const { target, upstream, working } = pass;
  const isOnlyOne = target.meta.settings.onlyOne === true;
  if (Object.hasOwn(working, LOOP_FINISHED)) {
    const isLast = isOnlyOne && upstream.meta === target.meta.meta;
    const n = passNumber(target.meta, upstream);
    return placed.map((one, index) => {
      const para = isLast ? withoutPass(one.para, n) : one.para;
      // The number of its pass was all that its para said, and nothing else tells it from the results of other loops.
      const isBare = one.id === "0" && para === "";
      const id = isBare ? idOfOutput({ from: upstream, to: `${target.meta.meta} ${one.meta}`, index }) : one.id;
      return { ...one, id, para, sysContext: withoutLoop(one.sysContext) };
    });
  }
  const only = placed.length === 1 ? placed[0] : undefined;
  if (isOnlyOne && only !== undefined) return [carrier(pass, only)];
  const { id, para } = upstream;
  const empty: Placed = { meta: target.meta.meta, id, para, version: 0, output: {}, sysContext: {} };
  return [...placed.map((one) => ({ ...one, sysContext: withoutLoop(one.sysContext) })), carrier(pass, empty)];
}

/** An executor may give back what it got; what a loop knows of itself is no matter of those that come out of it. */
function withoutLoop(sysContext: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { [LOOP_ID]: _id, [LOOP_NEXT]: _next, [LOOP_FINISHED]: _finished, [LOOP_TASK]: _task, ...rest } = sysContext;
  return rest;
}

/** The L instance that stands between two passes. */
function carrier({ target, mission, upstream, working }: Pass, base: Placed): Placed {
  const n = passNumber(target.meta, upstream);
  const own = n === 1 ? base.para : withoutPass(upstream.para, n);
  const next = working[LOOP_NEXT];
  return {
    ...base,
    meta: target.meta.meta,
    id: upstream.id,
    para: own === "" ? String(n) : `${own}${PARA_SEPARATOR}${n}`,
    sysContext: {
      ...withoutLoop(base.sysContext),
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
