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
export function listAction(records: readonly unknown[], { size = 3, failAt = Number.POSITIVE_INFINITY } = {}): Action {
  return {
    source: () => ({
      async *read({ position }): AsyncGenerator<SourceBatch> {
        for (let next = Number(position ?? 0); next < records.length; ) {
          if (next >= failAt) throw new Error("the machine is gone");
          const given = records.slice(next, next + size);
          next += given.length;
          yield { records: given, position: String(next) };
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
}

export interface RunListOptions {
  readonly clock?: Clock;
  readonly progress?: ProgressStore;
  /** Read numbers at which the source crashes, each once; then the graph is run again. */
  readonly crashes?: readonly number[];
  readonly size?: number;
}

/** Runs lists through one action, with crashes in between; returns everything that came out, in order. */
export async function runLists(
  lists: Readonly<Record<string, readonly unknown[]>>,
  action: Action,
  { clock, progress = new MemoryProgress(), crashes = [], size }: RunListOptions = {},
): Promise<Collected[]> {
  const names = Object.keys(lists);
  const { graph } = compileGraph({ name: "lists", expression: `(${names.join(" || ")}); work; keep` });
  const out: Collected[] = [];
  for (const failAt of [...crashes, Number.POSITIVE_INFINITY]) {
    const actions = new Map<string, Action>([
      ...names.map((name) => [name, listAction(lists[name] ?? [], { failAt, ...(size === undefined ? {} : { size }) })] as const),
      ["work", action],
      ["keep", functionAction((record: unknown, { id }) => void out.push({ id, record }))],
    ]);
    const run = await GraphRun.open({
      graph,
      actions,
      folder: ".",
      progress,
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
