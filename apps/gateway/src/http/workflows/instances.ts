import type { FlowResult, InputResult, Instance, InstanceInput, Locator } from "@metanode/nature/internal";
import { z } from "zod";
import { type Api, type HttpContext, withdrawalOf } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { traceparentOf } from "../trace.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { instanceReadRoutes } from "./instance-reads.ts";
import { Id, InstanceSchema, instanceView } from "./views.ts";

/** Longest wait for what comes of an input. */
const MAX_WAIT_S = 300;

const Origin = z.strictObject({
  meta: z.string(),
  id: Id.default("0"),
  para: z.string().default(""),
  version: z.int().min(0).default(0),
});
const Input = {
  meta: z.string(),
  id: Id.optional(),
  para: z.string().optional().describe("Parts joined by `/`; names external data."),
  version: z.int().min(0).optional().describe("For a meta with states: the next one. Default: whatever is next."),
  content: z.string().optional(),
  context: z.record(z.string(), z.string()).optional(),
  sysContext: z.record(z.string(), z.string()).optional(),
  states: z.array(z.string()).optional(),
};
const One = z.strictObject({
  ...Input,
  origin: Origin.optional().describe(
    "What it was made of, outside. A line takes one instance of each origin, so that it can be repeated.",
  ),
});
const Batch = z.strictObject({ items: z.array(z.strictObject(Input)).min(1) });
const Waiting = z.strictObject({
  waitFor: z
    .string()
    .optional()
    .describe("With `Prefer: wait`: the meta whose first instance is waited for. Default: the end of all work."),
});
const Headers = z.looseObject({
  prefer: z
    .string()
    .optional()
    .describe(`\`wait=5\`: answer when what follows is done, or after that many seconds (at most ${MAX_WAIT_S}).`),
  traceparent: z.string().optional().describe("W3C trace context: what comes of it belongs to that trace."),
});

const Stored = z.object({
  instance: InstanceSchema,
  isNew: z.boolean().describe("False = it was there already."),
  flow: z
    .object({
      status: z.enum(["stored", "ended", "timeout"]).describe("`stored` what was waited for is there; `ended` no work is left."),
      instance: InstanceSchema.optional(),
      failed: z.int().describe("Tasks that were given up."),
    })
    .optional()
    .describe("What the wait came to; absent without one."),
});
const StoredBatch = z.object({ items: z.array(Stored) });

const INPUT_PROBLEMS = [
  "usage.invalid",
  "message.invalid",
  "resource.not_found",
  "meta.syntax",
  "meta.unknown",
  "instance.invalid",
  "instance.state",
  "instance.version_gap",
  "instance.conflict",
  "instance.too_large",
  "store.unavailable",
] as const;

/** Instances: put in, and looked at. */
export function instanceRoutes(api: Api, context: HttpContext): void {
  inputRoute(api, context);
  batchRoute(api, context);
  instanceReadRoutes(api, context);
}

function inputRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "putInstance",
    summary:
      "Put an instance in; answers when it is stored together with the work that follows from it. The same again is stored once",
    tags,
    headers: Headers,
    querystring: Waiting,
    body: One,
    response: {
      201: answer("It is stored", Stored),
      200: answer("It was there already", Stored),
      ...problems(...INPUT_PROBLEMS),
    },
  };
  api.post("/instances", { schema }, async ({ body: { origin, ...given }, headers, query, raw }, reply) => {
    const { engine } = workflowsOf(context);
    const input = traced(given, traceparentOf(raw.headers));
    const waitMs = waitOf(headers.prefer);
    if (waitMs === undefined) {
      const result = await engine.input(input, origin === undefined ? {} : { origin });
      return reply.code(result.isNew ? 201 : 200).send(viewOf(result));
    }
    const options = { timeoutMs: waitMs, signal: withdrawalOf(reply), ...(await metaOf(query.waitFor)) };
    const { input: result, flow } =
      origin === undefined ? await engine.inputAndWait(input, options) : await inTwoSteps(context, { input, origin, options });
    return reply
      .code(result.isNew ? 201 : 200)
      .header("preference-applied", `wait=${waitMs / 1_000}`)
      .send(viewOf(result, flow));
  });
}

/** Where it says no trace itself, it belongs to that of its request. */
function traced(input: z.infer<z.ZodObject<typeof Input>>, traceparent: string | undefined): InstanceInput {
  const context = traceparent === undefined ? input.context : { traceparent, ...input.context };
  return { ...input, context } as InstanceInput;
}

/** What the engine has no one word for. */
async function inTwoSteps(
  context: HttpContext,
  given: {
    readonly input: InstanceInput;
    readonly origin: Locator;
    readonly options: { timeoutMs: number; signal: AbortSignal; meta?: string };
  },
): Promise<{ input: InputResult; flow: FlowResult }> {
  const { engine } = workflowsOf(context);
  const input = await engine.input(given.input, { origin: given.origin });
  return { input, flow: await engine.waitFor(input.instance, given.options) };
}

function batchRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "putInstances",
    summary: "Put instances in, all or none, in one transaction; at most one version of each line",
    tags,
    body: Batch,
    response: { 200: answer("What became of each, in their order", StoredBatch), ...problems(...INPUT_PROBLEMS) },
  };
  // The doubled colon is the router's way to say one.
  api.post("/instances::batch", { schema }, async ({ body, raw }) => {
    const traceparent = traceparentOf(raw.headers);
    const results = await workflowsOf(context).engine.inputMany(body.items.map((one) => traced(one, traceparent)));
    return { items: results.map((result) => viewOf(result)) };
  });
}

function viewOf({ instance, isNew }: InputResult, flow?: FlowResult): z.infer<typeof Stored> {
  if (flow === undefined) return { instance: instanceView(instance), isNew };
  const { status, failed, instance: reached } = flow;
  return { instance: instanceView(instance), isNew, flow: { status, failed, instance: optionalView(reached) } };
}

function optionalView(instance: Instance | undefined): z.infer<typeof InstanceSchema> | undefined {
  return instance === undefined ? undefined : instanceView(instance);
}

async function metaOf(waitFor: string | undefined): Promise<{ meta?: string }> {
  if (waitFor === undefined) return {};
  const { canonicalMeta } = await library();
  return { meta: canonicalMeta(waitFor) };
}

/** How long a caller wants to wait, in milliseconds. Preferences that are not understood are ignored. @source RFC 7240 §4.3 */
function waitOf(prefer: string | undefined): number | undefined {
  const found = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(prefer ?? "")?.[1];
  return found === undefined ? undefined : Math.min(Number(found), MAX_WAIT_S) * 1_000;
}
