import type { MetaString } from "../meta/meta-string.ts";

/**
 * Instances: immutable data, stored once. A change of state is a further instance of the same id with the next version.
 */

/** A number of 64 bits without a sign, in decimal digits; `"0"` = not given. JavaScript's own numbers are too short for it. */
export type InstanceId = string;

/** Where an instance stands: the primary key. */
export interface Locator {
  readonly meta: MetaString;
  readonly id: InstanceId;
  /** Parts joined by `/`; names external data, or a part of what the id names. */
  readonly para: string;
  /** 0 for data without states, from 1 for data with. No gaps. */
  readonly version: number;
}

/** What an instance says. */
export interface InstanceData {
  /** Text of any form; only built-ins look into it. */
  readonly content: string;
  /** Of the user; keys take part in selection. Not carried downstream. */
  readonly context: Readonly<Record<string, string>>;
  /** Of the engine (`target.id`, `loop.next` …); keys take part in selection. */
  readonly sysContext: Readonly<Record<string, string>>;
  /** Leaf states, sorted. */
  readonly states: readonly string[];
}

/** One stored instance. */
export interface Instance extends Locator, InstanceData {
  /** The instance that it was made from; undefined for input from outside, unless it came with an origin. */
  readonly from: Locator | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
}

/** An instance as it is put in: everything but the meta can be left out. */
export type InstanceInput = { readonly meta: MetaString } & Partial<Omit<Instance, "meta">>;

/** Parts the four parts of a key. */
export const KEY_SEPARATOR = "|";
/** Parts the parts of a para. */
export const PARA_SEPARATOR = "/";

/** `meta|id|para|version`: the key of an instance as text, the same spelling everywhere. */
export function keyOf({ meta, id, para, version }: Locator): string {
  return `${meta}|${id}|${para}|${version}`;
}

/** `meta|id|para`: all versions of one instance. */
export function lineKeyOf({ meta, id, para }: Omit<Locator, "version">): string {
  return `${meta}|${id}|${para}`;
}
