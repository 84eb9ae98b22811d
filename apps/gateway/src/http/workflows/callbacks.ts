import type { ConvertResult } from "@metanode/nature/internal";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Workflows } from "../../workflows/module.ts";
import type { Api, HttpContext } from "../context.ts";
import { nothing, problems } from "../responses.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { readLossless } from "./lossless.ts";

const Own = z.looseObject({
  taskId: z
    .union([z.string(), z.int()])
    .optional()
    .describe("What came as the header metanode-task; may stand in it here as well."),
  credential: z.string().optional().describe("What came as the header metanode-credential; may stand in it here as well."),
  result: z
    .looseObject({ type: z.string() })
    .describe("An answer of an executor: `instances`, `none`, `environment`, `logic`, `self-route`."),
});
const Natures = z.looseObject({
  task_id: z.unknown().describe("The number that came as task_id. It cannot be guessed, so it is a credential as well."),
  result: z
    .looseObject({ type: z.string() })
    .describe("In the shape of Nature: `Instances`, `None`, `EnvError`, `LogicalError`, `SelfRoute`."),
});

/** The answer of an executor that took its time. What it shows is the credential of its task. */
export function callbackRoute(api: Api, context: HttpContext): void {
  readLossless(api);
  const schema = {
    operationId: "answerTask",
    summary: "Answer a task later; shows the credential of that task in place of a token",
    tags,
    security: [],
    body: z.union([Own, Natures]),
    response: {
      204: nothing("It is stored."),
      ...problems(
        "usage.invalid",
        "message.invalid",
        "resource.not_found",
        "task.unknown",
        "task.credential",
        "executor.logic",
        "meta.unknown",
        "instance.invalid",
        "instance.state",
        "instance.too_large",
        "store.unavailable",
      ),
    },
  };
  api.post("/callbacks", { schema }, async (request, reply) => {
    const workflows = workflowsOf(context);
    const body = request.body as Record<string, unknown>;
    await ("task_id" in body ? naturesAnswer(workflows, body) : ownAnswer(workflows, body, request));
    return reply.code(204).send();
  });
}

/** A callback as executors of Nature send it. @throws instance.invalid, task.unknown */
export async function naturesAnswer(workflows: Workflows, { task_id, result }: Record<string, unknown>): Promise<void> {
  const { digitsOf, fromNatureResult, natureError } = await library();
  const digits = typeof task_id === "string" ? task_id : digitsOf(task_id);
  const sealed = Number(digits);
  if (!Number.isSafeInteger(sealed) || sealed < 0) {
    throw natureError(
      "task.unknown",
      `task_id is ${digits ?? "no whole number"}, expected the number that came with the request`,
    );
  }
  await workflows.sealedCallback(sealed, fromNatureResult(result));
}

async function ownAnswer(workflows: Workflows, body: Record<string, unknown>, { headers }: FastifyRequest): Promise<void> {
  const { natureError } = await library();
  const taskId = Number(body.taskId ?? headers["metanode-task"]);
  const credential = body.credential ?? headers["metanode-credential"];
  if (!Number.isSafeInteger(taskId) || taskId < 0 || typeof credential !== "string") {
    throw natureError(
      "task.credential",
      "a callback shows which task it answers; send metanode-task and metanode-credential back as they came",
    );
  }
  await workflows.callback(taskId, credential, body.result as ConvertResult);
}
