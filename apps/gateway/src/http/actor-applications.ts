import type { ApplicationInfo } from "@metanode/actors";
import { z } from "zod";
import type { Api, HttpContext } from "./context.ts";
import { answer, problems } from "./responses.ts";

const Mode = z.enum(["temporary", "transient", "permanent"]);

const ApplicationView = z
  .object({
    name: z.string(),
    description: z.string(),
    version: z.string(),
    state: z.enum(["loaded", "initializing", "running", "stopping"]),
    mode: Mode.describe("What the end of a member does to it; of the present start, or else of the next."),
    dependsOn: z.array(z.string()),
    tags: z.array(z.string()),
    weight: z.number(),
    roles: z.record(z.string(), z.string()).describe("The names of its processes by what they do."),
    requestedBy: z.string().describe("The node that asked for its start."),
    uptimeMs: z.number().describe("Since all members ran; 0 if it does not run."),
    memberIds: z.array(z.int()).describe("The group members that live, in the order of their start."),
    processes: z.int().describe("All its processes, those included whose end still runs."),
  })
  .meta({ id: "ActorApplication", description: "A group of actors that starts in order and ends together" });

const Name = z.object({ name: z.string() });
const Start = z.strictObject({ mode: Mode.optional().describe("Instead of its own, for this start.") });
/** The longest wait for the end of an application. */
const MAX_STOP_MS = 600_000;
const Stop = z.strictObject({
  timeoutMs: z.int().min(0).max(MAX_STOP_MS).optional().describe("Longest wait for its end, which goes on after that."),
  force: z.boolean().default(false).describe("Kills its processes instead of asking them."),
});

/** The applications of the node: groups of actors that start and end together. */
export function applicationRoutes(api: Api, { actors }: HttpContext): void {
  const tags = ["actors"];
  const listSchema = {
    operationId: "listActorApplications",
    summary: "Every application that is loaded",
    tags,
    response: { 200: answer("In the order of their loading", z.object({ items: z.array(ApplicationView) })), ...problems() },
  };
  api.get("/actors/applications", { schema: listSchema }, async () => ({ items: actors.kernel.applications().map(viewOf) }));
  const getSchema = {
    operationId: "getActorApplication",
    summary: "One application",
    tags,
    params: Name,
    response: { 200: answer("The application", ApplicationView), ...problems("actor.application_unknown") },
  };
  api.get("/actors/applications/:name", { schema: getSchema }, async ({ params }) =>
    viewOf(actors.kernel.applicationInfo(params.name)),
  );
  const startSchema = {
    operationId: "startActorApplication",
    summary: "Start an application, after those that it depends on; answers when it runs",
    tags,
    params: Name,
    body: Start,
    response: {
      200: answer("The application", ApplicationView),
      ...problems(
        "usage.invalid",
        "message.invalid",
        "actor.application_unknown",
        "actor.application_depends",
        "actor.application_running",
        "actor.application_state",
        "actor.application_stopping",
      ),
    },
  };
  api.post("/actors/applications/:name/start", { schema: startSchema }, async ({ params, body: { mode } }) => {
    await actors.kernel.startApplication(params.name, mode === undefined ? {} : { mode });
    return viewOf(actors.kernel.applicationInfo(params.name));
  });
  const stopSchema = {
    operationId: "stopActorApplication",
    summary: "Stop an application; answers when all its processes have ended",
    tags,
    params: Name,
    body: Stop,
    response: {
      200: answer("The application", ApplicationView),
      ...problems("usage.invalid", "message.invalid", "actor.application_unknown", "actor.application_stopping"),
    },
  };
  api.post("/actors/applications/:name/stop", { schema: stopSchema }, async ({ params, body: { timeoutMs, force } }) => {
    await actors.kernel.stopApplication(params.name, { force, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    return viewOf(actors.kernel.applicationInfo(params.name));
  });
}

function viewOf({ members, tree: _tree, ...info }: ApplicationInfo): z.infer<typeof ApplicationView> {
  return {
    ...info,
    uptimeMs: Math.round(info.uptimeMs),
    dependsOn: [...info.dependsOn],
    tags: [...info.tags],
    roles: { ...info.roles },
    memberIds: members.map(({ id }) => id),
  };
}
