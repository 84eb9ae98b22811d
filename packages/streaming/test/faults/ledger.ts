import { createMemoryLog, type Log } from "@metanode/core/log";
import { expect, onTestFinished, vi } from "vitest";
import {
  type GivenActions,
  type GraphNode,
  openStreams,
  type RunStatus,
  type Streams,
  type StreamsOptions,
} from "../../src/index.ts";
import { NumberSource } from "../run/counting.ts";
import { testFolder } from "../tools/folder.ts";

/** What a test of faults has: a graph under load, and a book of what went in and what came out. */
export interface Faults {
  readonly streams: Streams;
  readonly source: NumberSource;
  readonly log: Log;
  /** Lets so many more records out. */
  give(count: number): void;
  /** Records that the source has let out. */
  handedOver(): number;
  /** Every record at the sink, as often as it came. */
  arrived(): readonly string[];
  status(): RunStatus;
  /** The process of a stage, once it has one. */
  pidOf(stage: string): Promise<number>;
  /** Waits until everything is there, and closes the book: nothing lost, so many at most twice. */
  balance(options: { maxDuplicates: number }): Promise<void>;
}

/** Runs `numbers; …stages; keep` and keeps the book. */
export async function underLoad(
  stages: readonly GraphNode[],
  more: Partial<StreamsOptions> & { functions?: GivenActions } = {},
): Promise<Faults> {
  const source = new NumberSource();
  const log = more.services?.log ?? createMemoryLog();
  const seen: string[] = [];
  let given = 0;
  const streams = await openStreams({
    folder: testFolder(),
    ...more,
    services: { log },
    functions: {
      numbers: { source: () => source },
      keep: (record: unknown) => void seen.push(String(record)),
      ...more.functions,
    },
  });
  onTestFinished(() => streams.close());
  const names = stages.map(({ name }) => name);
  await streams.apply({
    name: "load",
    nodes: [{ name: "numbers" }, ...stages, { name: "keep" }],
    expression: ["numbers", ...names, "keep"].join("; "),
  });
  await streams.run("load");
  const status = (): RunStatus => streams.status("load") as RunStatus;
  return {
    streams,
    source,
    log,
    status,
    give: (count) => {
      given += count;
      source.give(count);
    },
    handedOver: () => given,
    arrived: () => seen,
    pidOf: (stage) =>
      vi.waitFor(() => {
        const details = status().nodes.find(({ name }) => name === stage)?.details as
          | { pid?: number; pids?: number[] }
          | undefined;
        const pid = details?.pid ?? details?.pids?.at(-1);
        expect(pid).toBeTypeOf("number");
        return pid as number;
      }, 10_000),
    balance: async ({ maxDuplicates }) => {
      await vi.waitFor(() => expect(new Set(seen).size).toBe(given), { timeout: 25_000, interval: 20 });
      await streams.stop("load");
      const lost = Array.from({ length: given }, (_, number) => String(number)).filter((record) => !seen.includes(record));
      expect(lost).toEqual([]);
      expect(seen.length - given).toBeLessThanOrEqual(maxDuplicates);
    },
  };
}

/** A stage that takes one record and gives it back: a program of one's own, that lives on. */
export const echo = (name: string, more: Partial<GraphNode> = {}): GraphNode => ({
  name,
  command: "sed -u s/x/x/",
  answers: "one",
  backoffMs: [0],
  ...more,
});

/** A stage that runs over batches. */
export const batches = (name: string, more: Partial<GraphNode> = {}): GraphNode => ({
  name,
  command: "cat",
  runMs: 300,
  backoffMs: [0],
  ...more,
});

export function kill(pid: number): void {
  process.kill(-pid, "SIGKILL");
}
