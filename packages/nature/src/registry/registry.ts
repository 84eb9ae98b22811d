import { type Clock, systemClock, type Timer } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { Catalog, type CatalogProblem } from "../catalog/catalog.ts";
import { normalRows } from "../catalog/normal.ts";
import type { Meta } from "../meta/meta.ts";
import { canonicalMeta, type MetaString } from "../meta/meta-string.ts";
import type { Relation } from "../relation/relation.ts";
import type { RegistryStore, StoredRegistry } from "../store/admin.ts";
import { type Edit, edited, storeEdits } from "./edit.ts";
import { checkEdit, type MetaUses, usesOf } from "./rules.ts";

/*
 * Y1. On this node edits are made one after the other. Between nodes the store decides: an edit is stored only on top of the version that
 *     it was checked against.
 * Y2. The catalog in force is exchanged as a whole, and never for an older one. Work under way goes on with the one that it began with.
 * Y3. An edit that resolved is in force here. Elsewhere it is as soon as the store there tells of it.
 */

/** What a registry stands on. */
export interface RegistryParts {
  readonly store: RegistryStore;
  /** Told of what is stored and does not fit, and of failures to read what others have changed. */
  readonly onProblem?: (problem: CatalogProblem) => void;
  /** @default the machine's */
  readonly clock?: Clock;
}

/** How an edit is made. */
export interface EditOptions {
  /** The version that the edit was thought up for: with another one in force it is refused. @default whatever is in force */
  readonly expectedVersion?: number;
}

/** What is in force after an edit. */
export interface EditResult {
  readonly version: number;
  /** Rows that were written; 0 = all was so already, and the version stays. */
  readonly changed: number;
}

/** Edits by other nodes in a row, after which an edit without an expected version gives up. */
const MAX_CONFLICTS = 20;
/** Wait before what others have changed is asked for again, when that failed. */
const REFRESH_RETRY_MS = 1_000;

/** Reads what is declared, and keeps it up to date. @throws store.unavailable */
export async function openRegistry(parts: RegistryParts): Promise<Registry> {
  const registry = new Registry(parts);
  await registry.refresh();
  return registry;
}

/** All metas and relations of the nodes that share a store; edits take effect at once. Made by {@link openRegistry}. */
export class Registry implements Disposable {
  readonly #parts: RegistryParts;
  readonly #clock: Clock;
  readonly #listeners = new Set<(registry: Registry) => void>();
  readonly #unwatch: () => void;
  #stored: StoredRegistry = { version: -1, metas: [], relations: [] };
  #catalog = new Catalog({ metas: [], relations: [] });
  /** The end of the queue (Y1); never rejects. */
  #queue: Promise<unknown> = Promise.resolve();
  #retry: Timer | undefined;
  #isClosed = false;

  /** Use {@link openRegistry}. */
  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#unwatch = parts.store.watchRegistry((version) => {
      if (version > this.version) this.#follow(version);
    });
  }

  /** What is in force now. */
  get catalog(): Catalog {
    return this.#catalog;
  }

  /** Everything that is declared, enabled or not, with its version. */
  get declared(): StoredRegistry {
    return this.#stored;
  }

  /** Rises with every edit, whoever makes it. */
  get version(): number {
    return this.#stored.version;
  }

  /** Reads what others may have changed. @throws store.unavailable – what was in force stays so */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#load());
  }

  /** What needs a meta; `instances` says whether any is stored. */
  async usedBy(meta: MetaString): Promise<MetaUses & { readonly instances: boolean }> {
    const name = canonicalMeta(meta);
    return { ...usesOf(name, this.#stored), instances: await this.#parts.store.hasInstances(name) };
  }

  /**
   * Makes all edits or none. The whole is checked before anything is stored (rules G1 to G3 in `rules.ts`), so several edits can do
   * together what none of them could alone. An instance that another client puts in at the same moment can slip past the check for
   * instances.
   * @throws state.conflict – another version than the expected one is in force; meta.in_use; meta.unknown, meta.exists, relation.unknown,
   * relation.exists; and whatever else does not fit
   */
  edit(edits: readonly Edit[], options: EditOptions = {}): Promise<EditResult> {
    return this.#inTurn(() => this.#edit(edits, options.expectedVersion));
  }

  /** @throws meta.exists, and as {@link edit} */
  createMeta(meta: Meta, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "create-meta", meta }], options);
  }

  /** @throws meta.unknown, meta.in_use, and as {@link edit} */
  changeMeta(meta: Meta, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "change-meta", meta }], options);
  }

  /** One that is not enabled counts as not declared. @throws meta.unknown, meta.in_use, and as {@link edit} */
  setMetaEnabled(meta: MetaString, isEnabled: boolean, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: isEnabled ? "enable-meta" : "disable-meta", meta }], options);
  }

  /** @throws meta.unknown, meta.in_use, and as {@link edit} */
  deleteMeta(meta: MetaString, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "delete-meta", meta }], options);
  }

  /** @throws relation.exists, and as {@link edit} */
  createRelation(relation: Relation, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "create-relation", relation }], options);
  }

  /** Work that was accepted before goes on as it was then. @throws relation.unknown, and as {@link edit} */
  changeRelation(relation: Relation, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "change-relation", relation }], options);
  }

  /** @throws relation.unknown, and as {@link edit} */
  setRelationEnabled({ from, to, enabled }: Omit<Relation, "settings">, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: enabled ? "enable-relation" : "disable-relation", from, to }], options);
  }

  /** @throws relation.unknown, and as {@link edit} */
  deleteRelation({ from, to }: Pick<Relation, "from" | "to">, options?: EditOptions): Promise<EditResult> {
    return this.edit([{ op: "delete-relation", from, to }], options);
  }

  /** Calls back after each exchange of the catalog. @returns ends it */
  onChange(listener: (registry: Registry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Follows no changes any more. Idempotent. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#unwatch();
    this.#listeners.clear();
  }

  async #edit(edits: readonly Edit[], expectedVersion: number | undefined): Promise<EditResult> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      if (conflicts > 0 || (expectedVersion !== undefined && expectedVersion !== this.version)) await this.#load();
      if (expectedVersion !== undefined && expectedVersion !== this.version) throw conflict(expectedVersion, this.version);
      const before = this.#stored;
      const after = edited(before, edits);
      const rows = storeEdits(before, after);
      if (rows.length === 0) return { version: before.version, changed: 0 };
      const catalog = await checkEdit({
        before,
        after,
        catalogBefore: this.#catalog,
        hasInstances: (meta) => this.#parts.store.hasInstances(meta),
      });
      const version = await this.#parts.store.editRegistry(rows, before.version);
      if (version === undefined) continue;
      this.#exchange({ ...after, version }, catalog);
      return { version, changed: rows.length };
    }
    throw coreError("state.conflict", `other nodes made ${MAX_CONFLICTS} edits in a row while this one was checked; try again`);
  }

  async #load(): Promise<void> {
    const read = await this.#parts.store.loadRegistry();
    if (read.version <= this.version) return;
    const stored = { version: read.version, ...normalRows(read) };
    const catalog = new Catalog(stored);
    for (const problem of catalog.problems) this.#parts.onProblem?.(problem);
    this.#exchange(stored, catalog);
  }

  /** Reads in its turn what another node has changed; again and again until it can be read. An edit of this node is in force by then. */
  #follow(version: number): void {
    const read = async (): Promise<void> => {
      if (version > this.version && !this.#isClosed) await this.#load();
    };
    this.#inTurn(read).catch((error: Error) => {
      if (this.#isClosed) return;
      this.#parts.onProblem?.({ what: "registry", error });
      this.#retry?.cancel();
      this.#retry = this.#clock.setTimer(REFRESH_RETRY_MS, () => this.#follow(version));
    });
  }

  #exchange(stored: StoredRegistry, catalog: Catalog): void {
    this.#stored = stored;
    this.#catalog = catalog;
    for (const listener of [...this.#listeners]) listener(this);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

function conflict(expected: number, found: number): Error {
  return coreError(
    "state.conflict",
    `the registry has version ${found} by now, this edit was made for ${expected}; look at it again`,
    {
      details: { expected, found },
      retryable: false,
    },
  );
}
