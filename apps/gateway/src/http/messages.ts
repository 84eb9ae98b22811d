import { coreError, fromHttp, type Message } from "@metanode/core";
import { asMetanodeError, isOfPlatform } from "@metanode/core/internal";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "./context.ts";
import { instanceOf, ProblemSchema, toKnownError, toProblem } from "./problem.ts";
import { answer, nothing, problems } from "./responses.ts";
import { streamAnswer } from "./streams.ts";
import { traceparentOf } from "./trace.ts";
import { callerOf, mayOrder } from "./tree/order.ts";

/** The longest time that a caller may ask for, in milliseconds: about 24 days, the longest timer of the runtime. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;
/** Events of one batch: all of them are in flight at once. */
const MAX_BATCH = 10_000;

const Query = z.strictObject({
  mode: z
    .enum(["call", "cast", "send", "stream"])
    .default("call")
    .describe(
      "call: wait for the answer. stream: the answer item by item. send: store durably, handle at least once. cast: hand over, at most once.",
    ),
  timeoutMs: z.coerce
    .number()
    .int()
    .min(1)
    .max(LONGEST_TIMEOUT_MS)
    .optional()
    .describe("How long the call may take, from now; the event's own deadline, if earlier, holds."),
});

const Taken = z.object({
  id: z.string().describe("The event's id."),
  sequence: z.int().optional().describe("Position in the log (mode send)."),
  duplicate: z
    .boolean()
    .optional()
    .describe("Accepted before under the same id or idempotency key; nothing was stored again (mode send)."),
});

const BatchItem = z.object({
  id: z.string(),
  status: z.enum(["ok", "error"]),
  value: z.unknown().optional().describe("The answer (mode call); absent where there is none."),
  value_base64: z.string().optional().describe("The answer in base64, where it is octets."),
  sequence: z.int().optional(),
  duplicate: z.boolean().optional(),
  problem: ProblemSchema.optional(),
});

type Mode = z.infer<typeof Query>["mode"];
type Item = z.infer<typeof BatchItem>;

/** `POST /messages`: CloudEvents in every form of their HTTP binding. */
export function messageRoutes(api: Api, context: HttpContext): void {
  // The forms are told apart by core's codec, which wants the bytes as they came.
  api.removeAllContentTypeParsers();
  api.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  api.post("/messages", { schema: describeRoute() }, async (request, reply) => {
    const { mode, timeoutMs } = request.query;
    const read = readMessages(request, context.node.maxMessageBytes);
    const { isBatch } = read;
    const messages = read.messages.map((message) => vouched(message, request));
    const options = { signal: withdrawalOf(reply), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    if (isBatch) return batchAnswer(context, { mode, messages, options }, reply);
    const [message] = messages;
    if (message === undefined) throw coreError("message.invalid", "the request carries no event", { details: { path: "" } });
    reply.header("metanode-message-id", encodeURIComponent(message.id));
    if (mode === "stream") return streamAnswer(context.node.stream(message, options), request, reply);
    if (mode === "call") return sendValue(await context.node.call(message, options), reply);
    const taken = await hand(context, mode, message);
    return reply.code(202).send(taken);
  });
}

function describeRoute() {
  return {
    operationId: "postMessage",
    summary: "Dispatch a message, or a batch of them",
    description:
      "The body is a CloudEvent in structured, batched or binary mode (then the attributes are `ce-` headers). " +
      "`Idempotency-Key` serves as the event's idempotencykey, `traceparent` as its trace, where it has none itself.",
    tags: ["messages"],
    querystring: Query,
    response: {
      200: {
        description: "The answer; for a batch, what became of each event, in order; in mode stream, the items as they come.",
        content: {
          "application/json": { schema: z.union([z.array(BatchItem), z.unknown().describe("The answer as it is.")]) },
          "application/octet-stream": { schema: z.string().meta({ format: "binary" }) },
          "application/x-ndjson": {
            schema: z.string().describe("One item per line. An error after the first item is a last line: a Problem."),
          },
          "text/event-stream": {
            schema: z.string().describe("One item per event. Ends with an event `end`, or `problem` with a Problem."),
          },
        },
      },
      202: answer(
        "Accepted (send) or handed over (cast); for a batch, what became of each event.",
        z.union([Taken, z.array(BatchItem)]),
      ),
      204: nothing("The handler answered without a value."),
      ...problems(
        "message.invalid",
        "message.content_type",
        "message.too_large",
        "message.unknown_type",
        "message.schema",
        "usage.invalid",
        "processor.down",
        "processor.failed",
        "call.resource_exhausted",
        "call.deadline",
        "call.hop_limit",
        "log.full",
        "log.storage",
      ),
    },
  } as const;
}

function readMessages(request: FastifyRequest, maxBytes: number): { messages: Message[]; isBatch: boolean } {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const headers = { ...request.headers };
  if (traceparentOf(headers) === undefined) delete headers.traceparent;
  const isBatch = (headers["content-type"] ?? "").toLowerCase().startsWith("application/cloudevents-batch");
  const key = idempotencyKeyOf(headers["idempotency-key"]);
  if (isBatch && key !== undefined) {
    throw coreError(
      "usage.invalid",
      "Idempotency-Key stands for one event; in a batch, give each event an idempotencykey of its own",
    );
  }
  const messages = fromHttp(headers, body).map((message) => completed(message, headers, key));
  if (messages.length > MAX_BATCH) {
    throw coreError("message.too_large", `the batch has ${messages.length} events, the limit is ${MAX_BATCH}; send it in parts`, {
      details: { events: messages.length, limit: MAX_BATCH },
    });
  }
  // What is smaller as a whole has no part that is too large.
  if (body.length > maxBytes) for (const message of messages) checkSize(message, maxBytes);
  return { messages, isBatch };
}

/** A key may come quoted, as the IETF draft has it, or bare, as most senders have it. */
function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  return text === undefined || text === "" ? undefined : text.replace(/^"(.*)"$/, "$1");
}

function completed(message: Message, headers: FastifyRequest["headers"], key: string | undefined): Message {
  const traceparent = message.traceparent ?? (headers.traceparent as string | undefined);
  const idempotencykey = message.idempotencykey ?? key;
  return {
    ...message,
    ...(idempotencykey === undefined ? {} : { idempotencykey }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** An order to a node says who gives it, whatever its sender says. @throws {MetanodeError} auth.denied */
function vouched(message: Message, request: FastifyRequest): Message {
  if (!isOfPlatform(message.type)) return message;
  mayOrder(message.type, request);
  return { ...message, extensions: { ...message.extensions, caller: callerOf(request) } };
}

function checkSize({ data, type }: Message, maxBytes: number): void {
  if (data === undefined) return;
  const bytes =
    data instanceof Uint8Array ? data.byteLength : Buffer.byteLength(typeof data === "string" ? data : JSON.stringify(data));
  if (bytes <= maxBytes) return;
  throw coreError(
    "message.too_large",
    `the payload of ${type} has ${bytes} bytes, the limit is ${maxBytes}; send a reference instead, or raise maxMessageBytes`,
    {
      details: { type, bytes, maxBytes },
    },
  );
}

interface Request {
  readonly mode: Mode;
  readonly messages: readonly Message[];
  readonly options: { readonly signal: AbortSignal; readonly timeoutMs?: number };
}

/** Every event on its own: one that fails does not stop the others. */
async function batchAnswer(
  context: HttpContext,
  { mode, messages, options }: Request,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (mode === "stream")
    throw coreError("usage.invalid", "a batch has no streamed answer; post its events one by one, or use mode=call");
  const items = await Promise.all(
    messages.map(async (message): Promise<Item> => {
      try {
        if (mode !== "call") return { ...(await hand(context, mode, message)), status: "ok" };
        return { id: message.id, status: "ok", ...valueFields(await context.node.call(message, options)) };
      } catch (error) {
        return { id: message.id, status: "error", problem: problemOf(error, reply) };
      }
    }),
  );
  return reply
    .code(mode === "call" ? 200 : 202)
    .type("application/json")
    .send(JSON.stringify(items));
}

async function hand({ node }: HttpContext, mode: "cast" | "send", message: Message): Promise<z.infer<typeof Taken>> {
  if (mode === "cast") return { id: node.cast(message).id };
  return node.send(message);
}

function valueFields(value: unknown): Pick<Item, "value" | "value_base64"> {
  if (value instanceof Uint8Array) return { value_base64: Buffer.from(value).toString("base64") };
  return value === undefined ? {} : { value };
}

function problemOf(error: unknown, { request }: FastifyReply): z.infer<typeof ProblemSchema> {
  const known = toKnownError(error, (errorId, cause) =>
    request.log.error({ err: cause, errorId }, "a message of a batch met a defect"),
  );
  return toProblem(asMetanodeError(known), instanceOf(request.id));
}

/** The answer as it is: JSON, octets, or nothing. */
function sendValue(value: unknown, reply: FastifyReply): FastifyReply {
  if (value === undefined) return reply.code(204).send();
  if (value instanceof Uint8Array)
    return reply.type("application/octet-stream").send(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  return reply.type("application/json").send(JSON.stringify(value));
}
