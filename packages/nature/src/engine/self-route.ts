import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import type { Output, SelfRoute, SelfRouteConverter } from "../executor/executor.ts";
import { checkData, checkPara, type DataLimits } from "../instance/check.ts";
import { idOfOutput } from "../instance/hash.ts";
import type { Instance } from "../instance/instance.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString, metaTypeOf, NULL_META } from "../meta/meta-string.ts";
import { checkExecutor } from "../relation/loaded.ts";
import type { Mission } from "../relation/mission.ts";
import type { PlannedMission } from "../relation/missions.ts";
import { inTrace } from "./outputs.ts";

/**
 * Self routes: an instance of a D meta that carries its own ways on, in place of relations.
 *
 *  D1. What routes itself is of type D and has no states; where it goes is of type D or N, so that no dynamic way leads back into
 *      declared ones by itself.
 *  D2. Its identity is the engine's to give: from what it says, or from its upstream, unless it has a para.
 */

/** What routed instances are made of. */
export interface RouteGround {
  readonly catalog: Catalog;
  readonly upstream: Instance;
  /** The meta that the relation leads to; for instances that name none. */
  readonly to: MetaString;
  readonly limits: DataLimits;
  readonly nowMs: number;
}

/** The instances that an executor routes itself, each with its missions. @throws executor.logic, relation.invalid, instance.* */
export function routedInstances(
  ground: RouteGround,
  routes: readonly SelfRoute[],
): { readonly instance: Instance; readonly missions: readonly PlannedMission[] }[] {
  return routes.map(({ instance: output, converters }, index) => {
    const meta = routedMeta(ground.catalog, canonicalMeta(output.meta ?? ground.to));
    const instance = instanceOf(ground, meta, output, index);
    return { instance, missions: routeMissions(instance, converters, ground.nowMs) };
  });
}

/** A meta whose instances may route themselves. @throws executor.logic, meta.unknown */
export function routedMeta(catalog: Catalog, meta: MetaString): LoadedMeta {
  if (metaTypeOf(meta) !== "D") {
    throw natureError("executor.logic", `an instance of ${meta} cannot route itself; that is for metas of type D`, {
      details: { meta },
    });
  }
  const loaded = catalog.meta(meta);
  if (!loaded.isStateful) return loaded;
  throw natureError("executor.logic", `an instance of ${meta} cannot route itself, because the meta has states`, {
    details: { meta },
  });
}

/** The ways of an instance, as missions. @throws executor.logic, relation.invalid */
export function routeMissions(instance: Instance, converters: readonly SelfRouteConverter[], nowMs: number): PlannedMission[] {
  if (converters.length === 0) throw natureError("executor.logic", "a self route needs at least one converter");
  const targets = new Set<MetaString>();
  return converters.map(({ to, executor, useUpstreamId = false, delayMs = 0 }, at) => {
    const target = targetOf(to);
    if (target !== NULL_META && targets.has(target)) {
      throw natureError("executor.logic", `two converters lead to ${target}; there is one way from an instance to a meta`);
    }
    targets.add(target);
    checkExecutor(`converters[${at}].executor`, executor);
    const mission: Mission = {
      to: target,
      executor,
      before: [],
      after: [],
      downSelector: undefined,
      target: {},
      useUpstreamId,
      idBridge: false,
      delayMs,
      sysContext: instance.sysContext,
    };
    return { mission, dueMs: nowMs + delayMs };
  });
}

/** The bare key of a D meta, or the whole of a meta-string. */
function targetOf(to: string | undefined): MetaString {
  if (to === undefined) return NULL_META;
  const meta = canonicalMeta(to.includes(":") ? to : `D:${to}:1`);
  if (meta === NULL_META || metaTypeOf(meta) === "D") return meta;
  throw natureError("executor.logic", `a self route leads to ${meta}; it may lead to metas of type D and N only`, {
    details: { meta },
  });
}

function instanceOf({ upstream, limits, nowMs }: RouteGround, meta: LoadedMeta, output: Output, index: number): Instance {
  const { content = "", sysContext = {}, para = "" } = output;
  const context = inTrace(upstream, output.context);
  if (output.states !== undefined && output.states.length > 0) {
    throw natureError("instance.state", `${meta.meta} has no states, given were ${output.states.join(", ")}`);
  }
  checkPara(meta, para);
  const data = { content, context, sysContext, states: [] };
  checkData(meta, data, limits);
  const from = { meta: upstream.meta, id: upstream.id, para: upstream.para, version: upstream.version };
  const id = para === "" ? idOfOutput({ from, to: meta.meta, index }) : "0";
  return { meta: meta.meta, id, para, version: 0, ...data, from, createdMs: Math.floor(nowMs) };
}
