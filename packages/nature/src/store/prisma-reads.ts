import { MetanodeError } from "@metanode/core/errors";
import { natureError } from "../errors.ts";
import type { PrismaClient } from "../generated/sqlite/client.ts";
import { type Instance, keyOf, type Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import { afterOf, limitOf, pageOf } from "./pages.ts";
import type { MetaCount, PageQuery, ReadPage, StoreReads, TaskView } from "./reads.ts";
import { type Cell, locatorOf, readId, storedId } from "./rows.ts";
import type { FailedTask, RangeQuery, Task } from "./store.ts";

/** The client that both dialects have in common: the reads here use nothing that only one of them knows. */
export type ReadClient = Pick<PrismaClient, "instance" | "task" | "failedTask" | "$queryRawUnsafe" | "$disconnect">;

/** What the reads stand on. */
export interface ReadParts {
  readonly client: ReadClient;
  /** A page of a range: a comparison of whole keys, which Prisma takes apart so that no index helps. */
  readonly range: (query: RangeQuery) => Promise<Instance[]>;
  /** A page of what was made from an instance; absent = an index by `from_key` finds it. */
  readonly downstream?: (fromKey: string, after: readonly Cell[] | undefined, limit: number) => Promise<Instance[]>;
  /** Leaf states of the last versions: meta, state, lines; `meta` = all. */
  readonly stateCounts: string;
}

type InstanceRecord = Awaited<ReturnType<ReadClient["instance"]["findFirstOrThrow"]>>;
type TaskRecord = Pick<
  Awaited<ReturnType<ReadClient["task"]["findFirstOrThrow"]>>,
  "id" | "fromMeta" | "fromId" | "fromPara" | "fromVersion" | "to" | "mission" | "createdMs" | "dueMs" | "attempts"
>;

const KEY = ["text", "text", "text", "number"] as const;
const KEY_ORDER = [{ meta: "asc" }, { id: "asc" }, { para: "asc" }, { version: "asc" }] as const;

/** {@link StoreReads} through Prisma. Numbers of 64 bits leave it as numbers. */
export class PrismaReads implements StoreReads {
  readonly #parts: ReadParts;
  readonly #client: ReadClient;

  constructor(parts: ReadParts) {
    this.#parts = parts;
    this.#client = parts.client;
  }

  instance({ meta, id, para, version }: Locator): Promise<Instance | undefined> {
    return this.#ask(async ({ instance }) => {
      const key = { meta, id: storedId(id), para, version };
      const found = await instance.findUnique({ where: { meta_id_para_version: key } });
      return found === null ? undefined : instanceFrom(found);
    });
  }

  versions({ meta, id, para }: Omit<Locator, "version">, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    return this.#ask(async ({ instance }) => {
      const limit = limitOf(page);
      const [before] = (afterOf(page, ["number"]) ?? []) as [number?];
      const line = { meta, id: storedId(id), para };
      const found = await instance.findMany({
        where: before === undefined ? line : { ...line, version: { lt: before } },
        orderBy: { version: "desc" },
        take: limit + 1,
      });
      return pageOf(found.map(instanceFrom), limit, ({ version }) => [version]);
    });
  }

  range(query: Omit<RangeQuery, "limit"> & PageQuery): Promise<ReadPage<Instance>> {
    return this.#ask(async () => {
      const limit = limitOf(query);
      const { cursor: _, ...bounds } = query;
      const after = afterOf(query, KEY);
      const from = after === undefined ? bounds : { ...withoutLower(bounds), keyGt: after.join("|") };
      return pageOf(await this.#parts.range({ ...from, limit: limit + 1 }), limit, keyCells);
    });
  }

  recent(meta: MetaString, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    return this.#ask(async ({ instance }) => {
      const limit = limitOf(page);
      const after = afterOf(page, ["number", "text", "text", "number"]) as [number, string, string, number] | undefined;
      const found = await instance.findMany({
        where: after === undefined ? { meta } : { meta, ...olderThan(after) },
        orderBy: [{ createdMs: "desc" }, { id: "asc" }, { para: "asc" }, { version: "desc" }],
        take: limit + 1,
      });
      return pageOf(found.map(instanceFrom), limit, (one) => [one.createdMs, storedId(one.id), one.para, one.version]);
    });
  }

  downstream(key: Locator, page: PageQuery = {}): Promise<ReadPage<Instance>> {
    return this.#ask(async ({ instance }) => {
      const limit = limitOf(page);
      const after = afterOf(page, KEY) as [string, string, string, number] | undefined;
      const fromKey = keyOf(key);
      const { downstream } = this.#parts;
      if (downstream !== undefined) return pageOf(await downstream(fromKey, after, limit + 1), limit, keyCells);
      const where = after === undefined ? { fromKey } : { fromKey, ...beyond(after) };
      const found = await instance.findMany({ where, orderBy: [...KEY_ORDER], take: limit + 1 });
      return pageOf(found.map(instanceFrom), limit, keyCells);
    });
  }

  async upstream(key: Locator, limit = 100): Promise<Instance[]> {
    const chain: Instance[] = [];
    let next = (await this.instance(key))?.from;
    while (next !== undefined && chain.length < limit) {
      const found = await this.instance(next);
      if (found === undefined) break;
      chain.push(found);
      next = found.from;
    }
    return chain;
  }

  tasks(query: PageQuery & { readonly to?: MetaString; readonly from?: Locator } = {}): Promise<ReadPage<TaskView>> {
    return this.#ask(async ({ task }) => {
      const limit = limitOf(query);
      const found = await task.findMany({ where: taskWhere(query), orderBy: { id: "asc" }, take: limit + 1 });
      const views = found.map(
        (one): TaskView => ({ ...taskFrom(one), isOwned: one.owner !== null, error: one.error ?? undefined }),
      );
      return pageOf(views, limit, ({ id }) => [id]);
    });
  }

  failedTasks(query: PageQuery & { readonly to?: MetaString; readonly from?: Locator } = {}): Promise<ReadPage<FailedTask>> {
    return this.#ask(async ({ failedTask }) => {
      const limit = limitOf(query);
      const found = await failedTask.findMany({ where: taskWhere(query), orderBy: { id: "asc" }, take: limit + 1 });
      const failed = found.map(
        (one): FailedTask => ({ ...taskFrom(one), code: one.code, error: one.error, failedMs: Number(one.failedMs) }),
      );
      return pageOf(failed, limit, ({ id }) => [id]);
    });
  }

  counts(meta?: MetaString): Promise<MetaCount[]> {
    return this.#ask(async (client) => {
      const metas = await client.instance.groupBy({
        by: ["meta"],
        where: meta === undefined ? {} : { meta },
        _count: { _all: true },
        orderBy: { meta: "asc" },
      });
      const rows = await client.$queryRawUnsafe<{ meta: string; state: string; lines: number | bigint }[]>(
        this.#parts.stateCounts,
        meta ?? "",
      );
      const states = Map.groupBy(rows, (row) => row.meta);
      return metas.map((one) => ({
        meta: one.meta,
        instances: one._count._all,
        states: (states.get(one.meta) ?? []).map(({ state, lines }) => ({ state, lines: Number(lines) })),
      }));
    });
  }

  close(): Promise<void> {
    return this.#client.$disconnect();
  }

  async #ask<T>(work: (client: ReadClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.#client);
    } catch (thrown) {
      if (thrown instanceof MetanodeError) throw thrown;
      const { message } = thrown as Error;
      throw natureError("store.unavailable", `the database could not be read: ${message.trim()}`, { cause: thrown });
    }
  }
}

function keyCells({ meta, id, para, version }: Locator): [string, string, string, number] {
  return [meta, storedId(id), para, version];
}

/** A later page begins after its cursor; bounds from below say nothing more. */
function withoutLower<T extends { readonly keyGt?: string; readonly keyGe?: string }>(query: T): Omit<T, "keyGt" | "keyGe"> {
  const { keyGt: _, keyGe: __, ...rest } = query;
  return rest;
}

/** After a key, in the ascending order of keys. The first condition is for the index. */
function beyond([meta, id, para, version]: [string, string, string, number]) {
  return {
    meta: { gte: meta },
    OR: [
      { meta: { gt: meta } },
      { meta, id: { gt: id } },
      { meta, id, para: { gt: para } },
      { meta, id, para, version: { gt: version } },
    ],
  };
}

/** After the last of a page of recent ones. The first condition is for the index. */
function olderThan([createdMs, id, para, version]: [number, string, string, number]) {
  const at = BigInt(createdMs);
  return {
    createdMs: { lte: at },
    OR: [
      { createdMs: { lt: at } },
      { createdMs: at, id: { gt: id } },
      { createdMs: at, id, para: { gt: para } },
      { createdMs: at, id, para, version: { lt: version } },
    ],
  };
}

function taskWhere(query: PageQuery & { readonly to?: MetaString; readonly from?: Locator }) {
  const [after] = (afterOf(query, ["number"]) ?? []) as [number?];
  const { to, from } = query;
  return {
    ...(after === undefined ? {} : { id: { gt: BigInt(after) } }),
    ...(to === undefined ? {} : { to }),
    ...(from === undefined
      ? {}
      : { fromMeta: from.meta, fromId: storedId(from.id), fromPara: from.para, fromVersion: from.version }),
  };
}

function instanceFrom(record: InstanceRecord): Instance {
  const { meta, id, para, version, content, context, sysContext, states, fromKey, createdMs } = record;
  return {
    meta,
    id: readId(id),
    para,
    version,
    content,
    context: JSON.parse(context),
    sysContext: JSON.parse(sysContext),
    states: JSON.parse(states),
    from: fromKey === null ? undefined : locatorOf(fromKey),
    createdMs: Number(createdMs),
  };
}

function taskFrom(record: TaskRecord): Task {
  const { id, fromMeta, fromId, fromPara, fromVersion, to, mission, createdMs, dueMs, attempts } = record;
  return {
    id: Number(id),
    upstream: { meta: fromMeta, id: readId(fromId), para: fromPara, version: fromVersion },
    to,
    mission,
    createdMs: Number(createdMs),
    dueMs: Number(dueMs),
    attempts,
  };
}
