import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import type { Output } from "../executor/executor.ts";
import { checkPara } from "../instance/check.ts";
import { idOfOutput } from "../instance/hash.ts";
import { checkId } from "../instance/id.ts";
import type { Instance, InstanceId, Locator } from "../instance/instance.ts";
import { appendPara, pickPara } from "../instance/para.ts";
import { DYNAMIC_PARA, TARGET_ID, TARGET_PARA } from "../instance/sys-context.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import type { Mission } from "../relation/mission.ts";
import { parseDynamic } from "../relation/missions.ts";

/** What is known of a target before its executor has run. Undefined = what the executor says. */
export interface Target {
  readonly meta: LoadedMeta;
  readonly id: InstanceId | undefined;
  readonly para: string | undefined;
  /** The part of the upstream's para that is appended; empty = none. */
  readonly picked: string;
}

/** Everything that a target's identity depends on. */
export interface Ground {
  readonly catalog: Catalog;
  readonly mission: Mission;
  readonly upstream: Instance;
}

/** Where the outputs of a mission go. @throws meta.unknown, instance.invalid @source spec of the workflow model, §1.6 and §3.4 */
export function resolveTarget({ catalog, mission, upstream }: Ground): Target {
  const meta = catalog.meta(mission.to);
  const indexes = mission.target.appendPara ?? [];
  const { picked } = pickPara(upstream.para, indexes);
  const isUpstreams = mission.useUpstreamId || meta.settings.master === upstream.meta;
  if (!meta.isStateful) return { meta, id: isUpstreams ? upstream.id : undefined, para: undefined, picked };
  const named = mission.sysContext[TARGET_ID];
  const id =
    named === undefined
      ? (siblingId(catalog, mission, meta, upstream) ?? (isUpstreams ? upstream.id : undefined))
      : checkId(named);
  const para = indexes.length > 0 ? picked : mission.sysContext[TARGET_PARA];
  return { meta, id, para, picked };
}

/** Without an executor, the siblings of one master share its id. */
function siblingId(catalog: Catalog, mission: Mission, meta: LoadedMeta, upstream: Instance): InstanceId | undefined {
  if (mission.executor.protocol !== "auto" || meta.settings.master === undefined) return undefined;
  return catalog.meta(upstream.meta).settings.master === meta.settings.master ? upstream.id : undefined;
}

/** An output with its identity, before version and states. */
export interface Placed extends Locator {
  readonly output: Output;
  readonly sysContext: Readonly<Record<string, string>>;
}

/** Gives an output its meta, id and para, and publishes what the next step wants to know. */
export function place(ground: Ground, target: Target, output: Output, index: number): Placed {
  const { mission, upstream } = ground;
  const { meta } = target;
  const outputMeta = memberMeta(meta, output);
  const given = output.id === undefined || output.id === "0" ? undefined : checkId(output.id);
  const para = meta.isStateful ? (target.para ?? output.para ?? "") : appendPara(output.para ?? "", target.picked);
  checkPara(meta, para);
  // Two relations may lead to one meta, the one by itself and the other through an M or L meta.
  const to = mission.to === outputMeta ? outputMeta : `${mission.to} ${outputMeta}`;
  const origin = { from: upstream, to, index };
  const id = target.id ?? given ?? (para === "" ? idOfOutput(origin) : "0");
  const sysContext = { ...output.sysContext, ...bridge(mission, upstream), ...published(mission, target, output, para) };
  return { meta: outputMeta, id, para, version: 0, output, sysContext };
}

/** The meta of an output: its target's, or the member of an M or L target that it names. */
function memberMeta({ meta, multiMeta }: LoadedMeta, output: Output): string {
  if (multiMeta.length === 0) return meta;
  if (multiMeta.length === 1) return multiMeta[0] as string;
  if (output.meta !== undefined && multiMeta.includes(output.meta)) return output.meta;
  throw natureError("executor.logic", `an output names ${output.meta ?? "no meta"}; ${meta} stands for ${multiMeta.join(", ")}`, {
    details: { meta: output.meta, expected: multiMeta },
  });
}

/** Identity of the upstream's own upstream, for a step that must find it again. */
function bridge({ idBridge, sysContext }: Mission, upstream: Instance): Record<string, string> {
  if (!idBridge) return {};
  const para = sysContext[TARGET_PARA] ?? upstream.para;
  return { [TARGET_ID]: sysContext[TARGET_ID] ?? upstream.id, ...(para === "" ? {} : { [TARGET_PARA]: para }) };
}

function published({ target }: Mission, { meta, picked }: Target, output: Output, para: string): Record<string, string> {
  const name = target.dynamicPara;
  if (name === undefined || (!meta.isStateful && picked === "")) return {};
  const before = parseDynamic(output.sysContext?.[DYNAMIC_PARA] ?? "[]");
  return { [DYNAMIC_PARA]: JSON.stringify([...before, [name, meta.isStateful ? para : picked]]) };
}

/**
 * The states of a further version: those that the executor gave, unless the relation says what changes; then those of the last version with
 * that change, or of the executor where there is no last version.
 * @throws instance.state @source spec of the workflow model, §2.6
 */
export function nextStates(mission: Mission, meta: LoadedMeta, output: Output, last: Instance | undefined): string[] {
  const { addStates = [], removeStates = [] } = mission.target;
  const given = output.states ?? [];
  if (addStates.length + removeStates.length === 0) return meta.states.check(given);
  return meta.states.change(last === undefined ? meta.states.check(given) : last.states, addStates, removeStates);
}
