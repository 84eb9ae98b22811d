import type { Meta } from "../../src/meta/meta.ts";
import type { RegistryEdit, RegistryStore, StoredRegistry } from "../../src/store/admin.ts";

/** A store that several registries share, as nodes share a database. What goes in and out is copied, as a database does. */
export class MemoryRegistryStore implements RegistryStore {
  /** Metas of which instances are stored. */
  readonly instances = new Set<string>();
  /** Calls of `editRegistry`. */
  edits = 0;
  /** Thrown by the next reads, one each. */
  readonly failures: Error[] = [];
  readonly #metas = new Map<string, Meta>();
  readonly #relations = new Map<string, StoredRegistry["relations"][number]>();
  readonly #listeners = new Set<(version: number) => void>();
  #version = 0;

  async loadRegistry(): Promise<StoredRegistry> {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const metas = [...this.#metas.values()];
    return structuredClone({ version: this.#version, metas, relations: [...this.#relations.values()] });
  }

  async editRegistry(edits: readonly RegistryEdit[], ifVersion?: number): Promise<number | undefined> {
    this.edits++;
    if (ifVersion !== undefined && ifVersion !== this.#version) return undefined;
    for (const edit of structuredClone(edits)) {
      if (edit.op === "put-meta") this.#metas.set(edit.meta.meta, edit.meta);
      else if (edit.op === "delete-meta") this.#metas.delete(edit.meta);
      else if (edit.op === "put-relation") this.#relations.set(`${edit.relation.from}>${edit.relation.to}`, edit.relation);
      else this.#relations.delete(`${edit.from}>${edit.to}`);
    }
    const version = ++this.#version;
    for (const listener of this.#listeners) queueMicrotask(() => listener(version));
    return version;
  }

  watchRegistry(listener: (version: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async hasInstances(meta: string): Promise<boolean> {
    return this.instances.has(meta);
  }
}
