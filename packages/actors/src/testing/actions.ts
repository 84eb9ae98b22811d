import { inspect, isDeepStrictEqual } from "node:util";
import { type Address, Alias, EventName, PID, ProcessName, type Reason, Ref } from "../identity/index.ts";
import type { RecordLevel } from "../log/index.ts";
import type { Priority } from "../mailbox/index.ts";
import type { MetaOptions, MetaShape } from "../meta/behaviour.ts";
import type { CallOptions, RequestOptions, RespondOptions } from "../runtime/calls.ts";
import type { RemoteSpawnOptions, SpawnOptions } from "../runtime/spawn.ts";
import type { ActorShape } from "../runtime/typed.ts";

/** Everything that actors and meta-processes do to others, with what they give to it. */
export interface Operations {
  send: { to: Address; message: unknown; priority: Priority | undefined };
  sendImportant: { to: Address; message: unknown; priority: Priority | undefined };
  sendAfter: { to: Address; message: unknown; delayMs: number; priority: Priority | undefined };
  sendEvery: { to: Address; message: unknown; periodMs: number; priority: Priority | undefined };
  call: { to: Address; request: unknown; options: CallOptions | undefined };
  sendRequest: { to: Address; request: unknown; options: RequestOptions | undefined };
  cancelRequest: { ref: Ref };
  respond: { to: PID; ref: Ref; value: unknown; options: RespondOptions | undefined };
  respondError: { to: PID; ref: Ref; error: Error; options: RespondOptions | undefined };
  forward: { to: Address; from: PID; ref: Ref; request: unknown; priority: Priority | undefined };
  forwardMessage: { to: Address; from: PID; message: unknown; priority: Priority | undefined };
  inspect: { to: PID | Alias; items: readonly string[] | undefined };
  spawn: { actor: new () => ActorShape; options: (SpawnOptions & { args?: readonly unknown[] }) | undefined };
  remoteSpawn: { node: string; name: string; options: RemoteSpawnOptions | undefined };
  spawnMeta: { behaviour: MetaShape; options: MetaOptions | undefined };
  sendExit: { to: PID; reason: Reason };
  sendExitAfter: { to: PID; reason: Reason; delayMs: number };
  sendExitMeta: { to: Alias; reason: Reason };
  sendExitMetaAfter: { to: Alias; reason: Reason; delayMs: number };
  exit: { reason: Reason };
  link: { to: Address };
  unlink: { to: Address };
  monitor: { to: Address };
  demonitor: { to: Address };
  linkNode: { node: string };
  unlinkNode: { node: string };
  monitorNode: { node: string };
  demonitorNode: { node: string };
  linkEvent: { event: EventName | string };
  unlinkEvent: { event: EventName | string };
  monitorEvent: { event: EventName | string };
  demonitorEvent: { event: EventName | string };
  registerEvent: { event: string; options: unknown };
  unregisterEvent: { event: string };
  sendEvent: { event: string; token: Ref | undefined; payload: unknown };
  registerName: { name: string };
  createAlias: Record<never, never>;
  deleteAlias: { alias: Alias };
  setTrapExit: { trap: boolean };
  setSplitHandle: { split: boolean };
  setSendPriority: { priority: Priority };
  setImportantDelivery: { important: boolean };
  setEnv: { name: string; value: unknown };
  /** Of supervisors: the end of a child that has no room for the question. */
  kill: { to: PID };
  /** What it writes to its log. */
  log: { level: RecordLevel; text: string; fields: Readonly<Record<string, unknown>>; error: unknown };
  /** Of meta-processes: what they tell people. */
  report: { text: string; error: unknown };
}

/** The name of an operation: that of the method of an actor. */
export type Operation = keyof Operations;

type FieldsOf<K extends Operation> = readonly (keyof Operations[K])[];

/** The names of the arguments of each operation, in order. */
export const OPERATIONS: { readonly [K in Operation]: FieldsOf<K> } = {
  send: ["to", "message", "priority"],
  sendImportant: ["to", "message", "priority"],
  sendAfter: ["to", "message", "delayMs", "priority"],
  sendEvery: ["to", "message", "periodMs", "priority"],
  call: ["to", "request", "options"],
  sendRequest: ["to", "request", "options"],
  cancelRequest: ["ref"],
  respond: ["to", "ref", "value", "options"],
  respondError: ["to", "ref", "error", "options"],
  forward: ["to", "from", "ref", "request", "priority"],
  forwardMessage: ["to", "from", "message", "priority"],
  inspect: ["to", "items"],
  spawn: ["actor", "options"],
  remoteSpawn: ["node", "name", "options"],
  spawnMeta: ["behaviour", "options"],
  sendExit: ["to", "reason"],
  sendExitAfter: ["to", "reason", "delayMs"],
  sendExitMeta: ["to", "reason"],
  sendExitMetaAfter: ["to", "reason", "delayMs"],
  exit: ["reason"],
  link: ["to"],
  unlink: ["to"],
  monitor: ["to"],
  demonitor: ["to"],
  linkNode: ["node"],
  unlinkNode: ["node"],
  monitorNode: ["node"],
  demonitorNode: ["node"],
  linkEvent: ["event"],
  unlinkEvent: ["event"],
  monitorEvent: ["event"],
  demonitorEvent: ["event"],
  registerEvent: ["event", "options"],
  unregisterEvent: ["event"],
  sendEvent: ["event", "token", "payload"],
  registerName: ["name"],
  createAlias: [],
  deleteAlias: ["alias"],
  setTrapExit: ["trap"],
  setSplitHandle: ["split"],
  setSendPriority: ["priority"],
  setImportantDelivery: ["important"],
  setEnv: ["name", "value"],
  kill: ["to"],
  log: ["level", "text", "fields", "error"],
  report: ["text", "error"],
};

/** What of an action its operation does not say. */
export interface Deed<K extends Operation> {
  readonly kind: K;
  /** Who did it. */
  readonly by: PID | Alias;
  /** Of the stage's clock, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** What it gave back; of a promise, what it settled with. */
  readonly gave: unknown;
  /** What it threw or rejected with. */
  readonly threw: unknown;
}

/** One thing that an actor or a meta-process did. */
export type Action<K extends Operation = Operation> = { [P in K]: Readonly<Operations[P]> & Deed<P> }[K];

/**
 * Which actions are meant: those whose named fields are deeply equal to the given values, or satisfy a given function. An
 * actor class is compared by itself.
 */
export type Pattern<K extends Operation> = {
  readonly [F in keyof Operations[K]]?: Operations[K][F] | ((value: Operations[K][F]) => boolean);
};

/** Whether an action is meant by a pattern. */
export function isMeant(action: Action, pattern: object): boolean {
  return Object.entries(pattern).every(([field, wanted]) => isLike(action[field as keyof Action], wanted));
}

/** Whether `found` is what is wanted: deeply equal, or as a function of the test says. */
export function isLike(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "function") return isDeepStrictEqual(found, wanted);
  return typeof found === "function" ? found === wanted : wanted(found) === true;
}

/** Turns addresses into names that a reader knows. */
export type NameOf = (address: PID<never, never> | Alias<never, never>) => string;

/** One action on one line. */
export function actionText(action: Action, nameOf: NameOf): string {
  const fields = OPERATIONS[action.kind] as readonly string[];
  const parts = fields.flatMap((field) => {
    const value = action[field as keyof Action] as unknown;
    return value === undefined ? [] : [`${field}: ${valueText(value, nameOf)}`];
  });
  const failed = action.threw === undefined ? "" : ` – threw ${valueText(action.threw, nameOf)}`;
  return `${nameOf(action.by)} ${action.kind} ${parts.length === 0 ? "" : `{ ${parts.join(", ")} }`}${failed}`.trimEnd();
}

/** A pattern, for people. */
export function patternText(pattern: object, nameOf: NameOf): string {
  const parts = Object.entries(pattern).map(([field, wanted]) => `${field}: ${valueText(wanted, nameOf)}`);
  return parts.length === 0 ? "" : ` { ${parts.join(", ")} }`;
}

const DEPTH = 4;

/** Any value on one line, addresses by name. */
export function valueText(value: unknown, nameOf: NameOf): string {
  return inspect(readable(value, nameOf, DEPTH), { depth: DEPTH, breakLength: Number.POSITIVE_INFINITY });
}

function readable(value: unknown, nameOf: NameOf, depth: number): unknown {
  if (value instanceof PID || value instanceof Alias) return word(nameOf(value));
  if (value instanceof ProcessName || value instanceof EventName || value instanceof Ref) return word(String(value));
  if (value instanceof Error) return word(`${value.name}: ${value.message}`);
  if (typeof value === "function") return word(value.name === "" ? "(function)" : value.name);
  if (depth === 0 || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => readable(one, nameOf, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, readable(one, nameOf, depth - 1)]));
}

function word(text: string): object {
  return { [inspect.custom]: () => text };
}
