import type { Mission } from "@metanode/nature/internal";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { library, tags, workflowsOf } from "./access.ts";
import {
  Cursor,
  FailedTaskSchema,
  failedTaskView,
  keyParts,
  Limit,
  pageSchema,
  pageView,
  TaskSchema,
  taskIdOf,
  taskView,
} from "./views.ts";

const Filter = z.strictObject({
  to: z.string().optional().describe("Only those that lead to this meta."),
  from: z.string().optional().describe("Only those on this instance: `meta|id|para|version`."),
  limit: Limit,
  cursor: Cursor,
});
const Param = z.object({ id: z.string().describe("Decimal digits.") });
const texts = z.array(z.string()).optional();
const Condition = z.strictObject({ none: texts, all: texts, any: texts });
const ExecutorSpec = z.strictObject({
  protocol: z.enum(["http", "https", "local", "builtin", "processor", "actor", "stream", "auto"]),
  url: z.string(),
  settings: z.string().optional(),
  timeoutMs: z.int().min(1).optional(),
});
const Replay = z
  .strictObject({
    mission: z
      .strictObject({
        executor: ExecutorSpec.optional(),
        before: z.array(ExecutorSpec).optional(),
        after: z.array(ExecutorSpec).optional(),
        downSelector: Condition.optional(),
        useUpstreamId: z.boolean().optional(),
        idBridge: z.boolean().optional(),
        delayMs: z.int().min(0).optional(),
        sysContext: z.record(z.string(), z.string()).optional(),
        target: z
          .strictObject({
            addStates: texts,
            removeStates: texts,
            appendPara: z.array(z.int().min(0)).optional(),
            dynamicPara: z.string().optional(),
          })
          .optional(),
      })
      .optional()
      .describe("Parts of its mission to replace, for example a wrong address of its executor."),
  })
  .nullish();

const READ = ["usage.invalid", "config.invalid", "resource.not_found", "meta.syntax", "store.unavailable"] as const;

/** Work that waits, and work that was given up. */
export function taskRoutes(api: Api, context: HttpContext): void {
  waitingRoutes(api, context);
  failedRoutes(api, context);
  failedActions(api, context);
}

function waitingRoutes(api: Api, context: HttpContext): void {
  const listSchema = {
    operationId: "listTasks",
    summary: "Tasks that are not done yet, the oldest first",
    tags,
    querystring: Filter,
    response: { 200: answer("One page", pageSchema(TaskSchema)), ...problems(...READ) },
  };
  api.get("/tasks", { schema: listSchema }, async ({ query }) =>
    pageView(await workflowsOf(context).reads.tasks(await queryOf(query)), taskView),
  );
  const getSchema = {
    operationId: "getTask",
    summary: "One task that is not done yet",
    tags,
    params: Param,
    response: { 200: answer("The task", TaskSchema), ...problems(...READ, "task.unknown") },
  };
  api.get("/tasks/:id", { schema: getSchema }, async ({ params }) => {
    const task = await workflowsOf(context).task(taskIdOf(params.id));
    if (task === undefined) throw await unknown(params.id, "waits; it is probably done, or among those that failed");
    return taskView(task);
  });
}

function failedRoutes(api: Api, context: HttpContext): void {
  const listSchema = {
    operationId: "listFailedTasks",
    summary: "Tasks that were given up, the oldest first",
    tags,
    querystring: Filter,
    response: { 200: answer("One page", pageSchema(FailedTaskSchema)), ...problems(...READ) },
  };
  api.get("/tasks/failed", { schema: listSchema }, async ({ query }) =>
    pageView(await workflowsOf(context).reads.failedTasks(await queryOf(query)), failedTaskView),
  );
  const getSchema = {
    operationId: "getFailedTask",
    summary: "One task that was given up, with its error",
    tags,
    params: Param,
    response: { 200: answer("The task", FailedTaskSchema), ...problems(...READ, "task.unknown") },
  };
  api.get("/tasks/failed/:id", { schema: getSchema }, async ({ params }) => {
    const id = taskIdOf(params.id);
    const [task] = await workflowsOf(context).engine.failedTasks({ afterId: id - 1, limit: 1 });
    if (task?.id !== id) throw await unknown(params.id, "has failed");
    return failedTaskView(task);
  });
}

function failedActions(api: Api, context: HttpContext): void {
  const replaySchema = {
    operationId: "replayFailedTask",
    summary: "Give a failed task another first try, perhaps with another executor",
    tags,
    params: Param,
    body: Replay,
    response: {
      202: answer("It will be tried again", z.object({ id: z.string() })),
      ...problems(...READ, "message.invalid", "task.unknown", "relation.invalid"),
    },
  };
  api.post("/tasks/failed/:id/replay", { schema: replaySchema }, async ({ params, body }, reply) => {
    const ids = [taskIdOf(params.id)];
    const replayed = await workflowsOf(context).engine.replayFailed(ids, body?.mission as Partial<Mission> | undefined);
    if (replayed.length === 0) throw await unknown(params.id, "has failed");
    return reply.code(202).send({ id: params.id });
  });
  const dropSchema = {
    operationId: "dropFailedTask",
    summary: "Forget a failed task for good",
    tags,
    params: Param,
    response: { 204: nothing("It is gone."), ...problems(...READ, "task.unknown") },
  };
  api.delete("/tasks/failed/:id", { schema: dropSchema }, async ({ params }, reply) => {
    const dropped = await workflowsOf(context).engine.dropFailed([taskIdOf(params.id)]);
    if (dropped === 0) throw await unknown(params.id, "has failed");
    return reply.code(204).send();
  });
}

async function queryOf({ to, from, limit, cursor }: z.infer<typeof Filter>) {
  const { canonicalMeta, checkId } = await library();
  const { version = 0, ...line } = from === undefined ? { version: undefined } : keyParts(from);
  const locator = "meta" in line ? { ...line, meta: canonicalMeta(line.meta), id: checkId(line.id), version } : undefined;
  return {
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(to === undefined ? {} : { to: canonicalMeta(to) }),
    ...(locator === undefined ? {} : { from: locator }),
  };
}

async function unknown(id: string, what: string): Promise<Error> {
  const { natureError } = await library();
  return natureError("task.unknown", `no task ${id} ${what}`, { details: { id } });
}
