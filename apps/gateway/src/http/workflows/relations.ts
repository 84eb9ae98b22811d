import { coreError } from "@metanode/core";
import type { Relation } from "@metanode/nature/internal";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { isConditional, requireMatch } from "../tags.ts";
import { library, tags, workflowsOf } from "./access.ts";
import { EDIT_PROBLEMS, edit, IfVersion, type Match } from "./metas.ts";
import { RelationBody, RelationSchema, relationView } from "./views.ts";

const Param = z.object({
  from: z.string().describe("A meta-string, encoded."),
  to: z.string().describe("A meta-string, encoded."),
});
const Filter = z.strictObject({ from: z.string().optional(), to: z.string().optional() });
const list = z.object({ version: z.int().describe("Rises with every change."), items: z.array(RelationSchema) });
const Replacing = z.strictObject({ from: z.string().optional(), to: z.string().optional(), ...RelationBody });
const New = z.strictObject({ from: z.string(), to: z.string(), ...RelationBody });
const MADE = [
  "meta.syntax",
  "meta.unknown",
  "relation.invalid",
  "relation.unknown",
  "relation.exists",
  "instance.state",
] as const;

/** Relations: read and change what is declared, at run time. Work that was accepted goes on as it was. */
export function relationRoutes(api: Api, context: HttpContext): void {
  readRoutes(api, context);
  writeRoutes(api, context);
  for (const action of ["enable", "disable"] as const) actionRoute(api, context, action);
  const deleteSchema = {
    operationId: "deleteRelation",
    summary: "Take a relation out; work that was accepted goes on",
    tags,
    params: Param,
    querystring: IfVersion,
    response: { 204: nothing("It is gone."), ...problems(...EDIT_PROBLEMS, "meta.syntax", "relation.unknown") },
  };
  api.delete("/relations/:from/:to", { schema: deleteSchema, config: { checksTag: true } }, async (request, reply) => {
    const { params, query } = request;
    await edit(context, { op: "delete-relation", ...params }, query, await matchOf(context, request, params));
    return reply.code(204).send();
  });
}

/** What the tag of a relation stands for. */
const tagged = (relation: View): unknown => relation;

function readRoutes(api: Api, context: HttpContext): void {
  const listSchema = {
    operationId: "listRelations",
    summary: "Every relation that is declared, or those from or to a meta",
    tags,
    querystring: Filter,
    response: { 200: answer("Relations", list), ...problems("usage.invalid", "resource.not_found", "meta.syntax") },
  };
  api.get("/relations", { schema: listSchema }, async ({ query }) => {
    const { registry } = workflowsOf(context);
    const { canonicalMeta } = await library();
    const [from, to] = [query.from, query.to].map((one) => (one === undefined ? undefined : canonicalMeta(one)));
    const { version, relations } = registry.declared;
    const found = relations.filter((one) => (from ?? one.from) === one.from && (to ?? one.to) === one.to);
    return { version, items: found.map((one) => relationView(one, registry.catalog)) };
  });
  const getSchema = {
    operationId: "getRelation",
    summary: "One relation",
    tags,
    params: Param,
    response: {
      200: answer("The relation", RelationSchema),
      ...problems("resource.not_found", "meta.syntax", "relation.unknown"),
    },
  };
  const config = { tagged };
  api.get("/relations/:from/:to", { schema: getSchema, config }, async ({ params }) => find(context, params));
}

function writeRoutes(api: Api, context: HttpContext): void {
  const createSchema = {
    operationId: "createRelation",
    summary: "Declare a relation; refused if there is one between the two metas",
    tags,
    querystring: IfVersion,
    body: New,
    response: { 201: answer("The relation", RelationSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.post("/relations", { schema: createSchema }, async ({ body, query }, reply) => {
    await edit(context, { op: "create-relation", relation: body as Relation }, query);
    const view = await find(context, body);
    const location = `/api/v1/relations/${encodeURIComponent(view.from)}/${encodeURIComponent(view.to)}`;
    return reply.code(201).header("location", location).send(view);
  });
  const putSchema = {
    operationId: "putRelation",
    summary: "Declare a relation, or change the one that is there",
    tags,
    params: Param,
    querystring: IfVersion,
    body: Replacing,
    response: { 200: answer("The relation", RelationSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.put("/relations/:from/:to", { schema: putSchema, config: { checksTag: true } }, async (request) => {
    const { params, body, query } = request;
    const { canonicalMeta } = await library();
    for (const end of ["from", "to"] as const) {
      if (body[end] === undefined || canonicalMeta(body[end]) === canonicalMeta(params[end])) continue;
      throw coreError(
        "usage.invalid",
        `the body goes ${end} ${body[end]}, the address ${end} ${params[end]}; leave ${end} out of the body`,
        {
          details: { path: `/body/${end}` },
        },
      );
    }
    const isMatch = await matchOf(context, request, params);
    await edit(context, { op: "put-relation", relation: { ...body, ...params } as Relation }, query, isMatch);
    return find(context, params);
  });
}

function actionRoute(api: Api, context: HttpContext, action: "enable" | "disable"): void {
  const schema = {
    operationId: `${action}Relation`,
    summary:
      action === "enable"
        ? "Let a relation work again, on what is stored from now on"
        : "Let a relation rest; work that was accepted goes on",
    tags,
    params: Param,
    querystring: IfVersion,
    response: { 200: answer("The relation", RelationSchema), ...problems(...EDIT_PROBLEMS, ...MADE) },
  };
  api.post(`/relations/:from/:to/${action}`, { schema, config: { checksTag: true } }, async (request) => {
    const { params, query } = request;
    await edit(context, { op: `${action}-relation`, ...params }, query, await matchOf(context, request, params));
    return find(context, params);
  });
}

type Named = Pick<Relation, "from" | "to">;
type View = z.infer<typeof RelationSchema>;

async function find(context: HttpContext, name: Named): Promise<View> {
  return (await finder(context, name))();
}

async function matchOf(
  context: HttpContext,
  request: Pick<FastifyRequest, "headers" | "method">,
  name: Named,
): Promise<Match | undefined> {
  if (!isConditional(request)) return undefined;
  const look = await finder(context, name);
  return () => requireMatch(request, tagged, look);
}

async function finder(context: HttpContext, name: Named): Promise<() => View> {
  const { registry } = workflowsOf(context);
  const { canonicalMeta, natureError } = await library();
  const [from, to] = [canonicalMeta(name.from), canonicalMeta(name.to)];
  return () => {
    const found = registry.declared.relations.find((one) => one.from === from && one.to === to);
    if (found !== undefined) return relationView(found, registry.catalog);
    throw natureError("relation.unknown", `there is no relation ${from} -> ${to}; GET /api/v1/relations lists what there is`);
  };
}
