import { type Clock, wait } from "@metanode/core";
import type { LogLine, ProcessorHost } from "@metanode/core/internal";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "./context.ts";
import { problems } from "./responses.ts";
import { send, wantsEvents } from "./streams.ts";

const LineView = z.object({
  process: z.string(),
  stream: z.enum(["stdout", "stderr"]),
  text: z.string(),
  at: z.string(),
});

/** Between two looks for new lines. */
const FOLLOW_INTERVAL_MS = 100;
/** After this much silence a comment is sent, so that proxies keep the connection and a dead client is noticed. */
const KEEP_ALIVE_MS = 15_000;

const Query = z.strictObject({
  tail: z.coerce.number().int().min(0).max(1_000).default(100).describe("How many of the last lines, oldest first."),
});

/** What processors wrote to standard output and error. */
export function logRoutes(api: Api, { processors, clock, stopping }: HttpContext): void {
  const schema = {
    operationId: "getProcessorLogs",
    summary: "The last lines that a processor's processes wrote; with Accept: text/event-stream also every new one",
    tags: ["processors"],
    params: z.object({ name: z.string() }),
    querystring: Query,
    response: {
      200: {
        description: "Lines, oldest first",
        content: {
          "application/json": { schema: z.object({ items: z.array(LineView) }) },
          "text/event-stream": { schema: z.string().describe("One line per event.") },
        },
      },
      ...problems("resource.not_found", "usage.invalid"),
    },
  };
  api.get("/processors/:name/logs", { schema }, async (request, reply) => {
    const { host } = processors;
    const { name } = request.params;
    const { tail } = request.query;
    const lines = tail === 0 ? [] : host.logs(name).slice(-tail);
    if (!wantsEvents(request)) return reply.send({ items: lines.map(viewOf) });
    const signal = AbortSignal.any([withdrawalOf(reply), stopping]);
    return send(reply, "text/event-stream", follow(lines, { host, name, clock, signal }));
  });
}

interface Following {
  readonly host: ProcessorHost;
  readonly name: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The lines as events: first those that are there, then each new one, until the client, the processor or the gateway goes. */
async function* follow(lines: readonly LogLine[], following: Following): AsyncGenerator<string> {
  const { clock, signal } = following;
  let last = keptLines(following)?.at(-1);
  let quietSinceMs = clock.now();
  yield `: following\n\n${lines.map(eventOf).join("")}`;
  while (await hasPassed(clock, signal)) {
    const kept = keptLines(following);
    if (kept === undefined) return;
    // Lines are kept in one array that loses its oldest: what we saw last is found again, or everything is new.
    const fresh = kept.slice(last === undefined ? 0 : kept.lastIndexOf(last) + 1);
    last = kept.at(-1);
    if (fresh.length > 0) yield fresh.map(eventOf).join("");
    else if (clock.now() - quietSinceMs >= KEEP_ALIVE_MS) yield ": still here\n\n";
    else continue;
    quietSinceMs = clock.now();
  }
}

/** Undefined once the processor is gone. */
function keptLines({ host, name }: Following): readonly LogLine[] | undefined {
  return host.list().some((one) => one.name === name) ? host.logs(name) : undefined;
}

/** False when the wait was cut short. */
function hasPassed(clock: Clock, signal: AbortSignal): Promise<boolean> {
  return wait(clock, FOLLOW_INTERVAL_MS, signal).then(
    () => true,
    () => false,
  );
}

function eventOf(line: LogLine): string {
  return `data: ${JSON.stringify(viewOf(line))}\n\n`;
}

function viewOf({ processor, stream, text, atMs }: LogLine): z.infer<typeof LineView> {
  return { process: processor, stream, text, at: new Date(atMs).toISOString() };
}
