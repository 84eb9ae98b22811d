import type { Streams } from "@metanode/streaming";
import { z } from "zod";
import type { Api } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { requireMatch } from "../tags.ts";
import { GraphView, graphTagged, graphView } from "./views.ts";

const tags = ["graphs"];
const Name = z.object({ name: z.string() });

const StopView = z.object({
  graph: GraphView,
  inFlight: z.int().describe("Records that were under way when it ended; they come again with the next run."),
});

/** Running, stopping and changing graphs. */
export function controlRoutes(api: Api, streams: () => Promise<Streams>): void {
  runRoutes(api, streams);
  pauseRoutes(api, streams);
  versionRoutes(api, streams);
}

function runRoutes(api: Api, streams: () => Promise<Streams>): void {
  const runSchema = {
    operationId: "runGraph",
    summary: "Run a graph; answered when every stage is open. One that runs already runs on",
    tags,
    params: Name,
    querystring: z.strictObject({ fromStart: z.stringbool().default(false).describe("Forget how far it had come.") }),
    response: {
      200: answer("The graph", GraphView),
      ...problems(
        "resource.not_found",
        "stream.graph",
        "stream.action_unknown",
        "stream.program",
        "stream.storage",
        "usage.invalid",
      ),
    },
  };
  api.post("/graphs/:name/run", { schema: runSchema }, async ({ params, query }) =>
    graphView(await (await streams()).run(params.name, query)),
  );
  const stopSchema = {
    operationId: "stopGraph",
    summary: "Stop a graph: what is under way reaches the sinks first, or is dropped `now` and comes again",
    tags,
    params: Name,
    querystring: z.strictObject({
      now: z.stringbool().default(false),
      graceMs: z.coerce.number().int().min(0).max(3_600_000).default(30_000).describe("Longest wait for what is under way."),
    }),
    response: { 200: answer("What was left", StopView), ...problems("resource.not_found", "stream.storage", "usage.invalid") },
  };
  api.post("/graphs/:name/stop", { schema: stopSchema }, async ({ params, query }) => {
    const all = await streams();
    const end = await all.stop(params.name, query);
    return { graph: graphView(all.get(params.name)), inFlight: end?.inFlight ?? 0 };
  });
}

function pauseRoutes(api: Api, streams: () => Promise<Streams>): void {
  const response = { 200: answer("The graph", GraphView), ...problems("resource.not_found", "stream.stopped", "stream.storage") };
  const pauseSchema = {
    operationId: "pauseGraph",
    summary: "Read nothing more until it is resumed",
    tags,
    params: Name,
    response,
  };
  api.post("/graphs/:name/pause", { schema: pauseSchema }, async ({ params }) =>
    graphView(await (await streams()).pause(params.name)),
  );
  const resumeSchema = { operationId: "resumeGraph", summary: "Let a paused graph read on", tags, params: Name, response };
  api.post("/graphs/:name/resume", { schema: resumeSchema }, async ({ params }) =>
    graphView(await (await streams()).resume(params.name)),
  );
}

function versionRoutes(api: Api, streams: () => Promise<Streams>): void {
  const rollbackSchema = {
    operationId: "rollbackGraph",
    summary: "Apply an older version again, as the newest",
    tags,
    params: Name,
    body: z.strictObject({ version: z.int().min(1) }),
    response: {
      200: answer("The graph", GraphView),
      ...problems("resource.not_found", "stream.graph", "stream.storage", "usage.invalid"),
    },
  };
  api.post("/graphs/:name/rollback", { schema: rollbackSchema, config: { checksTag: true } }, async (request) => {
    const { params, body } = request;
    const all = await streams();
    requireMatch(request, graphTagged, () => graphView(all.get(params.name)));
    return graphView(await all.rollback(params.name, body.version));
  });
  const upgradeSchema = {
    operationId: "upgradeStage",
    summary: "Give one stage other settings: it is swapped between two records, and the graph has a new version",
    tags,
    params: z.object({ name: z.string(), stage: z.string() }),
    body: z.looseObject({}).describe("The settings of the node; its name stays."),
    response: {
      200: answer("The graph", GraphView),
      ...problems(
        "resource.not_found",
        "stream.graph",
        "stream.action_unknown",
        "stream.storage",
        "call.deadline",
        "usage.invalid",
      ),
    },
  };
  api.post("/graphs/:name/stages/:stage/upgrade", { schema: upgradeSchema, config: { checksTag: true } }, async (request) => {
    const { params, body } = request;
    const all = await streams();
    requireMatch(request, graphTagged, () => graphView(all.get(params.name)));
    return graphView(await all.upgrade(params.name, params.stage, body));
  });
}
