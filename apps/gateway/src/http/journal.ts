import { coreError, type Journal, type Step, type StepKind } from "@metanode/core";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "./context.ts";
import { Cursor, numberIn } from "./cursor.ts";
import { Feed } from "./feed.ts";
import { answer, problems } from "./responses.ts";
import { send } from "./streams.ts";

const KINDS = ["message", "processor", "actor", "instance", "task", "graph", "tree"] as const satisfies readonly StepKind[];

const StepView = z
  .object({
    sequence: z.int().describe("Counts up with every step since the start of the node."),
    at: z.string(),
    kind: z.enum(KINDS),
    what: z
      .string()
      .describe("The id of a message, the key of an instance, what a task made of what, the name of a process or a graph."),
    type: z.string().describe("The type of a message, the meta of an instance, or what became of a process or a graph."),
    member: z.string().optional().describe("Who answered."),
    source: z.string().optional().describe("Who sent the message."),
    subject: z.string().optional().describe("What the message is about, in its sender's words."),
    traceId: z.string().optional().describe("Joins what belongs together over all the models."),
    ms: z.number().optional().describe("How long it took."),
    code: z.string().optional().describe("The error's code; absent where nothing failed."),
  })
  .meta({ id: "Step", description: "One thing that happened on the node" });

const FeedQuery = z.strictObject({
  type: z.string().optional(),
  member: z.string().optional().describe("A part of who answered."),
  code: z.string().optional().describe("Only what failed with this code."),
  failed: z.enum(["true", "false"]).optional().describe("Only what failed, or only what did not."),
  since: z.coerce.number().int().min(0).optional().describe("Only what came after this sequence."),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: Cursor,
});

const EventsQuery = z.strictObject({
  kinds: z
    .string()
    .optional()
    .describe(`Some of ${KINDS.join(", ")}, joined by commas. All without it.`),
  since: z.coerce.number().int().min(0).optional().describe("A sequence to go on after. Without it only what comes."),
});

/** Steps that a reader who comes back is given at once; who has missed more is told to look anew. */
const MAX_CAUGHT_UP = 1_000;

/** What happens on the node: as a page of messages, as the way of one trace, and live. */
export function journalRoutes(api: Api, context: HttpContext): void {
  readRoutes(api, context.node.journal);
  eventRoute(api, context);
}

function readRoutes(api: Api, journal: Journal): void {
  const feedSchema = {
    operationId: "listMessages",
    summary: "Messages that were dispatched lately, the newest first; the node remembers some thousands",
    tags: ["messages"],
    querystring: FeedQuery,
    response: {
      200: answer(
        "One page",
        z.object({ items: z.array(StepView), next: z.string().optional().describe("Absent on the last page.") }),
      ),
      ...problems("usage.invalid"),
    },
  };
  api.get("/messages/feed", { schema: feedSchema }, async ({ query }) => {
    const { type, member, code, failed, since = 0, limit, cursor } = query;
    const fits = (step: Step): boolean =>
      step.kind === "message" &&
      step.sequence > since &&
      (type === undefined || step.type === type) &&
      (member === undefined || (step.member ?? "").includes(member)) &&
      (code === undefined || step.code === code) &&
      (failed === undefined || (step.code !== undefined) === (failed === "true"));
    const items = journal.before(numberIn(cursor) ?? journal.last + 1, limit, fits);
    const last = items.length < limit ? undefined : items.at(-1);
    return { items: items.map(stepView), next: last?.sequence.toString() };
  });
  const traceSchema = {
    operationId: "getTrace",
    summary: "The way of one message through the models, as far as the node remembers it",
    tags: ["messages"],
    params: z.object({ traceId: z.string() }),
    response: {
      200: answer("Its steps, the oldest first", z.object({ items: z.array(StepView) })),
      ...problems("resource.not_found", "usage.invalid"),
    },
  };
  api.get("/traces/:traceId", { schema: traceSchema }, async ({ params: { traceId } }) => {
    if (!/^[0-9a-f]{32}$/.test(traceId)) {
      throw coreError(
        "usage.invalid",
        `${JSON.stringify(traceId)} is no trace id; expected 32 hexadecimal digits in lower case`,
        {
          details: { path: "/params/traceId" },
        },
      );
    }
    const steps = journal.trace(traceId);
    if (steps.length > 0) return { items: steps.map(stepView) };
    throw coreError("resource.not_found", `nothing is remembered of trace ${traceId}; steps are forgotten after some thousands`);
  });
}

function eventRoute(api: Api, { node, clock, stopping }: HttpContext): void {
  const { journal } = node;
  // Sequences begin anew with every life of the node; an id of another life is none to go on after.
  const life = Math.floor(node.startedAtMs).toString(36);
  const schema = {
    operationId: "watchEvents",
    summary:
      "What happens on the node, as server-sent events; goes on after Last-Event-ID, and says `resync` where that is too long ago",
    tags: ["node"],
    querystring: EventsQuery,
    response: {
      200: {
        description: "`step` events; `dropped` where the reader is too slow; `resync` where it has missed some",
        content: { "text/event-stream": { schema: z.string().describe("One step per event, as JSON.") } },
      },
      ...problems("usage.invalid"),
    },
  };
  api.get("/events", { schema }, async (request, reply) => {
    const fits = filterOf(request.query.kinds);
    const lastId = request.headers["last-event-id"];
    const [ofLife, text] = typeof lastId === "string" ? lastId.split("-") : [];
    const wanted = ofLife === life ? Number(text) : request.query.since;
    const events = new Feed(clock);
    const add = (step: Step): void => {
      if (fits(step)) events.add("step", stepView(step), `${life}-${step.sequence}`);
    };
    if (isMissing(wanted, journal) || (ofLife !== undefined && ofLife !== life)) {
      events.add("resync", { from: journal.last }, `${life}-${journal.last}`);
    } else if (wanted !== undefined) {
      for (const step of journal.since(wanted, MAX_CAUGHT_UP)) add(step);
    }
    const stop = journal.follow(add);
    const signal = AbortSignal.any([withdrawalOf(reply), stopping]);
    // A client that is gone before it has read anything never comes to the end of what it reads.
    const end = (): void => {
      stop();
      events.end();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    return send(reply, "text/event-stream", events.read(stop));
  });
}

/** Whether more was missed than is remembered, or than one gets at once. */
function isMissing(after: number | undefined, journal: Journal): boolean {
  if (after === undefined) return false;
  return (
    !Number.isSafeInteger(after) || after > journal.last || after < journal.first - 1 || journal.last - after > MAX_CAUGHT_UP
  );
}

function filterOf(kinds: string | undefined): (step: Step) => boolean {
  if (kinds === undefined || kinds === "") return () => true;
  const wanted = new Set(kinds.split(","));
  const unknown = [...wanted].filter((kind) => !(KINDS as readonly string[]).includes(kind));
  if (unknown.length > 0) {
    throw coreError("usage.invalid", `${unknown.join(", ")} is no kind of event; there are ${KINDS.join(", ")}`, {
      details: { path: "/query/kinds" },
    });
  }
  return ({ kind }) => wanted.has(kind);
}

function stepView({ atMs, ...step }: Step): z.infer<typeof StepView> {
  return { ...step, at: new Date(atMs).toISOString() };
}
