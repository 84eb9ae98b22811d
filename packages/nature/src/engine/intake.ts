import type { Catalog } from "../catalog/catalog.ts";
import { natureError } from "../errors.ts";
import { checkData, checkPara, type DataLimits } from "../instance/check.ts";
import { idOfData } from "../instance/hash.ts";
import { checkId } from "../instance/id.ts";
import type { Instance, InstanceInput, Locator } from "../instance/instance.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import { canonicalMeta } from "../meta/meta-string.ts";

/** What databases hold. */
const MAX_VERSION = 0x7fff_ffff;

/** What was asked for, as it will be stored; a version of 0 for a meta with states means the next one. */
export interface Accepted {
  readonly instance: Instance;
  readonly meta: LoadedMeta;
}

/** Checks an input from outside and gives it its identity. @throws meta.unknown, instance.*, meta.syntax @source spec of the workflow model, §2.3 */
export function accept(catalog: Catalog, input: InstanceInput, limits: DataLimits, nowMs: number): Accepted {
  const meta = catalog.meta(canonicalMeta(input.meta));
  if (["M", "L", "S"].includes(meta.type)) {
    throw natureError("instance.invalid", `instances of ${meta.meta} are made by the engine, not put in from outside`, {
      details: { path: "/meta" },
    });
  }
  const { content = "", context = {}, sysContext = {}, para = "", version = 0 } = input;
  checkPara(meta, para);
  if (!Number.isInteger(version) || version < 0 || version > MAX_VERSION) {
    throw natureError("instance.invalid", `the version is ${version}, expected a whole number from 0`, {
      details: { path: "/version" },
    });
  }
  const states = statesOf(meta, input.states ?? []);
  if (!meta.isStateful && version !== 0) {
    throw natureError(
      "instance.invalid",
      `${meta.meta} has no states, so its instances have no versions; leave version ${version} out`,
      { details: { path: "/version" } },
    );
  }
  const data = { content, context, sysContext, states };
  checkData(meta, data, limits);
  const given = checkId(String(input.id ?? "0"));
  const id = given === "0" && para === "" ? idOfData({ ...data, context: untraced(context) }) : given;
  return { meta, instance: { meta: meta.meta, id, para, version, ...data, from: undefined, createdMs: Math.floor(nowMs) } };
}

/** An accepted input that says what it was made of. @throws instance.invalid, meta.syntax */
export function withOrigin({ meta, instance }: Accepted, origin: Locator): Accepted {
  checkPara(meta, origin.para);
  if (!Number.isInteger(origin.version) || origin.version < 0 || origin.version > MAX_VERSION) {
    throw natureError("instance.invalid", `the version of the origin is ${origin.version}, expected a whole number from 0`, {
      details: { path: "/origin/version" },
    });
  }
  const { para, version } = origin;
  const from = { meta: canonicalMeta(origin.meta), id: checkId(String(origin.id)), para, version };
  return { meta, instance: { ...instance, from } };
}

function statesOf(meta: LoadedMeta, states: readonly string[]): string[] {
  if (!meta.isStateful && states.length > 0) {
    throw natureError("instance.state", `${meta.meta} has no states, given were ${states.join(", ")}`, {
      details: { path: "/states" },
    });
  }
  return meta.states.check(states);
}

/** Whether two instances say the same. Which trace they are part of says nothing: what is sent again comes in another one. */
export function saysTheSame(a: Instance, b: Instance): boolean {
  return (
    a.content === b.content &&
    a.states.join() === b.states.join() &&
    sameEntries(untraced(a.context), untraced(b.context)) &&
    sameEntries(a.sysContext, b.sysContext)
  );
}

function untraced({ traceparent: _, ...context }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return context;
}

function sameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
