import type { Clock } from "@metanode/core";
import {
  type Action,
  type Commit,
  compileGraph,
  functionAction,
  GraphRun,
  MemoryProgress,
  type ProgressStore,
  type SourceBatch,
} from "../../src/index.ts";

/** A source over a list, in batches of `size`, that fails when it gets to `failAt`: a crash that a test can place. */
export function listAction(
  records: readonly unknown[],
  {
    size = 3,
    failAt = Number.POSITIVE_INFINITY,
    beforeCrash,
    traceOf,
  }: {
    size?: number;
    failAt?: number;
    beforeCrash?: (position: string) => Promise<void>;
    traceOf?: (record: unknown) => string | undefined;
  } = {},
): Action {
  return {
    source: () => ({
      async *read({ position }): AsyncGenerator<SourceBatch> {
        for (let next = Number(position ?? 0); next < records.length; ) {
          if (next >= failAt) {
            if (next > Number(position ?? 0)) await beforeCrash?.(String(next));
            throw new Error("the machine is gone");
          }
          const given = records.slice(next, next + size);
          next += given.length;
          const first = next - given.length;
          const idOf = (index: number): string => `list:${first + index}`;
          const lineage = traceOf === undefined ? {} : { lineage: { idOf, traceOf: (index: number) => traceOf(given[index]) } };
          yield { records: given, position: String(next), ...lineage };
          // Gives the run the time to store what it has.
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    }),
  };
}

export interface Collected {
  readonly id: string;
  readonly record: unknown;
  readonly trace: string | undefined;
}

export interface RunListOptions {
  readonly clock?: Clock;
  readonly progress?: ProgressStore;
  /** Read numbers at which the source crashes, each once; then the graph is run again. */
  readonly crashes?: readonly number[];
  readonly size?: number;
  /** The trace that a record of the lists belongs to. */
  readonly traceOf?: (record: unknown) => string | undefined;
}

/** Runs lists through one action, with crashes in between; returns everything that came out, in order. */
export async function runLists(
  lists: Readonly<Record<string, readonly unknown[]>>,
  action: Action,
  { clock, progress = new MemoryProgress(), crashes = [], size, traceOf }: RunListOptions = {},
): Promise<Collected[]> {
  const names = Object.keys(lists);
  const { graph } = compileGraph({ name: "lists", expression: `(${names.join(" || ")}); work; keep` });
  const out: Collected[] = [];
  const committing = new AnnouncedProgress(progress);
  for (const [round, failAt] of [...crashes, Number.POSITIVE_INFINITY].entries()) {
    // Every other crash comes after everything was stored, the others whenever they come.
    const beforeCrash = round % 2 === 0 ? (name: string) => (position: string) => committing.reached(name, position) : undefined;
    const actions = new Map<string, Action>([
      ...names.map(
        (name) =>
          [
            name,
            listAction(lists[name] ?? [], {
              failAt,
              ...(size === undefined ? {} : { size }),
              ...(traceOf === undefined ? {} : { traceOf }),
              ...(beforeCrash === undefined ? {} : { beforeCrash: beforeCrash(name) }),
            }),
          ] as const,
      ),
      ["work", action],
      ["keep", functionAction((record: unknown, { id, traceparent }) => void out.push({ id, record, trace: traceparent }))],
    ]);
    const run = await GraphRun.open({
      graph,
      actions,
      folder: ".",
      progress: committing,
      checkpointMs: 0,
      ...(clock === undefined ? {} : { clock }),
    });
    const end = await run.ended;
    if (end.outcome === "failed" && failAt === Number.POSITIVE_INFINITY) throw end.error;
  }
  return out;
}

/** What came out, each id once: what a sink that keeps ids would have. */
export function once(collected: readonly Collected[]): unknown[] {
  return [...new Map(collected.map(({ id, record }) => [id, record])).values()];
}

/** A store whose commits can be counted. */
export class CountedProgress extends MemoryProgress {
  commits = 0;

  override async commit(commit: Commit): Promise<void> {
    this.commits++;
    await super.commit(commit);
  }
}

/** A store that gives state in the order of its keys, as tables do. */
export class SortedProgress extends MemoryProgress {
  override async load(): ReturnType<ProgressStore["load"]> {
    const { sources, state } = await super.load();
    const sorted = [...state].map(([stage, entries]) => [stage, new Map([...entries].sort())] as const);
    return { sources, state: new Map(sorted) };
  }
}

/** Tells when a position of a source is stored. */
class AnnouncedProgress implements ProgressStore {
  readonly #inner: ProgressStore;
  readonly #stored = new Map<string, string>();
  #waiters: { readonly source: string; readonly position: string; readonly resolve: () => void }[] = [];

  constructor(inner: ProgressStore) {
    this.#inner = inner;
  }

  reached(source: string, position: string): Promise<void> {
    if (this.#stored.get(source) === position) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ source, position, resolve }));
  }

  load(): ReturnType<ProgressStore["load"]> {
    return this.#inner.load();
  }

  async commit(commit: Commit): Promise<void> {
    await this.#inner.commit(commit);
    for (const [source, { position }] of commit.sources) this.#stored.set(source, position);
    const isReached = ({ source, position }: { source: string; position: string }): boolean =>
      this.#stored.get(source) === position;
    for (const { resolve } of this.#waiters.filter(isReached)) resolve();
    this.#waiters = this.#waiters.filter((waiter) => !isReached(waiter));
  }
}
