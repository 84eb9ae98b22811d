import { natureError } from "../errors.ts";
import { MAX_ID } from "../instance/id.ts";
import type { Instance, InstanceId, Locator } from "../instance/instance.ts";
import { shown } from "./answer.ts";
import type { ConvertRequest, ConvertResult, Output, SelfRoute } from "./executor.ts";
import { digitsOf, rawNumber } from "./lossless-json.ts";

/**
 * The JSON shapes of Nature, since its version 1.3: ids are numbers, members with their default value are left out.
 * @source spec of the workflow model, §2.1 and §4.2
 */

/** An instance, or what an executor gave of one. */
export function toNature(given: Output): object {
  const { id, meta = "", para, version, from, createdMs } = given;
  const { content, context, sysContext, states } = given;
  return {
    ...(id === undefined || id === "0" ? {} : { id: rawNumber(id) }),
    path: { meta, ...text("para", para), ...(version ? { state_version: version } : {}) },
    data: {
      ...text("content", content),
      ...entries("context", context),
      ...entries("sys_context", sysContext),
      ...(states === undefined || states.length === 0 ? {} : { states }),
    },
    ...(from === undefined ? {} : { from: toNatureLocator(from) }),
    ...(createdMs === undefined ? {} : { create_time: createdMs }),
  };
}

/** What Nature hands to a converter; `taskId` is the number that a callback names. */
export function toNatureRequest({ from, last, master, settings }: ConvertRequest, taskId: number): object {
  return {
    from: toNature(from),
    ...(last === undefined ? {} : { last_state: toNature(last) }),
    task_id: taskId,
    ...(master === undefined ? {} : { master: toNature(master) }),
    ...text("cfg", settings),
  };
}

/** An answer of a converter, parsed without loss. @throws instance.invalid – it is none */
export function fromNatureResult(given: unknown): ConvertResult {
  const answer = objectOf(given, "");
  switch (answer.type) {
    case "Instances":
      return { type: "instances", instances: listOf(answer.ins, "/ins").map((one, at) => fromNature(one, `/ins/${at}`)) };
    case "None":
      return { type: "none" };
    case "Delay":
      return { type: "delay", delayMs: secondsOf(answer.num, "/num") * 1_000 };
    case "EnvError":
      return { type: "environment", message: textOf(answer.msg, "/msg") ?? "" };
    case "LogicalError":
      return { type: "logic", message: textOf(answer.msg, "/msg") ?? "" };
    case "SelfRoute":
      return { type: "self-route", instances: listOf(answer.ins, "/ins").map((one, at) => fromNatureRoute(one, `/ins/${at}`)) };
    default:
      return wrong("/type", answer.type, "one of Instances, None, Delay, EnvError, LogicalError, SelfRoute");
  }
}

/** What a filter answers: its result, or why there is none. */
export type FilterReply = { readonly ok: unknown } | { readonly kind: string; readonly message: string };

/** A reply of a filter. @throws instance.invalid – it is none */
export function fromNatureReply(given: unknown): FilterReply {
  const reply = objectOf(given, "");
  if (Object.hasOwn(reply, "Ok")) return { ok: reply.Ok };
  const [kind, message] = Object.entries(objectOf(reply.Err, "/Err"))[0] ?? [];
  if (kind === undefined) return wrong("/Err", reply.Err, 'an object like {"LogicalError":"…"}');
  return { kind, message: typeof message === "string" ? message : JSON.stringify(message) };
}

/** An instance, parsed without loss; what is left out, is. @throws instance.invalid */
export function fromNature(given: unknown, path = ""): Output {
  const instance = objectOf(given, path);
  const where = objectOf(instance.path ?? {}, `${path}/path`);
  const data = objectOf(instance.data ?? {}, `${path}/data`);
  const id = idOf(instance.id, `${path}/id`);
  const states = data.states ?? undefined;
  return defined({
    id: id === "0" ? undefined : id,
    meta: textOf(where.meta, `${path}/path/meta`) || undefined,
    para: textOf(where.para, `${path}/path/para`),
    version: wholeOf(where.state_version, `${path}/path/state_version`),
    content: textOf(data.content, `${path}/data/content`),
    context: entriesOf(data.context, `${path}/data/context`),
    sysContext: entriesOf(data.sys_context, `${path}/data/sys_context`),
    states:
      states === undefined
        ? undefined
        : listOf(states, `${path}/data/states`).map((one, at) => nameOf(one, `${path}/data/states/${at}`)),
    from: instance.from === undefined || instance.from === null ? undefined : fromNatureLocator(instance.from, `${path}/from`),
    createdMs: wholeOf(instance.create_time, `${path}/create_time`),
  });
}

/** The same over an instance whose identity is known: what the reply leaves out has its default value. */
export function fromNatureOver(base: Instance, given: unknown): Instance {
  const { meta = base.meta, id = "0", para = "", version = 0, ...data } = fromNature(given);
  const { content = "", context = {}, sysContext = {}, states = [] } = data;
  return { ...base, meta, id, para, version, content, context, sysContext, states };
}

/** An instance that is routed by itself. @throws instance.invalid */
export function fromNatureRoute(given: unknown, path = ""): SelfRoute {
  const route = objectOf(given, path);
  const converters = listOf(route.converter, `${path}/converter`).map((one, at) => {
    const here = `${path}/converter/${at}`;
    const { to, fun, use_upstream_id, delay } = objectOf(one, here);
    const { protocol, url, settings } = objectOf(fun, `${here}/fun`);
    const cfg = textOf(settings, `${here}/fun/settings`);
    return defined({
      to: textOf(to, `${here}/to`) || undefined,
      executor: {
        protocol: protocolOf(protocol, `${here}/fun/protocol`),
        url: textOf(url, `${here}/fun/url`) ?? "",
        ...(cfg === undefined ? {} : { settings: cfg }),
      },
      useUpstreamId: use_upstream_id === undefined || use_upstream_id === null ? undefined : use_upstream_id === true,
      delayMs: delay === undefined || delay === null ? undefined : secondsOf(delay, `${here}/delay`) * 1_000,
    });
  });
  return { instance: fromNature(route.instance, `${path}/instance`), converters };
}

/** Our name of a protocol; letters of either case, as its documents say. `localRust` is a function here. @throws instance.invalid */
export function protocolOf(given: unknown, path = ""): string {
  const name = (textOf(given, path) ?? "").toLowerCase();
  return name === "localrust" ? "local" : name;
}

function toNatureLocator({ id, meta, para, version }: Locator): object {
  const modifier = { meta, ...text("para", para), ...(version === 0 ? {} : { state_version: version }) };
  return { ...(id === "0" ? {} : { id: rawNumber(id) }), modifier };
}

function fromNatureLocator(given: unknown, path: string): Locator {
  const { id, modifier } = objectOf(given, path);
  const where = objectOf(modifier, `${path}/modifier`);
  return {
    meta: textOf(where.meta, `${path}/modifier/meta`) ?? "",
    id: idOf(id, `${path}/id`),
    para: textOf(where.para, `${path}/modifier/para`) ?? "",
    version: wholeOf(where.state_version, `${path}/modifier/state_version`) ?? 0,
  };
}

function text(name: string, value: string | undefined): object {
  return value === undefined || value === "" ? {} : { [name]: value };
}

function entries(name: string, value: Readonly<Record<string, string>> | undefined): object {
  return value === undefined || Object.keys(value).length === 0 ? {} : { [name]: value };
}

/** Without members that are undefined. */
function defined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}

function wrong(path: string, found: unknown, expected: string): never {
  const what = `${path === "" ? "the body" : path} is ${shown(found)}, expected ${expected}`;
  throw natureError("instance.invalid", what, { details: { path, expected } });
}

function objectOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return wrong(path, value, "an object");
}

function listOf(value: unknown, path: string): unknown[] {
  return Array.isArray(value) ? value : wrong(path, value, "a list");
}

function nameOf(value: unknown, path: string): string {
  return typeof value === "string" ? value : wrong(path, value, "text");
}

function textOf(value: unknown, path: string): string | undefined {
  return value === undefined || value === null ? undefined : nameOf(value, path);
}

function entriesOf(value: unknown, path: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  const found = objectOf(value, path);
  for (const key of Object.keys(found)) nameOf(found[key], `${path}/${key}`);
  return found as Record<string, string>;
}

function idOf(value: unknown, path: string): InstanceId {
  if (value === undefined || value === null) return "0";
  const digits = typeof value === "string" && /^\d{1,20}$/.test(value) ? value : digitsOf(value);
  const id = digits === undefined ? -1n : BigInt(digits);
  return id >= 0n && id <= MAX_ID ? id.toString() : wrong(path, value, `a whole number from 0 to ${MAX_ID}`);
}

function wholeOf(value: unknown, path: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  return Number.isSafeInteger(value) ? (value as number) : wrong(path, value, "a whole number");
}

function secondsOf(value: unknown, path: string): number {
  return typeof value === "number" && value >= 0 && value < 2 ** 40 ? value : wrong(path, value, "seconds, 0 or more");
}
