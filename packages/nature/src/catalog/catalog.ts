import { nearest } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import { invalid, type LoadedMeta, loadMeta, type Meta, undeclaredMeta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString, metaTypeOf, NULL_META } from "../meta/meta-string.ts";
import { type LoadedRelation, loadRelation } from "../relation/loaded.ts";
import type { Relation } from "../relation/relation.ts";

/** Everything that is declared. */
export interface Declarations {
  readonly metas: readonly Meta[];
  readonly relations: readonly Relation[];
}

/** Something declared that does not fit; it counts as disabled until it is mended. */
export interface CatalogProblem {
  /** A meta-string, or `from -> to`. */
  readonly what: string;
  readonly error: Error;
}

/**
 * All metas and relations at one moment, checked against each other. Never changes: an edit makes a new catalog, and work under way goes on with
 * the one that it began with.
 *
 *  C1. A meta or relation that does not fit takes out itself and what needs it, nothing else.
 *  C2. A meta that is not enabled counts as not declared.
 */
export class Catalog {
  readonly problems: readonly CatalogProblem[];
  readonly #metas = new Map<MetaString, LoadedMeta>();
  readonly #relations = new Map<MetaString, LoadedRelation[]>();

  constructor({ metas, relations }: Declarations) {
    const problems: CatalogProblem[] = [];
    const attempt = (what: string, work: () => void): void => {
      try {
        work();
      } catch (error) {
        problems.push({ what, error: error as Error });
      }
    };
    for (const meta of metas) attempt(meta.meta, () => this.#add(loadMeta(meta)));
    this.#dropBroken(attempt);
    for (const relation of relations) {
      if (relation.enabled) attempt(`${relation.from} -> ${relation.to}`, () => this.#relate(relation));
    }
    this.problems = problems;
  }

  /** A meta by its canonical meta-string. N and D metas exist by being named. @throws meta.unknown */
  meta(meta: MetaString): LoadedMeta {
    const found = this.#metas.get(meta);
    if (found !== undefined) return found;
    const type = metaTypeOf(meta);
    if (type === "N" || type === "D") return undeclaredMeta(meta);
    throw unknown(meta, [...this.#metas.keys()]);
  }

  /** Whether it is declared and enabled, or needs no declaration. */
  has(meta: MetaString): boolean {
    return this.#metas.has(meta) || meta === NULL_META || metaTypeOf(meta) === "D";
  }

  /** The relations that leave a meta, in the order of their declaration. */
  relationsFrom(meta: MetaString): readonly LoadedRelation[] {
    return this.#relations.get(meta) ?? [];
  }

  /** All metas that are declared and enabled. */
  metas(): LoadedMeta[] {
    return [...this.#metas.values()];
  }

  /** All relations that are enabled. */
  relations(): LoadedRelation[] {
    return [...this.#relations.values()].flat();
  }

  #add(meta: LoadedMeta): void {
    if (this.#metas.has(meta.meta))
      throw natureError("meta.exists", `meta ${meta.meta} is declared twice`, { details: { meta: meta.meta } });
    if (meta.enabled) this.#metas.set(meta.meta, meta);
  }

  /** Until nothing more falls out: what is dropped may be what another needs. */
  #dropBroken(attempt: (what: string, work: () => void) => void): void {
    for (let before = -1; before !== this.#metas.size; ) {
      before = this.#metas.size;
      for (const meta of [...this.#metas.values()]) {
        attempt(meta.meta, () => {
          try {
            this.#checkOthers(meta);
          } catch (error) {
            this.#metas.delete(meta.meta);
            throw error;
          }
        });
      }
    }
  }

  /** V-5 to V-7: what a meta says of others. */
  #checkOthers({ meta, multiMeta, settings }: LoadedMeta): void {
    for (const member of multiMeta) {
      if (this.meta(member).isStateful) throw invalid(meta, `multiMeta names ${member}, which has states`);
    }
    const seen = new Set([meta]);
    for (let master = settings.master; master !== undefined; master = this.meta(master).settings.master) {
      if (seen.has(master)) throw invalid(meta, `its masters go round in a circle: ${[...seen, master].join(" -> ")}`);
      seen.add(master);
      this.meta(master);
    }
  }

  #relate(relation: Relation): void {
    const from = this.meta(canonicalMeta(relation.from));
    const to = this.meta(canonicalMeta(relation.to));
    const loaded = loadRelation(relation, from, to);
    const siblings = this.#relations.get(from.meta) ?? [];
    if (siblings.some((other) => other.to.meta === to.meta)) {
      throw natureError("relation.exists", `relation ${from.meta} -> ${to.meta} is declared twice`);
    }
    this.#relations.set(from.meta, [...siblings, loaded]);
  }
}

function unknown(meta: MetaString, known: readonly string[]): Error {
  const near = nearest(meta, known);
  const hint = near === undefined ? "declare it, or enable it" : `did you mean ${near}?`;
  return natureError("meta.unknown", `meta ${meta} is not declared; ${hint}`, {
    details: { meta, ...(near === undefined ? {} : { suggestion: near }) },
  });
}
