import { type Meta, type Nature, type NatureOptions, openNature, type Relation } from "@metanode/nature";
import { advance, type FlowName, type FlowWorld, STEPS } from "../flows.ts";

/** The meta of what is stored and leads to nothing. */
const STORED = "B:bench/stored:1";

/** The meta of a step of a flow; that of the input is number 0. */
export function stepMeta(name: FlowName, step: number): string {
  return `B:bench/${name}/step${step}:1`;
}

/** Workflows on a database in a folder. */
export function openOnSqlite(folder: string): Promise<FlowWorld> {
  return openWorld({ folder });
}

/** The same, no step begun before the one before it is on the disk. */
export function openStepwiseOnSqlite(folder: string): Promise<FlowWorld> {
  return openWorld({ folder, engine: { maxAhead: 0 } });
}

/** Workflows on a PostgreSQL. */
export function openOnPostgres(databaseUrl: string): Promise<FlowWorld> {
  return openWorld({ databaseUrl });
}

async function openWorld(options: NatureOptions): Promise<FlowWorld> {
  const ends = new Set(names().map((name) => stepMeta(name, STEPS[name])));
  /** By id: a flow keeps that of its input. */
  const waiting = new Map<string, () => void>();
  const nature: Nature = await openNature({
    ...options,
    flows: [declared()],
    onReport: ({ text }) => console.error(text),
    onStored: ({ meta, id }) => {
      if (!ends.has(meta)) return;
      waiting.get(id)?.();
      waiting.delete(id);
    },
  });
  return {
    flow: async (name, content) => {
      const { instance } = await nature.input({ meta: stepMeta(name, 0), content });
      await new Promise<void>((resolve) => waiting.set(instance.id, resolve));
    },
    store: (content) => nature.input({ meta: STORED, content }),
    count: async (work) => {
      const [counted] = await nature.reads.counts(work === "stored" ? STORED : stepMeta(work, STEPS[work]));
      return counted?.instances ?? 0;
    },
    close: () => nature.stop(),
  };
}

function names(): FlowName[] {
  return Object.keys(STEPS) as FlowName[];
}

function declared(): NonNullable<NatureOptions["flows"]>[number] {
  const metas: Meta[] = [meta(STORED)];
  const relations: Relation[] = [];
  for (const name of names()) {
    for (let step = 0; step <= STEPS[name]; step++) metas.push(meta(stepMeta(name, step)));
    for (let step = 0; step < STEPS[name]; step++) {
      const settings = { executor: { protocol: "local", url: "advance" }, useUpstreamId: true } as const;
      relations.push({ from: stepMeta(name, step), to: stepMeta(name, step + 1), settings, enabled: true });
    }
  }
  return {
    metas,
    relations,
    executors: { advance: ({ from }) => ({ type: "instances", instances: [{ content: advance(from.content) }] }) },
  };
}

function meta(name: string): Meta {
  return { meta: name, description: "", states: "", settings: {}, enabled: true };
}
