import { hasCode, type MetanodeError } from "@metanode/core";
import type { GraphDocument, Streams } from "@metanode/streaming";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { requireMatch } from "../tags.ts";
import { actionRoutes } from "./actions.ts";
import { controlRoutes } from "./control.ts";
import { liveRoutes } from "./live.ts";
import { at, CheckView, DocumentView, GraphView, graphTagged, graphView, VersionView } from "./views.ts";

const tags = ["graphs"];
const Name = z.object({ name: z.string() });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.string().optional().describe("What the last page returned as `next`."),
});
const faults = ["stream.graph", "stream.syntax", "stream.too_large", "stream.action_unknown", "stream.storage"] as const;

/** Graphs of programs: what there is, what each comes to, and its life. */
export function graphRoutes(api: Api, context: HttpContext): void {
  const streams = (): Promise<Streams> => context.streams.streams();
  // Fixed words come before names.
  checkRoute(api, streams);
  readRoutes(api, streams);
  changeRoutes(api, streams);
  controlRoutes(api, streams);
  liveRoutes(api, context);
  actionRoutes(api, context);
}

function checkRoute(api: Api, streams: () => Promise<Streams>): void {
  const schema = {
    operationId: "checkGraph",
    summary: "What a document comes to, with every fault and warning; nothing is stored",
    tags,
    body: DocumentView,
    response: {
      200: answer("The plan, or what is wrong", CheckView),
      ...problems("stream.graph", "stream.syntax", "stream.too_large", "usage.invalid"),
    },
  };
  api.post("/graphs/check", { schema }, async ({ body }) => {
    const all = await streams();
    const checked = orIssues(() => all.check(body as unknown as GraphDocument));
    const { graph, plan, issues, warnings } = checked;
    return {
      ...(graph === undefined ? {} : { graph: graph as unknown as Record<string, unknown> }),
      ...(plan === undefined ? {} : { plan: { ...plan, edges: plan.edges.map(([from, to]) => [from, to]) } as never }),
      issues: issues.map((issue) => ({ ...issue })),
      warnings: [...warnings],
    };
  });
}

/** What is wrong with a document is what was asked for, so it is an answer and no error. */
function orIssues(
  check: () => ReturnType<Streams["check"]>,
): Partial<ReturnType<Streams["check"]>> & Pick<ReturnType<Streams["check"]>, "issues" | "warnings"> {
  try {
    return check();
  } catch (error) {
    const { issues, errors } = (error as MetanodeError).details ?? {};
    if (!(hasCode(error, "stream.graph") || hasCode(error, "stream.syntax")) || !Array.isArray(issues)) throw error;
    // In an expression each fault has a place.
    const placed = Array.isArray(errors) ? errors : [];
    const others = placed.length === 0 ? issues : issues.filter(({ path }) => path !== "expression");
    return { issues: [...placed, ...others], warnings: [] };
  }
}

function readRoutes(api: Api, streams: () => Promise<Streams>): void {
  const listSchema = {
    operationId: "listGraphs",
    summary: "Every graph, by name",
    tags,
    querystring: Page,
    response: {
      200: answer("One page", z.object({ items: z.array(GraphView), next: z.string().optional() })),
      ...problems("usage.invalid"),
    },
  };
  api.get("/graphs", { schema: listSchema }, async ({ query: { limit, cursor } }) => {
    const after = (await streams()).list().filter(({ name }) => cursor === undefined || name > cursor);
    const items = after.slice(0, limit);
    const next = after.length > limit ? items.at(-1)?.name : undefined;
    return { items: items.map(graphView), ...(next === undefined ? {} : { next }) };
  });
  const getSchema = {
    operationId: "getGraph",
    summary: "One graph, and how it does",
    tags,
    params: Name,
    response: { 200: answer("The graph", GraphView), ...problems("resource.not_found") },
  };
  const config = { tagged: graphTagged };
  api.get("/graphs/:name", { schema: getSchema, config }, async ({ params }) => graphView((await streams()).get(params.name)));
  const historySchema = {
    operationId: "getGraphHistory",
    summary: "All versions of a graph, the newest first",
    tags,
    params: Name,
    response: { 200: answer("Versions", z.object({ items: z.array(VersionView) })), ...problems("resource.not_found") },
  };
  api.get("/graphs/:name/history", { schema: historySchema }, async ({ params }) => ({
    items: (await streams()).history(params.name).map(({ appliedAtMs, document, ...rest }) => ({
      ...rest,
      appliedAt: at(appliedAtMs),
      document: document as z.infer<typeof DocumentView>,
    })),
  }));
}

function changeRoutes(api: Api, streams: () => Promise<Streams>): void {
  const putSchema = {
    operationId: "applyGraph",
    summary: "Store a document as the next version of a graph; one that runs goes on as the new one without losing a record",
    tags,
    params: Name,
    body: DocumentView,
    response: { 200: answer("The graph", GraphView), ...problems(...faults, "usage.invalid") },
  };
  api.put("/graphs/:name", { schema: putSchema, config: { checksTag: true } }, async (request) => {
    const { body, params } = request;
    const all = await streams();
    requireMatch(request, graphTagged, () => graphView(all.get(params.name)));
    return graphView(await all.apply({ ...(body as unknown as GraphDocument), name: params.name }));
  });
  const removeSchema = {
    operationId: "removeGraph",
    summary: "Forget a graph, its history and how far it has come",
    tags,
    params: Name,
    querystring: z.strictObject({ force: z.stringbool().default(false).describe("Also when it runs.") }),
    response: {
      204: nothing("It is gone."),
      ...problems("resource.not_found", "state.conflict", "usage.invalid", "stream.storage"),
    },
  };
  api.delete("/graphs/:name", { schema: removeSchema }, async ({ params, query }, reply) => {
    await (await streams()).remove(params.name, { force: query.force });
    return reply.code(204).send();
  });
}
