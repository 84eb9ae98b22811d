import type { ActionInfo, EdgeStatus, GraphInfo, NodeStatus, RunStatus } from "@metanode/streaming";
import { z } from "zod";

/** A graph as one writes it. What is in it is checked by the streams themselves, which name every fault. */
export const DocumentView = z
  .looseObject({
    name: z.string().optional(),
    expression: z.string().optional().describe("`a; (b || c)`; instead of `edges`."),
    edges: z.array(z.array(z.string())).optional().describe("Pairs of nodes; instead of `expression`."),
    nodes: z
      .array(z.looseObject({ name: z.string() }))
      .optional()
      .describe("What each node runs, and how."),
  })
  .meta({ id: "GraphDocument", description: "A graph as one writes it" });

export const StateView = z.enum([
  "stopped",
  "running",
  "paused",
  "draining",
  "completed",
  "failed",
  "restarting",
  "crash-looping",
]);

export const GraphView = z
  .object({
    name: z.string(),
    state: StateView,
    desired: z.enum(["running", "paused", "stopped"]).describe("What is wanted of it, over restarts."),
    version: z.int(),
    hash: z.string(),
    epoch: z.int().describe("How often it was run."),
    appliedAt: z.string(),
    reason: z.string().optional().describe("Why it failed or is paused."),
    failures: z.int().describe("Failures in a row."),
    document: DocumentView,
    graph: z.looseObject({}).describe("Its canonical form."),
  })
  .meta({ id: "Graph", description: "A graph, and how it does" });

/** What the tag of a graph stands for. */
export const graphTagged = ({ name, version, hash, appliedAt }: z.infer<typeof GraphView>): unknown => [
  name,
  version,
  hash,
  appliedAt,
];

export const VersionView = z.object({ version: z.int(), hash: z.string(), appliedAt: z.string(), document: DocumentView });

const Count = z.int().min(0);

const NodeView = z.object({
  name: z.string(),
  role: z.enum(["source", "stage", "sink"]),
  out: Count.describe("Records given on since the run began."),
  waiting: Count.describe("Records taken and not done with."),
  hasRoom: z.boolean().describe("Whether it takes more; if not, pressure comes from here or from behind it."),
  counts: z.record(z.string(), Count).describe("filtered, errors, retries, dropped, deadLetters, restarts, duplicates, late"),
  inFlight: Count.optional().describe("Of a source: records handed over and not through."),
  inFlightBytes: Count.optional(),
  oldestAgeMs: Count.optional().describe("Of a source: age of the oldest record that is not through."),
  sequence: Count.optional().describe("Of a source: records handed over since the beginning of the graph."),
  details: z.looseObject({}).optional(),
});

const EdgeView = z.object({ from: z.string(), to: z.string(), records: Count, bytes: Count, refusals: Count });

export const StatusView = z
  .object({
    state: StateView,
    reason: z.string().optional(),
    epoch: Count,
    at: z.string(),
    nodes: z.array(NodeView),
    edges: z.array(EdgeView),
  })
  .meta({ id: "GraphStatus", description: "The numbers of a running graph" });

export const IssueView = z.looseObject({
  kind: z.string(),
  message: z.string(),
  line: z.int().optional().describe("In an expression, from 1."),
  column: z.int().optional().describe("From 1."),
});

export const CheckView = z.object({
  graph: z.looseObject({}).optional(),
  plan: z
    .object({
      sources: z.array(z.string()),
      sinks: z.array(z.string()),
      edges: z.array(z.array(z.string())),
      startOrder: z.array(z.string()),
    })
    .optional(),
  issues: z.array(IssueView).describe("What has to be mended before it can run."),
  warnings: z.array(z.string()),
});

export const ActionView = z
  .object({
    name: z.string(),
    kind: z.enum(["function", "built-in", "uploaded"]),
    summary: z.string(),
    version: z.int().optional().describe("Of an uploaded program."),
    hash: z.string().optional(),
    bytes: z.int().optional(),
    schema: z.looseObject({}).optional().describe("JSON Schema of what a node says in `with`."),
  })
  .meta({ id: "Action", description: "What nodes of graphs can run" });

export const LineView = z.object({
  node: z.string().describe("Empty for the graph itself."),
  level: z.enum(["debug", "info", "warn", "error"]),
  text: z.string(),
  at: z.string(),
});

export function graphView({ appliedAtMs, document, graph, ...rest }: GraphInfo): z.infer<typeof GraphView> {
  return {
    ...rest,
    appliedAt: at(appliedAtMs),
    document: document as z.infer<typeof DocumentView>,
    graph: graph as unknown as Record<string, unknown>,
  };
}

export function statusView({ nodes, edges, ...rest }: RunStatus, nowMs: number): z.infer<typeof StatusView> {
  return { ...rest, at: at(nowMs), nodes: nodes.map(nodeView), edges: edges.map((edge: EdgeStatus) => ({ ...edge })) };
}

export function actionView({ schema, ...rest }: ActionInfo): z.infer<typeof ActionView> {
  return { ...rest, ...(schema === undefined ? {} : { schema: { ...schema } }) };
}

export function at(ms: number): string {
  return new Date(ms).toISOString();
}

function nodeView({ counts, details, ...rest }: NodeStatus): z.infer<typeof NodeView> {
  return {
    ...rest,
    counts: { ...counts } as Record<string, number>,
    ...(details === undefined ? {} : { details: { ...details } }),
  };
}
