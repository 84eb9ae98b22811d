import { type Clock, coreError, wait } from "@metanode/core";
import type { Batch, NodeLogLine, RunStatus, Streams } from "@metanode/streaming";
import { streamError } from "@metanode/streaming/errors";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "../context.ts";
import { Feed } from "../feed.ts";
import { problems } from "../responses.ts";
import { send, wantsEvents } from "../streams.ts";
import { at, LineView, StatusView, statusView } from "./views.ts";

const tags = ["graphs"];
/** Characters of a record that a tap shows. */
const MAX_SHOWN_CHARS = 4_096;

const Events = (what: string) => ({
  description: what,
  content: { "text/event-stream": { schema: z.string().describe("One per event.") } },
});

/** How a graph does, as it does it. */
export function liveRoutes(api: Api, context: HttpContext): void {
  statusRoutes(api, context);
  tapRoute(api, context);
  logRoute(api, context);
}

function statusRoutes(api: Api, { streams, clock, stopping }: HttpContext): void {
  const params = z.object({ name: z.string() });
  const schema = {
    operationId: "getGraphStatus",
    summary: "The numbers of a running graph now",
    tags,
    params,
    response: {
      200: { description: "Its numbers", content: { "application/json": { schema: StatusView } } },
      ...problems("resource.not_found", "stream.stopped"),
    },
  };
  api.get("/graphs/:name/status", { schema }, async ({ params: { name } }) =>
    statusView(statusOf(await streams.streams(), name), clock.now()),
  );
  const liveSchema = {
    operationId: "watchGraph",
    summary: "The numbers of a graph again and again, as server-sent events; while it does not run, only its state",
    tags,
    params,
    querystring: z.strictObject({ intervalMs: z.coerce.number().int().min(100).max(60_000).default(1_000) }),
    response: { 200: Events("`status` events"), ...problems("resource.not_found", "usage.invalid") },
  };
  api.get("/graphs/:name/live", { schema: liveSchema }, async ({ params: { name }, query }, reply) => {
    const all = await streams.streams();
    all.get(name);
    const signal = AbortSignal.any([withdrawalOf(reply), stopping]);
    return send(reply, "text/event-stream", watch(all, name, { clock, signal, intervalMs: query.intervalMs }));
  });
}

async function* watch(
  streams: Streams,
  name: string,
  { clock, signal, intervalMs }: { clock: Clock; signal: AbortSignal; intervalMs: number },
): AsyncGenerator<string> {
  for (;;) {
    const graph = streams.list().find((one) => one.name === name);
    if (graph === undefined) return;
    const status = streams.status(name);
    const shown = status === undefined ? { state: graph.state, epoch: graph.epoch, nodes: [], edges: [] } : status;
    const reason = graph.reason === undefined ? {} : { reason: graph.reason };
    yield `event: status\ndata: ${JSON.stringify(statusView({ ...shown, ...reason } as RunStatus, clock.now()))}\n\n`;
    if (signal.aborted) return;
    await wait(clock, intervalMs, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
}

function tapRoute(api: Api, { streams, clock, stopping }: HttpContext): void {
  const schema = {
    operationId: "tapEdge",
    summary: "Records that pass an edge, as server-sent events: never slowing it, and not all of them when there are many",
    tags,
    params: z.object({ name: z.string(), edge: z.string().describe("`from..to`") }),
    querystring: z.strictObject({
      limit: z.coerce.number().int().min(1).max(1_000_000).default(100).describe("Ends after so many."),
      perSecond: z.coerce.number().int().min(1).max(10_000).default(50),
    }),
    response: { 200: Events("`record` events"), ...problems("resource.not_found", "stream.stopped", "usage.invalid") },
  };
  api.get("/graphs/:name/taps/:edge", { schema }, async ({ params: { name, edge }, query }, reply) => {
    const [from = "", to = ""] = edge.split("..");
    const events = new Feed(clock);
    let budget = query.perSecond;
    let renewedAtMs = clock.now();
    let left = query.limit;
    const stop = (await streams.streams()).graph(name).tap(from, to, (batch) => {
      if (clock.now() - renewedAtMs >= 1_000) {
        renewedAtMs = clock.now();
        budget = query.perSecond;
      }
      const count = Math.min(budget, left, batch.count);
      budget -= count;
      left -= count;
      if (count > 0) for (const shown of shownOf(batch, count)) events.add("record", { ...shown, at: at(clock.now()) });
      if (left === 0) events.end();
    });
    const signal = AbortSignal.any([withdrawalOf(reply), stopping]);
    signal.addEventListener("abort", () => events.end(), { once: true });
    return send(reply, "text/event-stream", events.read(stop));
  });
}

function shownOf(batch: Batch, count: number): { id: string; text?: string; base64?: string; value?: unknown }[] {
  return batch.records.slice(0, count).map((record, index) => {
    const id = batch.idOf(index);
    if (record instanceof Uint8Array) return { id, base64: Buffer.from(record).subarray(0, MAX_SHOWN_CHARS).toString("base64") };
    if (typeof record === "string") return { id, text: record.slice(0, MAX_SHOWN_CHARS) };
    return { id, value: record ?? null };
  });
}

function logRoute(api: Api, { streams, clock, stopping }: HttpContext): void {
  const schema = {
    operationId: "getStageLogs",
    summary: "What a stage wrote to stderr and what was said about it; with Accept: text/event-stream also every new line",
    tags,
    params: z.object({ name: z.string(), stage: z.string().describe("A stage, or `-` for all and the graph itself.") }),
    querystring: z.strictObject({ tail: z.coerce.number().int().min(0).max(1_000).default(100) }),
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
  api.get("/graphs/:name/stages/:stage/logs", { schema }, async (request, reply) => {
    const { name, stage } = request.params;
    const all = await streams.streams();
    const { log } = all.graph(name);
    const node = stage === "-" ? undefined : stage;
    if (node !== undefined && !all.get(name).graph.nodes.some((one) => one.name === node)) {
      throw coreError("resource.not_found", `graph ${name} has no stage ${node}`);
    }
    const lines = request.query.tail === 0 ? [] : log.last(request.query.tail, node);
    if (!wantsEvents(request)) return reply.send({ items: lines.map(lineView) });
    const events = new Feed(clock);
    for (const line of lines) events.add("line", lineView(line));
    const stop = log.follow((line) => {
      if (node === undefined || line.node === node) events.add("line", lineView(line));
    });
    const signal = AbortSignal.any([withdrawalOf(reply), stopping]);
    signal.addEventListener("abort", () => events.end(), { once: true });
    return send(reply, "text/event-stream", events.read(stop));
  });
}

function lineView({ node, level, text, atMs }: NodeLogLine): z.infer<typeof LineView> {
  return { node, level, text, at: at(atMs) };
}

function statusOf(streams: Streams, name: string): RunStatus {
  const status = streams.status(name);
  if (status !== undefined) return status;
  throw streamError("stream.stopped", `graph ${name} is ${streams.get(name).state}; run it first`);
}
