import { coreError, hasCode } from "@metanode/core";
import type { Edit, Meta } from "@metanode/nature/internal";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { isConditional, requireMatch } from "../tags.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { MetaBody, MetaSchema, metaView } from "./views.ts";

type View = z.infer<typeof MetaSchema>;

/** The version of what is declared that a change is meant for. */
export const IfVersion = z.strictObject({
  ifVersion: z.coerce.number().int().min(0).optional().describe("Only if what is declared still has this version."),
});
const Param = z.object({ meta: z.string().describe("`type:key:version`, encoded: `B%3Asale%2Forder%3A1`.") });
const Described = z.object({
  ...MetaSchema.shape,
  usedBy: z.object({ relations: z.array(z.string()), metas: z.array(z.string()), instances: z.boolean() }),
});
const list = z.object({ version: z.int().describe("Rises with every change."), items: z.array(MetaSchema) });
const Replacing = z.strictObject({ meta: z.string().optional(), ...MetaBody });
const New = z.strictObject({ meta: z.string(), ...MetaBody });

/** What changes of declarations answer with besides what each can. */
export const EDIT_PROBLEMS = [
  "usage.invalid",
  "message.invalid",
  "config.invalid",
  "resource.not_found",
  "state.conflict",
  "store.unavailable",
] as const;
const MADE = ["meta.syntax", "meta.invalid", "meta.unknown", "meta.exists", "meta.in_use", "relation.invalid"] as const;

/** Metas: read and change what is declared, at run time. */
export function metaRoutes(api: Api, context: HttpContext): void {
  readRoutes(api, context);
  writeRoutes(api, context);
  for (const action of ["enable", "disable"] as const) actionRoute(api, context, action);
  const deleteSchema = {
    operationId: "deleteMeta",
    summary: "Take a meta out; refused while anything needs it or instances of it are stored",
    tags,
    params: Param,
    querystring: IfVersion,
    response: { 204: nothing("It is gone."), ...problems(...EDIT_PROBLEMS, "meta.syntax", "meta.unknown", "meta.in_use") },
  };
  api.delete("/metas/:meta", { schema: deleteSchema, config: { checksTag: true } }, async (request, reply) => {
    const { meta } = request.params;
    await edit(context, { op: "delete-meta", meta }, request.query, await matchOf(context, request, meta));
    return reply.code(204).send();
  });
}

/** What the tag of a meta stands for. */
const tagged = ({ usedBy: _others, ...meta }: View & { readonly usedBy?: unknown }): unknown => meta;

function readRoutes(api: Api, context: HttpContext): void {
  const listSchema = {
    operationId: "listMetas",
    summary: "Every meta that is declared, in the order of declaration",
    tags,
    response: { 200: answer("Metas", list), ...problems("resource.not_found") },
  };
  api.get("/metas", { schema: listSchema }, async () => {
    const { registry } = workflowsOf(context);
    const { version, metas } = registry.declared;
    return { version, items: metas.map((one) => metaView(one, registry.catalog)) };
  });
  const getSchema = {
    operationId: "getMeta",
    summary: "One meta, with what needs it",
    tags,
    params: Param,
    response: {
      200: answer("The meta", Described),
      ...problems("resource.not_found", "meta.syntax", "meta.unknown", "store.unavailable"),
    },
  };
  const config = { tagged };
  api.get("/metas/:meta", { schema: getSchema, config }, async ({ params }) => {
    const view = await find(context, params.meta);
    const { relations, metas, instances } = await workflowsOf(context).registry.usedBy(view.meta);
    return { ...view, usedBy: { relations: [...relations], metas: [...metas], instances } };
  });
}

function writeRoutes(api: Api, context: HttpContext): void {
  const createSchema = {
    operationId: "createMeta",
    summary: "Declare a meta; refused if it is there",
    tags,
    querystring: IfVersion,
    body: New,
    response: { 201: answer("The meta", MetaSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.post("/metas", { schema: createSchema }, async ({ body, query }, reply) => {
    await edit(context, { op: "create-meta", meta: body as Meta }, query);
    const view = await find(context, body.meta);
    return reply
      .code(201)
      .header("location", `/api/v1/metas/${encodeURIComponent(view.meta)}`)
      .send(view);
  });
  const putSchema = {
    operationId: "putMeta",
    summary: "Declare a meta, or change the one that is there",
    tags,
    params: Param,
    querystring: IfVersion,
    body: Replacing,
    response: { 200: answer("The meta", MetaSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.put("/metas/:meta", { schema: putSchema, config: { checksTag: true } }, async (request) => {
    const { params, body, query } = request;
    const { canonicalMeta } = await library();
    if (body.meta !== undefined && canonicalMeta(body.meta) !== canonicalMeta(params.meta)) {
      throw coreError(
        "usage.invalid",
        `the body is about ${body.meta}, the address about ${params.meta}; leave meta out of the body`,
        {
          details: { path: "/body/meta" },
        },
      );
    }
    const isMatch = await matchOf(context, request, params.meta);
    await edit(context, { op: "put-meta", meta: { ...body, meta: params.meta } as Meta }, query, isMatch);
    return find(context, params.meta);
  });
}

function actionRoute(api: Api, context: HttpContext, action: "enable" | "disable"): void {
  const schema = {
    operationId: `${action}Meta`,
    summary: action === "enable" ? "Let a meta count again" : "Let a meta count as not declared; refused while anything needs it",
    tags,
    params: Param,
    querystring: IfVersion,
    response: { 200: answer("The meta", MetaSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.post(`/metas/:meta/${action}`, { schema, config: { checksTag: true } }, async (request) => {
    const { meta } = request.params;
    await edit(context, { op: `${action}-meta`, meta }, request.query, await matchOf(context, request, meta));
    return find(context, meta);
  });
}

async function find(context: HttpContext, name: string): Promise<View> {
  return (await finder(context, name))();
}

async function finder(context: HttpContext, name: string): Promise<() => View> {
  const { registry } = workflowsOf(context);
  const { canonicalMeta, natureError } = await library();
  const meta = canonicalMeta(name);
  return () => {
    const found = registry.declared.metas.find((one) => one.meta === meta);
    if (found !== undefined) return metaView(found, registry.catalog);
    throw natureError("meta.unknown", `meta ${meta} is not declared; GET /api/v1/metas lists what is`, { details: { meta } });
  };
}

type Asking = Pick<FastifyRequest, "headers" | "method">;

async function matchOf(context: HttpContext, request: Asking, name: string): Promise<Match | undefined> {
  if (!isConditional(request)) return undefined;
  const look = await finder(context, name);
  return () => requireMatch(request, tagged, look);
}

/** Throws unless what is declared now is what a change is meant for. */
export type Match = () => void;

/** Other edits that may come between the look at a tag and the change, one after the other. */
const MAX_BETWEEN = 20;

/** Makes one edit of what is declared. Between `match` and the edit nothing changes: it is looked at again after every other edit. */
export async function edit(
  context: HttpContext,
  one: Edit,
  { ifVersion }: z.infer<typeof IfVersion>,
  match?: Match,
): Promise<void> {
  const { registry } = workflowsOf(context);
  for (let between = 0; ; between++) {
    const { version } = registry.declared;
    match?.();
    const expectedVersion = ifVersion ?? (match === undefined ? undefined : version);
    try {
      await registry.edit([one], expectedVersion === undefined ? {} : { expectedVersion });
      return;
    } catch (error) {
      const isAnother = hasCode(error, "state.conflict") && registry.declared.version !== version;
      if (match === undefined || ifVersion !== undefined || !isAnother || between >= MAX_BETWEEN) throw error;
    }
  }
}
