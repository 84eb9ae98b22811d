import type { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { Items, NodeView, ProcessorView, StatsView, TypeView } from "../api/views.ts";
import { formatDuration } from "../duration.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { paintState, processorTable } from "../output/processors.ts";
import { renderFields } from "../output/table.ts";
import { nowMs } from "../time.ts";
import { type Look, showOrWatch } from "../watch.ts";

/** Everything that is shown: the answers of the API under one roof. */
interface Status {
  readonly node: NodeView;
  readonly processors: readonly ProcessorView[];
  readonly types: readonly TypeRate[];
}

/** A type that is handled, or was, with its counters. */
interface TypeRate {
  readonly type: string;
  readonly versions: readonly string[];
  readonly count: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly meanMs: number;
  readonly backlog: number;
  /** Since the last look with --watch, else since the start of the node. */
  readonly perSecond: number;
}

/** `metanode status` */
export async function run(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  await showOrWatch<Status>(invocation, {
    look: (last) => look(client, last),
    text: (status) => textOf(invocation.output, status),
  });
}

async function look(client: ApiClient, last: Look<Status> | undefined): Promise<Status> {
  const [node, processors, types, stats] = await Promise.all([
    client.json<NodeView>({ path: paths.node }),
    client.json<Items<ProcessorView>>({ path: paths.processors }),
    client.json<Items<TypeView>>({ path: paths.types }),
    client.json<Items<StatsView>>({ path: paths.stats }),
  ]);
  const since = {
    atMs: last?.atMs ?? Date.parse(node.startedAt),
    counts: new Map(last?.value.types.map(({ type, count }) => [type, count])),
  };
  return { node, processors: processors.items, types: ratesOf({ node, types: types.items, stats: stats.items }, since) };
}

interface Answers {
  readonly node: NodeView;
  readonly types: readonly TypeView[];
  readonly stats: readonly StatsView[];
}

/** What the rates are counted from. */
interface Since {
  readonly atMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

function ratesOf({ node, types, stats }: Answers, since: Since): TypeRate[] {
  const counters = new Map(stats.map((one) => [one.type, one]));
  const names = new Set([...types.map(({ type }) => type), ...counters.keys(), ...Object.keys(node.backlog)]);
  const seconds = Math.max(0.001, (nowMs() - since.atMs) / 1_000);
  return [...names].sort().map((type) => {
    const { count = 0, failures = {}, inFlight = 0, meanMs = 0 } = counters.get(type) ?? {};
    return {
      type,
      versions: types.filter((one) => one.type === type).map(({ version }) => version),
      count,
      failed: Object.values(failures).reduce((sum, number) => sum + number, 0),
      inFlight,
      meanMs,
      backlog: node.backlog[type] ?? 0,
      perSecond: Math.max(0, count - (since.counts.get(type) ?? 0)) / seconds,
    };
  });
}

function textOf(output: Output, { node, processors, types }: Status): string {
  const reasons = Object.entries(node.health.modules).flatMap(([name, { reasons: found }]) =>
    found.map((reason) => `${name}: ${reason}`),
  );
  const head = renderFields([
    ["node", `${node.name} (${node.nodeId}) at ${node.url}`],
    ["state", `${node.state} for ${formatDuration(Math.max(0, nowMs() - Date.parse(node.startedAt)))}, version ${node.version}`],
    ["health", reasons.length === 0 ? node.health.status : `${node.health.status}: ${reasons.join("; ")}`],
    ["backlog", Object.values(node.backlog).reduce((sum, number) => sum + number, 0)],
    ["dead letters", node.deadLetters],
  ]).replace(/^(health +)(\w+)/m, (_all, name: string, status: string) => name + paintState(output, status, status));
  return [head, processorTable(output, processors), typeTable(output, types)].join("\n\n");
}

function typeTable(output: Output, types: readonly TypeRate[]): string {
  return output.table(
    types,
    [
      { title: "TYPE", value: (row) => row.type },
      { title: "VERSIONS", value: (row) => row.versions.join(", ") || "none" },
      { title: "PER SECOND", value: (row) => row.perSecond.toFixed(1), align: "right" },
      { title: "MEAN MS", value: (row) => row.meanMs.toFixed(2), align: "right" },
      { title: "IN FLIGHT", value: (row) => row.inFlight, align: "right" },
      { title: "HANDLED", value: (row) => row.count, align: "right" },
      {
        title: "FAILED",
        value: (row) => row.failed,
        align: "right",
        paint: (text, row) => (row.failed > 0 ? output.paint("red", text) : text),
      },
      { title: "BACKLOG", value: (row) => row.backlog, align: "right" },
    ],
    "no types",
  );
}
