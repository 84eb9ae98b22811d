import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Action,
  compileGraph,
  functionAction,
  GraphRun,
  type GraphRunOptions,
  iterableAction,
  type NodeSettings,
  programAction,
  type RunEnd,
} from "../../src/index.ts";

/** What a graph over `records` gives: records, then the stages, then a sink that keeps what it gets. */
export interface Outcome {
  readonly end: RunEnd;
  readonly seen: string[];
  readonly run: GraphRun;
  readonly letters: {
    readonly record: unknown;
    readonly stderr: string | undefined;
    readonly attempts: number;
    readonly error: unknown;
  }[];
  readonly log: string[];
}

export interface Stages {
  readonly [name: string]: NodeSettings;
}

/** Opens the graph `records; …stages; keep`. */
export async function openPrograms(records: Iterable<unknown>, stages: Stages, more: Partial<GraphRunOptions> = {}) {
  const names = Object.keys(stages);
  const nodes = [
    { name: "records" },
    ...Object.entries(stages).map(([name, settings]) => ({ name, ...settings })),
    { name: "keep" },
  ];
  const { graph } = compileGraph({ name: "programs", nodes, expression: ["records", ...names, "keep"].join("; ") });
  const seen: string[] = [];
  const letters: Outcome["letters"] = [];
  const log: string[] = [];
  const actions = new Map<string, Action>([
    ["records", iterableAction(() => records)],
    [
      "keep",
      functionAction(
        (record: unknown) => void seen.push(record instanceof Uint8Array ? Buffer.from(record).toString() : String(record)),
      ),
    ],
    ...graph.nodes.filter(({ name }) => name in stages).map((node) => [node.name, programAction(node)] as const),
  ]);
  const run = await GraphRun.open({
    graph,
    actions,
    folder: mkdtempSync(join(tmpdir(), "metanode-programs-")),
    onLog: ({ text }) => log.push(text),
    onDeadLetter: async ({ record, stderr, attempts, error }) => void letters.push({ record, stderr, attempts, error }),
    ...more,
  });
  return { run, seen, letters, log };
}

/** Runs it to its end. */
export async function runPrograms(
  records: Iterable<unknown>,
  stages: Stages,
  more: Partial<GraphRunOptions> = {},
): Promise<Outcome> {
  const opened = await openPrograms(records, stages, more);
  return { ...opened, end: await opened.run.ended };
}

/** The words that run a script of JavaScript. */
export function script(code: string): string[] {
  return [process.execPath, "-e", code];
}
