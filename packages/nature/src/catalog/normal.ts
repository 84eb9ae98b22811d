import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { byBytes } from "../byte-order.ts";
import type { Meta } from "../meta/meta.ts";
import { canonicalMeta } from "../meta/meta-string.ts";
import { parseStates, printStates } from "../meta/state-expression.ts";
import type { Relation, Selector } from "../relation/relation.ts";
import { optionalFlag, optionalList, optionalObject, optionalText, refuse } from "../shape.ts";
import type { Declarations } from "./catalog.ts";

/**
 * The one form of what is declared: meta-strings canonical, states in their one spelling, members with their default value left out, the
 * rest in a fixed order. Two declarations mean the same when their normal forms are equal. What comes may come from JSON: each member is
 * checked for its type, and one that is not known is refused.
 */

/** Checks a member and brings it into its form; undefined = it is left out. */
type Form = (path: string, value: unknown) => unknown;

const text: Form = (path, value) => optionalText(path, value) || undefined;
const flag: Form = (path, value) => optionalFlag(path, value) || undefined;
const count: Form = (path, value) => (value === undefined || value === null ? undefined : intWithin(path, value, 0) || undefined);
const index: Form = (path, value) => intWithin(path, value, 0, 255);
const metaString: Form = (path, value) => {
  const given = optionalText(path, value);
  return given === undefined ? undefined : canonicalMeta(given);
};
const states: Form = (path, value) => printStates(parseStates(optionalText(path, value) ?? "")) || undefined;

function object(members: Readonly<Record<string, Form>>, whatIfEmpty?: object): Form {
  const known = Object.keys(members);
  return (path, value) => {
    const given = optionalObject(path, value) ?? {};
    rejectUnknownKeys(path, given, known);
    const kept = Object.entries(members).flatMap(([name, form]) => {
      const member = form(`${path}.${name}`, given[name]);
      return member === undefined ? [] : [[name, member]];
    });
    return kept.length === 0 ? whatIfEmpty : Object.fromEntries(kept);
  };
}

function list(one: Form): Form {
  return (path, value) => {
    const given = optionalList(path, value) ?? [];
    if (given.length === 0) return undefined;
    return given.map((item, at) => one(`${path}[${at}]`, item) ?? refuse(`${path}[${at}]`, item, "a value"));
  };
}

/** As an object whose members all have to be there; absent as a whole, it is left out. */
function whole(form: Form): Form {
  return (path, value) => (value === undefined || value === null ? undefined : form(path, value));
}

function sorted(form: Form): Form {
  return (path, value) =>
    (form(path, value) as string[] | undefined)?.toSorted(byBytes).filter((one, at, all) => one !== all[at - 1]);
}

const metaForm = object({
  meta: metaString,
  description: text,
  states,
  fields: optionalObject,
  settings: object({
    name: text,
    isState: flag,
    master: metaString,
    multiMeta: sorted(list(metaString)),
    cacheSaved: flag,
    onlyOne: flag,
    retentionMs: count,
  }),
  enabled: (path, value) => (optionalFlag(path, value) === false ? false : undefined),
});

const condition = object({ none: list(text), all: list(text), any: list(text) });
const selector = object({ context: condition, sysContext: condition, states: condition });
const executor = object({ protocol: text, url: text, settings: text, timeoutMs: count });

const relationForm = object({
  from: metaString,
  to: metaString,
  settings: object(
    {
      description: text,
      selector,
      downSelector: condition,
      executor,
      before: list(executor),
      after: list(executor),
      useUpstreamId: flag,
      target: object({ addStates: list(text), removeStates: list(text), appendPara: list(index), dynamicPara: text }),
      delayMs: count,
      delayOnPara: whole(object({ extraMs: (path, value) => intWithin(path, value, 0), part: index })),
      idBridge: flag,
    },
    {},
  ),
  enabled: (path, value) => optionalFlag(path, value) ?? true,
});

/** The normal form of a meta. @param path – of where it stands, for the error. @throws meta.syntax, config.invalid */
export function normalMeta(given: Meta, path: string = given.meta): Meta {
  const normal = metaForm(path, given) as Meta | undefined;
  return normal?.meta === undefined ? refuse(`${path}.meta`, given?.meta, "a meta-string") : normal;
}

/** The normal form of a relation. @param path – of where it stands, for the error. @throws meta.syntax, config.invalid */
export function normalRelation(given: Relation, path: string = relationName(given)): Relation {
  const normal = relationForm(path, given) as Relation;
  if (normal.from === undefined) refuse(`${path}.from`, given.from, "a meta-string");
  return normal.to === undefined ? refuse(`${path}.to`, given.to, "a meta-string") : normal;
}

/** The normal form of a selector; undefined = it asks nothing. @param path – of where it stands, for the error. @throws config.invalid */
export function normalSelector(given: Selector | undefined, path: string): Selector | undefined {
  return selector(path, given) as Selector | undefined;
}

/**
 * What a database holds, in its normal form. Rows that somebody put there by hand may be of no form at all: they stay as they are, for a
 * catalog to name them and for an edit to mend them.
 */
export function normalRows({ metas, relations }: Declarations): Declarations {
  const attempt = <T>(given: T, form: (given: T) => T): T => {
    try {
      return form(given);
    } catch {
      return given;
    }
  };
  return {
    metas: metas.map((meta) => attempt(meta, (given) => normalMeta(given))),
    relations: relations.map((relation) => attempt(relation, (given) => normalRelation(given))),
  };
}

/** The name of a relation: there is one from a meta to another. */
export function relationName({ from, to }: Pick<Relation, "from" | "to">): string {
  return `${from} -> ${to}`;
}
