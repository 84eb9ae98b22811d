import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { tags, workflowsOf } from "./access.ts";

const Query = z.strictObject({
  counts: z
    .enum(["true", "false"])
    .default("false")
    .describe("Also count the instances of each meta and state; looks at all that is stored."),
});
const counters = (...names: string[]) => z.object(Object.fromEntries(names.map((name) => [name, z.int()])));

const StatsView = z
  .object({
    version: z.int().describe("Of what is declared."),
    metas: z.int(),
    relations: z.int(),
    problems: z.array(z.object({ what: z.string(), text: z.string() })).describe("What is declared and does not fit."),
    awaySince: z.string().optional().describe("The database is away since then."),
    engine: counters("inputs", "stored", "converted", "retried", "failed", "conflicts", "dropped").describe(
      "Since the start of this node.",
    ),
    load: counters("waiting", "running", "parked", "storing").describe("Tasks in the memory of this node."),
    backlog: z.object({
      owned: z.int(),
      due: z.int(),
      delayed: z.int(),
      failed: z.int(),
      oldestDueAt: z.string().optional().describe("When the longest waiting task became due."),
    }),
    flows: z
      .array(
        z.object({
          from: z.string(),
          to: z.string(),
          converted: z.int(),
          retried: z.int(),
          failed: z.int(),
          conflicts: z.int(),
          meanMs: z.number().describe("From the moment at which a task was due to its end."),
        }),
      )
      .describe("By relation, since the start of this node."),
    counts: z
      .array(
        z.object({
          meta: z.string(),
          instances: z.int(),
          states: z.array(z.object({ state: z.string(), lines: z.int() })),
        }),
      )
      .optional(),
  })
  .meta({ id: "WorkflowStats", description: "How the workflows of a node do" });

/** Numbers for dashboards. */
export function statsRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "getWorkflowStats",
    summary: "How the workflows do: what was done, what waits, what failed",
    tags,
    querystring: Query,
    response: { 200: answer("Numbers", StatsView), ...problems("usage.invalid", "resource.not_found", "store.unavailable") },
  };
  api.get("/workflows/stats", { schema }, async ({ query }) => {
    const { engine, registry, reads } = workflowsOf(context);
    const { declared, catalog } = registry;
    const { oldestDueMs, ...backlog } = await engine.backlog();
    return {
      version: declared.version,
      metas: declared.metas.length,
      relations: declared.relations.length,
      problems: catalog.problems.map(({ what, error }) => ({ what, text: error.message })),
      awaySince: timeOf(engine.awaySinceMs),
      engine: { ...engine.stats },
      load: { ...engine.load },
      backlog: { ...backlog, oldestDueAt: timeOf(oldestDueMs) },
      flows: engine.relationMeasures().map(({ from, to, converted, retried, failed, conflicts, latency }) => {
        const meanMs = latency.count === 0 ? 0 : latency.sumMs / latency.count;
        return { from, to, converted, retried, failed, conflicts, meanMs };
      }),
      counts: query.counts === "true" ? await countsOf(reads) : undefined,
    };
  });
}

async function countsOf(reads: ReturnType<typeof workflowsOf>["reads"]) {
  const counts = await reads.counts();
  return counts.map(({ meta, instances, states }) => ({ meta, instances, states: states.map((one) => ({ ...one })) }));
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
