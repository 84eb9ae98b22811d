import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { instanceOf, toKnownError, toProblem } from "./problem.ts";

/** How items are written down: one line each, or one server-sent event each. */
interface Form {
  readonly mediaType: string;
  item(value: unknown): string;
  problem(problem: object): string;
  /** What says that the stream is complete. */
  readonly end: string;
}

const NDJSON: Form = {
  mediaType: "application/x-ndjson",
  item: (value) => `${jsonOf(value)}\n`,
  problem: (problem) => `${JSON.stringify(problem)}\n`,
  end: "", // the last chunk of the body says it
};

const SSE: Form = {
  mediaType: "text/event-stream",
  item: (value) => `data: ${jsonOf(value)}\n\n`,
  problem: (problem) => `event: problem\ndata: ${JSON.stringify(problem)}\n\n`,
  end: "event: end\ndata: {}\n\n",
};

/** Octets have no JSON of their own: they travel as CloudEvents' JSON format has them. */
function jsonOf(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify({ data_base64: Buffer.from(value).toString("base64") });
  return JSON.stringify(value) ?? "null";
}

/** Whether the client asked for server-sent events. */
export function wantsEvents(request: FastifyRequest): boolean {
  return (request.headers.accept ?? "").toLowerCase().includes(SSE.mediaType);
}

/**
 * Answers with the items as they come; nothing is read from `items` that the client does not take. What fails before
 * the first item is an answer of its own, with its status; what fails later is the last line or event.
 */
export async function streamAnswer(
  items: AsyncIterable<unknown>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const form = wantsEvents(request) ? SSE : NDJSON;
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  return send(reply, form.mediaType, written(iterator, first, { form, request }));
}

/** Sends texts as they come, with the client's pace. */
export function send(reply: FastifyReply, mediaType: string, texts: AsyncIterable<string>): FastifyReply {
  // Proxies that buffer would turn a stream into a late answer.
  return reply
    .type(mediaType)
    .header("x-accel-buffering", "no")
    .send(Readable.from(texts, { objectMode: false }));
}

async function* written(
  iterator: AsyncIterator<unknown>,
  first: IteratorResult<unknown>,
  { form, request }: { form: Form; request: FastifyRequest },
): AsyncGenerator<string> {
  let isDone = first.done === true;
  try {
    for (let next = first; !next.done; next = await iterator.next()) yield form.item(next.value);
    isDone = true;
    if (form.end !== "") yield form.end;
  } catch (error) {
    isDone = true;
    const known = toKnownError(error, (errorId, cause) =>
      request.log.error({ err: cause, errorId }, "a streamed answer met a defect"),
    );
    yield form.problem(toProblem(known, instanceOf(request.id)));
  } finally {
    if (!isDone) await iterator.return?.();
  }
}
