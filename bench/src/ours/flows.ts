import { Catalog } from "../../../packages/nature/src/catalog/catalog.ts";
import { Engine } from "../../../packages/nature/src/engine/engine.ts";
import { defineExecutors } from "../../../packages/nature/src/executor/local.ts";
import type { Meta } from "../../../packages/nature/src/meta/meta.ts";
import type { Relation } from "../../../packages/nature/src/relation/relation.ts";
import type { Store } from "../../../packages/nature/src/store/full-store.ts";
import { openPostgresStore } from "../../../packages/nature/src/store/postgres.ts";
import { openSqliteStore } from "../../../packages/nature/src/store/sqlite.ts";
import { advance, type FlowName, type FlowWorld, STEPS } from "../flows.ts";

/** The meta of what is stored and leads to nothing. */
const STORED = "B:bench/stored:1";

/** The meta of a step of a flow; that of the input is number 0. */
export function stepMeta(name: FlowName, step: number): string {
  return `B:bench/${name}/step${step}:1`;
}

/** Workflows on a database in a folder. */
export async function openOnSqlite(folder: string): Promise<FlowWorld> {
  return world(await openSqliteStore({ folder }));
}

/** Workflows on a PostgreSQL. */
export async function openOnPostgres(url: string): Promise<FlowWorld> {
  return world(await openPostgresStore({ url }));
}

function world(store: Store): FlowWorld {
  const catalog = declared();
  const ends = new Set(names().map((name) => stepMeta(name, STEPS[name])));
  /** By id: a flow keeps that of its input. */
  const waiting = new Map<string, () => void>();
  const engine = new Engine({
    store,
    catalog: () => catalog,
    credential: () => "",
    resolvers: {
      local: defineExecutors({
        advance: ({ from }) => ({ type: "instances", instances: [{ content: advance(from.content) }] }),
      }),
    },
    onReport: ({ text }) => console.error(text),
    onStored: ({ meta, id }) => {
      if (!ends.has(meta)) return;
      waiting.get(id)?.();
      waiting.delete(id);
    },
  });
  engine.start();
  return {
    flow: async (name, content) => {
      const { instance } = await engine.input({ meta: stepMeta(name, 0), content });
      await new Promise<void>((resolve) => waiting.set(instance.id, resolve));
    },
    store: (content) => engine.input({ meta: STORED, content }),
    count: async (work) => {
      const [counted] = await store.reads.counts(work === "stored" ? STORED : stepMeta(work, STEPS[work]));
      return counted?.instances ?? 0;
    },
    close: async () => {
      await engine.stop();
      await store.close();
    },
  };
}

function names(): FlowName[] {
  return Object.keys(STEPS) as FlowName[];
}

function declared(): Catalog {
  const metas: Meta[] = [meta(STORED)];
  const relations: Relation[] = [];
  for (const name of names()) {
    for (let step = 0; step <= STEPS[name]; step++) metas.push(meta(stepMeta(name, step)));
    for (let step = 0; step < STEPS[name]; step++) {
      const settings = { executor: { protocol: "local", url: "advance" }, useUpstreamId: true } as const;
      relations.push({ from: stepMeta(name, step), to: stepMeta(name, step + 1), settings, enabled: true });
    }
  }
  return new Catalog({ metas, relations });
}

function meta(name: string): Meta {
  return { meta: name, description: "", states: "", settings: {}, enabled: true };
}
