import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { byBytes } from "../byte-order.ts";
import { natureError } from "../errors.ts";
import { optionalFlag, optionalObject, optionalText, optionalTexts } from "../shape.ts";
import { canonicalMeta, type MetaString, type MetaType, parseMetaString } from "./meta-string.ts";
import { type StateRules, stateRules } from "./state-set.ts";

/** What a meta does besides naming its data. */
export interface MetaSettings {
  /** A label for people. */
  readonly name?: string;
  /** Versions without named states. Named states make a meta stateful by themselves. @default false */
  readonly isState?: boolean;
  /** Whose id the instances share. */
  readonly master?: MetaString;
  /** What an M or L meta stands for. */
  readonly multiMeta?: readonly MetaString[];
  /** Whether what is stored already is dropped before the database is asked. @default false */
  readonly cacheSaved?: boolean;
  /** L only: the running result is one instance, handed from pass to pass. @default false */
  readonly onlyOne?: boolean;
  /** How long instances are kept, in milliseconds; absent = for ever. */
  readonly retentionMs?: number;
}

/** A meta as it is declared and stored. */
export interface Meta {
  readonly meta: MetaString;
  readonly description?: string;
  /** A state expression. @default "" */
  readonly states?: string;
  /** A JSON Schema of the content; absent = any text. */
  readonly fields?: object;
  readonly settings?: MetaSettings;
  /** @default true */
  readonly enabled?: boolean;
}

/** A meta with its rules at hand. */
export interface LoadedMeta {
  readonly meta: MetaString;
  readonly type: MetaType;
  readonly states: StateRules;
  readonly isStateful: boolean;
  readonly settings: MetaSettings;
  readonly fields: object | undefined;
  readonly description: string;
  /** Sorted; empty for other types than M and L. */
  readonly multiMeta: readonly MetaString[];
  readonly enabled: boolean;
}

const KNOWN_SETTINGS = ["name", "isState", "master", "multiMeta", "cacheSaved", "onlyOne", "retentionMs"];
const NO_SETTINGS: MetaSettings = Object.freeze({});

/**
 * Checks what can be checked of a meta by itself; what it says of other metas is checked by the catalog.
 * @throws meta.syntax; meta.invalid – the settings contradict the type; config.invalid – an unknown setting, or a wrong value
 * @source spec of the workflow model, V-1 to V-5
 */
export function loadMeta(given: Meta): LoadedMeta {
  const name = parseMetaString(given.meta);
  const meta = canonicalMeta(given.meta);
  const settings = settingsOf(`${meta}.settings`, given.settings);
  const states = stateRules(optionalText(`${meta}.states`, given.states) ?? "");
  const isStateful = states.list.length > 0 || settings.isState === true;
  const multiMeta = [...new Set((settings.multiMeta ?? []).map(canonicalMeta))].sort(byBytes);
  const loaded: LoadedMeta = {
    meta,
    type: name.type,
    states,
    isStateful,
    settings,
    fields: optionalObject(`${meta}.fields`, given.fields),
    description: optionalText(`${meta}.description`, given.description) ?? "",
    multiMeta,
    enabled: optionalFlag(`${meta}.enabled`, given.enabled) ?? true,
  };
  checkMulti(loaded);
  return loaded;
}

/** Settings with their defaults left out, and the master in its canonical spelling. */
function settingsOf(path: string, given: unknown): MetaSettings {
  const settings = optionalObject(path, given) as MetaSettings | undefined;
  if (settings === undefined) return NO_SETTINGS;
  rejectUnknownKeys(path, settings, KNOWN_SETTINGS);
  const name = optionalText(`${path}.name`, settings.name);
  const master = optionalText(`${path}.master`, settings.master);
  const multiMeta = optionalTexts(`${path}.multiMeta`, settings.multiMeta);
  const retentionMs = settings.retentionMs ?? undefined;
  return {
    ...(name === undefined ? {} : { name }),
    ...(master === undefined ? {} : { master: canonicalMeta(master) }),
    ...(multiMeta === undefined ? {} : { multiMeta }),
    ...(retentionMs === undefined ? {} : { retentionMs: intWithin(`${path}.retentionMs`, retentionMs, 1) }),
    ...flag("isState", optionalFlag(`${path}.isState`, settings.isState)),
    ...flag("cacheSaved", optionalFlag(`${path}.cacheSaved`, settings.cacheSaved)),
    ...flag("onlyOne", optionalFlag(`${path}.onlyOne`, settings.onlyOne)),
  };
}

function flag(name: string, value: boolean | undefined): object {
  return value === undefined ? {} : { [name]: value };
}

/** A meta that nobody declared: dynamic ones and null exist by being named. */
export function undeclaredMeta(meta: MetaString): LoadedMeta {
  return loadMeta({ meta });
}

function checkMulti({ meta, type, isStateful, multiMeta, settings }: LoadedMeta): void {
  const nested = multiMeta.find((member) => member.startsWith("M:") || member.startsWith("L:"));
  if (nested !== undefined) throw invalid(meta, `multiMeta names ${nested}; metas of type M and L hold no others of their kind`);
  if (type !== "M" && type !== "L") {
    if (settings.onlyOne === true) throw invalid(meta, "onlyOne is for metas of type L");
    return;
  }
  if (isStateful) throw invalid(meta, `a meta of type ${type} has no states`);
  if (multiMeta.length === 0) throw invalid(meta, `a meta of type ${type} needs multiMeta: what it stands for`);
  if (type === "L" && settings.onlyOne === true && multiMeta.length !== 1) {
    throw invalid(meta, `with onlyOne it stands for one meta, multiMeta names ${multiMeta.length}`);
  }
}

/** The error of a meta that contradicts itself or others. */
export function invalid(meta: MetaString, what: string): Error {
  return natureError("meta.invalid", `meta ${meta}: ${what}`, { details: { meta } });
}
