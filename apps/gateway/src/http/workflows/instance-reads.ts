import { coreError } from "@metanode/core";
import type { Instance, Locator } from "@metanode/nature/internal";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, problems } from "../responses.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { Cursor, InstanceSchema, instanceView, keyParts, Limit, momentOf, pageSchema, pageView } from "./views.ts";

const Key = z.object({ key: z.string().describe("`meta|id|para|version`, encoded; without a version the last one.") });
const Line = z.object({ key: z.string().describe("`meta|id|para`, encoded.") });
const Range = z.strictObject({ limit: Limit, cursor: Cursor });
const bound = z
  .string()
  .optional()
  .describe("A key, or its beginning: `meta`, `meta|id`, `meta|id|para`, `meta|id|para|version`.");
const moment = z.string().optional().describe("A time, such as 2026-01-31T12:00:00Z.");
const Query = z.strictObject({
  meta: z.string().optional(),
  keyGt: bound,
  keyGe: bound,
  keyLt: bound,
  keyLe: bound,
  createdGe: moment,
  createdLt: moment,
  order: z.enum(["key", "recent"]).default("key").describe("`recent`: the youngest first; with `meta` and no bounds."),
  limit: Limit,
  cursor: Cursor,
});
const Steps = z.strictObject({ limit: Limit.describe("At most so many steps.") });

const PROBLEMS = ["usage.invalid", "config.invalid", "resource.not_found", "meta.syntax", "store.unavailable"] as const;

/** What is stored: one instance, the versions of a line, ranges of keys, and where things came from and went to. */
export function instanceReadRoutes(api: Api, context: HttpContext): void {
  queryRoute(api, context);
  const getSchema = {
    operationId: "getInstance",
    summary: "One instance",
    tags,
    params: Key,
    response: { 200: answer("The instance", InstanceSchema), ...problems(...PROBLEMS, "instance.unknown") },
  };
  api.get("/instances/:key", { schema: getSchema }, async ({ params }) => instanceView(await find(context, params.key)));
  const versionsSchema = {
    operationId: "listVersions",
    summary: "The versions of one line, the last first",
    tags,
    params: Line,
    querystring: Range,
    response: { 200: answer("One page", pageSchema(InstanceSchema)), ...problems(...PROBLEMS) },
  };
  api.get("/instances/:key/versions", { schema: versionsSchema }, async ({ params, query }) => {
    const { version: _all, ...line } = await locatorOf(params.key);
    return pageView(await workflowsOf(context).reads.versions(line, pageOf(query)), instanceView);
  });
  lineageRoutes(api, context);
}

function queryRoute(api: Api, context: HttpContext): void {
  const schema = {
    operationId: "listInstances",
    summary: "Instances of a meta, or of a range of keys",
    tags,
    querystring: Query,
    response: {
      200: answer("One page, in the order of keys unless `recent`", pageSchema(InstanceSchema)),
      ...problems(...PROBLEMS),
    },
  };
  api.get("/instances", { schema }, async ({ query }) => {
    const { order, limit, cursor, meta: name, createdGe, createdLt, ...bounds } = query;
    const { reads } = workflowsOf(context);
    const { canonicalMeta } = await library();
    const meta = name === undefined ? undefined : canonicalMeta(name);
    const given = Object.entries({ ...bounds, createdGe, createdLt }).filter(([, value]) => value !== undefined);
    if (order === "recent") {
      if (meta !== undefined && given.length === 0)
        return pageView(await reads.recent(meta, pageOf({ limit, cursor })), instanceView);
      throw coreError("usage.invalid", "order=recent needs a meta and takes no bounds", { details: { path: "/query/order" } });
    }
    const range = defined({
      ...bounds,
      meta,
      createdGeMs: momentOf("createdGe", createdGe),
      createdLtMs: momentOf("createdLt", createdLt),
    });
    return pageView(await reads.range({ ...range, ...pageOf({ limit, cursor }) }), instanceView);
  });
}

function lineageRoutes(api: Api, context: HttpContext): void {
  const downSchema = {
    operationId: "listDownstream",
    summary: "What was made from an instance, one step down",
    tags,
    params: Key,
    querystring: Range,
    response: {
      200: answer("One page, in the order of keys", pageSchema(InstanceSchema)),
      ...problems(...PROBLEMS, "instance.unknown"),
    },
  };
  api.get("/instances/:key/downstream", { schema: downSchema }, async ({ params, query }) => {
    const key = await exactOf(context, params.key);
    return pageView(await workflowsOf(context).reads.downstream(key, pageOf(query)), instanceView);
  });
  const upSchema = {
    operationId: "listUpstream",
    summary: "What an instance was made from, step by step back to the input",
    tags,
    params: Key,
    querystring: Steps,
    response: {
      200: answer("The nearest first", z.object({ items: z.array(InstanceSchema) })),
      ...problems(...PROBLEMS, "instance.unknown"),
    },
  };
  api.get("/instances/:key/upstream", { schema: upSchema }, async ({ params, query }) => {
    const key = await exactOf(context, params.key);
    const items = await workflowsOf(context).reads.upstream(key, query.limit);
    return { items: items.map(instanceView) };
  });
}

/** The instance of a key; without a version the last one. @throws instance.unknown */
async function find(context: HttpContext, text: string): Promise<Instance> {
  const workflows = workflowsOf(context);
  const { natureError } = await library();
  const { version, ...line } = await locatorOf(text);
  const found = await (version === undefined ? workflows.latest(line) : workflows.instance({ ...line, version }));
  if (found !== undefined) return found;
  throw natureError("instance.unknown", `no instance ${text} is stored`, { details: { key: text } });
}

async function exactOf(context: HttpContext, text: string): Promise<Locator> {
  const { version, ...line } = await locatorOf(text);
  return version === undefined ? find(context, text) : { ...line, version };
}

async function locatorOf(text: string): Promise<ReturnType<typeof keyParts>> {
  const { canonicalMeta, checkId } = await library();
  const { meta, id, ...rest } = keyParts(text);
  return { meta: canonicalMeta(meta), id: checkId(id), ...rest };
}

function pageOf({ limit, cursor }: { limit: number; cursor?: string | undefined }): { limit: number; cursor?: string } {
  return cursor === undefined ? { limit } : { limit, cursor };
}

function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}
