import type { Instance, Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import type { PrismaReads, ReadParts } from "./prisma-reads.ts";
import type { MetaCount, PageQuery, ReadPage, StoreReads, TaskView } from "./reads.ts";
import type { FailedTask, RangeQuery } from "./store.ts";

type TaskQuery = PageQuery & { readonly to?: MetaString; readonly from?: Locator };

/**
 * Reads through a client that is loaded with the first of them: Prisma costs 90 MB of memory and some 90 ms, which a node that nobody looks
 * into does without.
 */
export class LazyReads implements StoreReads {
  readonly #open: () => Promise<ReadParts>;
  #reads: Promise<PrismaReads> | undefined;

  constructor(open: () => Promise<ReadParts>) {
    this.#open = open;
  }

  async instance(key: Locator): Promise<Instance | undefined> {
    return (await this.#loaded()).instance(key);
  }

  async versions(line: Omit<Locator, "version">, page?: PageQuery): Promise<ReadPage<Instance>> {
    return (await this.#loaded()).versions(line, page);
  }

  async range(query: Omit<RangeQuery, "limit"> & PageQuery): Promise<ReadPage<Instance>> {
    return (await this.#loaded()).range(query);
  }

  async recent(meta: MetaString, page?: PageQuery): Promise<ReadPage<Instance>> {
    return (await this.#loaded()).recent(meta, page);
  }

  async downstream(key: Locator, page?: PageQuery): Promise<ReadPage<Instance>> {
    return (await this.#loaded()).downstream(key, page);
  }

  async upstream(key: Locator, limit?: number): Promise<Instance[]> {
    return (await this.#loaded()).upstream(key, limit);
  }

  async tasks(query?: TaskQuery): Promise<ReadPage<TaskView>> {
    return (await this.#loaded()).tasks(query);
  }

  async failedTasks(query?: TaskQuery): Promise<ReadPage<FailedTask>> {
    return (await this.#loaded()).failedTasks(query);
  }

  async counts(meta?: MetaString): Promise<MetaCount[]> {
    return (await this.#loaded()).counts(meta);
  }

  /** Ends what was loaded. */
  async close(): Promise<void> {
    const reads = await this.#reads?.catch(() => undefined);
    await reads?.close();
  }

  #loaded(): Promise<PrismaReads> {
    this.#reads ??= this.#load();
    return this.#reads;
  }

  async #load(): Promise<PrismaReads> {
    const { PrismaReads } = await import("./prisma-reads.ts");
    return new PrismaReads(await this.#open());
  }
}
