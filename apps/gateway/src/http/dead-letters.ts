import { coreError, type DeadLetter, type DeadLetters, fromJsonEvent, type Message, toJsonEvent } from "@metanode/core";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Api, HttpContext } from "./context.ts";
import { instanceOf, ProblemSchema, toKnownError, toProblem } from "./problem.ts";
import { answer, nothing, problems } from "./responses.ts";

const EventView = z.looseObject({ specversion: z.string(), id: z.string(), source: z.string(), type: z.string() });

const DeadLetterView = z
  .object({
    id: z.string(),
    stream: z.string(),
    consumer: z.string(),
    sequence: z.int(),
    attempts: z.int(),
    error: z.object({ code: z.string(), message: z.string() }).describe("Why it was given up on."),
    at: z.string(),
    edited: z.boolean(),
    message: EventView.describe("The message as a CloudEvent in JSON."),
  })
  .meta({ id: "DeadLetter", description: "A durable message that was given up on" });

const Limit = z.coerce.number().int().min(1).max(1_000).default(100);
const Filter = z.strictObject({
  stream: z.string().optional(),
  consumer: z.string().optional(),
  limit: Limit,
  cursor: z.string().optional().describe("What the last page returned as `next`."),
});
const Page = z.object({ items: z.array(DeadLetterView), next: z.string().optional().describe("Absent on the last page.") });
const Id = z.object({ id: z.string() });
const Change = z
  .looseObject({})
  .describe("Attributes of the event to replace, and `data` or `data_base64`; null removes an attribute. The id stays.");
const Replayed = z.object({
  items: z.array(z.object({ id: z.string(), status: z.enum(["ok", "error"]), problem: ProblemSchema.optional() })),
  next: z
    .string()
    .optional()
    .describe("The cursor to go on with; absent when none is left that was there at the start of this page."),
});

/** Messages that were given up on: read, edit, replay, drop. */
export function deadLetterRoutes(api: Api, { node }: HttpContext): void {
  const { deadLetters } = node;
  readRoutes(api, deadLetters);
  changeRoutes(api, deadLetters);
  replayRoutes(api, deadLetters);
}

function readRoutes(api: Api, deadLetters: DeadLetters): void {
  const tags = ["dead letters"];
  const listSchema = {
    operationId: "listDeadLetters",
    summary: "Messages that were given up on, oldest first",
    tags,
    querystring: Filter,
    response: { 200: answer("One page", Page), ...problems("usage.invalid", "log.storage") },
  };
  api.get("/dead-letters", { schema: listSchema }, async ({ query }) => {
    const { items, next } = await deadLetters.list(query);
    return { items: items.map(viewOf), next };
  });
  const getSchema = {
    operationId: "getDeadLetter",
    summary: "One dead letter",
    tags,
    params: Id,
    response: { 200: answer("The dead letter", DeadLetterView), ...problems("resource.not_found", "log.storage") },
  };
  const config = { tagged: (letter: z.infer<typeof DeadLetterView>) => letter };
  api.get("/dead-letters/:id", { schema: getSchema, config }, async ({ params }) => viewOf(await deadLetters.get(params.id)));
}

function changeRoutes(api: Api, deadLetters: DeadLetters): void {
  const tags = ["dead letters"];
  const editSchema = {
    operationId: "editDeadLetter",
    summary: "Change payload or attributes before a replay",
    tags,
    params: Id,
    body: Change,
    response: {
      200: answer("The dead letter as it is now", DeadLetterView),
      ...problems("resource.not_found", "message.invalid", "usage.invalid", "log.storage"),
    },
  };
  api.patch("/dead-letters/:id", { schema: editSchema }, async ({ params, body }) => {
    const { message } = await deadLetters.get(params.id);
    return viewOf(await deadLetters.edit(params.id, changeOf(message, body)));
  });
  const dropSchema = {
    operationId: "dropDeadLetter",
    summary: "Forget a dead letter for good",
    tags,
    params: Id,
    response: { 204: nothing("It is gone."), ...problems("resource.not_found", "log.storage") },
  };
  api.delete("/dead-letters/:id", { schema: dropSchema }, async ({ params }, reply) => {
    await deadLetters.drop(params.id);
    return reply.code(204).send();
  });
}

function replayRoutes(api: Api, deadLetters: DeadLetters): void {
  const tags = ["dead letters"];
  const oneSchema = {
    operationId: "replayDeadLetter",
    summary: "Give a message back to its consumer, its attempts at 0",
    tags,
    params: Id,
    response: { 202: answer("It will be handled again", Id), ...problems("resource.not_found", "log.storage") },
  };
  api.post("/dead-letters/:id/replay", { schema: oneSchema }, async ({ params }, reply) => {
    await deadLetters.replay(params.id);
    return reply.code(202).send({ id: params.id });
  });
  const allSchema = {
    operationId: "replayDeadLetters",
    summary: "Replay a page of dead letters, with what became of each",
    tags,
    querystring: Filter,
    response: { 200: answer("What became of each, oldest first", Replayed), ...problems("usage.invalid", "log.storage") },
  };
  // The doubled colon is the router's way to say one.
  api.post("/dead-letters::replay", { schema: allSchema }, async (request) => {
    const { items, next } = await deadLetters.list(request.query);
    const results: z.infer<typeof Replayed>["items"] = [];
    for (const { id } of items) results.push(await replayOne(deadLetters, id, request));
    return { items: results, next };
  });
}

async function replayOne(
  deadLetters: DeadLetters,
  id: string,
  request: FastifyRequest,
): Promise<z.infer<typeof Replayed>["items"][number]> {
  try {
    await deadLetters.replay(id);
    return { id, status: "ok" };
  } catch (error) {
    const known = toKnownError(error, (errorId, cause) => request.log.error({ err: cause, errorId }, "a replay met a defect"));
    return { id, status: "error", problem: toProblem(known, instanceOf(request.id)) };
  }
}

/** The change that a patch of the JSON event means, checked as a whole event. @throws {MetanodeError} message.invalid */
function changeOf(message: Message, patch: Readonly<Record<string, unknown>>): Partial<Message> {
  if (patch.id !== undefined && patch.id !== message.id) {
    throw coreError("message.invalid", "the id of a message stays, so that its duplicates are known; leave it out", {
      details: { path: "/id" },
    });
  }
  const before = toJsonEvent(message);
  if ("data" in patch || "data_base64" in patch) {
    // The old payload's form must not decide about the new one's.
    delete before.data;
    delete before.data_base64;
    if (message.datacontenttype === undefined) delete before.datacontenttype;
  }
  const after = fromJsonEvent({ ...before, ...patch });
  const removed = Object.keys(message).filter((name) => !(name in after));
  return { ...Object.fromEntries(removed.map((name) => [name, undefined])), ...after };
}

function viewOf({ atMs, message, ...letter }: DeadLetter): z.infer<typeof DeadLetterView> {
  const { code, message: text } = letter.error;
  return {
    ...letter,
    error: { code, message: text },
    at: new Date(atMs).toISOString(),
    message: toJsonEvent(message) as z.infer<typeof EventView>,
  };
}
