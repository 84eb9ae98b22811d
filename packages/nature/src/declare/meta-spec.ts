import type { Meta, MetaSettings } from "../meta/meta.ts";
import type { MetaType } from "../meta/meta-string.ts";
import type { LeafStates } from "./leaf-states.ts";

/** A meta-string as the compiler can check it: `TYPE:key:version`, where a meta of type N may have any key and version. */
export type DeclaredMeta = `${Exclude<MetaType, "N">}:${string}:${number}` | `N:${string}`;

/** What a meta is besides its name. Other metas are named as they are in the same flow. */
export interface MetaOptions<States extends string = string, Key extends string = string>
  extends Pick<Meta, "description" | "fields" | "enabled">,
    Omit<MetaSettings, "master" | "multiMeta"> {
  /** A state expression, such as `"new|paid|package"`. @default "" */
  readonly states?: States;
  /** Whose id the instances share. */
  readonly master?: Key;
  /** What an M or L meta stands for. */
  readonly multiMeta?: readonly Key[];
}

/** A meta in a flow. */
export interface MetaSpec<Name extends string = string, States extends string = string, Key extends string = string> {
  readonly meta: Name;
  readonly options: MetaOptions<States, Key>;
}

/** The metas of a flow, by names of its own. Loose, so that the compiler infers each from what stands there alone. */
export type MetaSpecs = Readonly<Record<string, { readonly meta: string; readonly options: object }>>;

/** One meta of a flow; see {@link defineFlow}. */
export function meta<const Name extends DeclaredMeta, const States extends string = "", const Key extends string = never>(
  name: Name,
  options: MetaOptions<States, Key> = {},
): MetaSpec<Name, States, Key> {
  return { meta: name, options };
}

/** The names that relations can lead to. */
export type KeyOf<Metas> = keyof Metas & string;

/** The names that relations can leave: not those of type M or L. */
export type SourceOf<Metas> = {
  [Key in KeyOf<Metas>]: Metas[Key] extends MetaSpec<`${"M" | "L"}:${string}`> ? never : Key;
}[KeyOf<Metas>];

/** The states of a meta of a flow. */
export type StatesOf<Metas, Key extends keyof Metas> =
  Metas[Key] extends MetaSpec<string, infer States, string> ? LeafStates<States> : never;

/** Metas that name no others than those of the same flow. */
export type KnownMetas<Metas> = {
  [Key in keyof Metas]: Metas[Key] extends MetaSpec<infer Name, infer States, infer Other>
    ? [Other] extends [keyof Metas]
      ? unknown
      : MetaSpec<Name, States, KeyOf<Metas>>
    : never;
};
