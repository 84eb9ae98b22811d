import multipart from "@fastify/multipart";
import { errorRow, MetanodeError } from "@metanode/core";
import type { Graph, GraphInfo, Streams } from "@metanode/streaming";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { roleFor } from "../../access/roles.ts";
import type { Guard } from "../auth.ts";
import type { Api, HttpContext } from "../context.ts";
import { toKnownError } from "../problem.ts";

/**
 * The routes of GoStreaming's meta node, `/v1/actions` and `/v1/schemas`, with its statuses and its `{code, message}`.
 *
 *  | here | there |
 *  |---|---|
 *  | names of actions are letters, digits, dots, `_` and `-` | anything that is not empty, paths too |
 *  | stop drains what is under way, and says when it could not | drops it, and says 204 |
 *  | addresses are kept as hints; everything runs on this node | each node on its machine |
 *  | the dashboard is the console's | `/dashboard` and its WebSocket |
 * @source spec of the stream model, §5.1
 */
export async function goStreamingRoutes(api: Api, context: HttpContext, guard: Guard): Promise<void> {
  if (context.streamsFace?.compatToken !== false) api.addHook("onRequest", guard.check);
  guard.watch(api as unknown as FastifyInstance);
  api.setErrorHandler((error, request, reply) => refuse(error, request, reply));
  await api.register(multipart, { limits: { fileSize: MAX_BYTES, files: 1 } });
  const streams = (): Promise<Streams> => context.streams.streams();
  actionRoutes(api, streams);
  schemeRoutes(api, streams);
  lifeRoutes(api, streams);
}

const MAX_BYTES = 256 * 1_024 * 1_024;
const hidden = { schema: { hide: true } as object };
/** With the role that the operation needs in our own API, and written down under its name there. */
const as = (operationId: string) => ({ ...hidden, config: { role: roleFor("POST", operationId), operationId } });

interface Named {
  readonly name: string;
}

/** A refusal in GoStreaming's words. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function actionRoutes(api: Api, streams: () => Promise<Streams>): void {
  api.get("/actions", hidden, async (_request, reply) => {
    const names = new Set((await streams()).uploads.list().map(({ name }) => name));
    return answer(reply, { actions: [...names] });
  });
  api.get("/actions/:name", hidden, async ({ params }, reply) => {
    const { uploads } = await streams();
    const { name } = params as Named;
    if (uploads.find(name) === undefined) throw new Refusal(404, "name_not_found", `there is no action ${name}`);
    return reply.type("application/octet-stream").send(uploads.read(name).content);
  });
  api.post("/actions", as("uploadAction"), async (request, reply) => {
    const { uploads } = await streams();
    let name = "";
    let isStored = false;
    for await (const part of request.parts()) {
      if (part.type === "field" && part.fieldname === "name") name = String(part.value);
      else if (part.type === "file" && part.fieldname === "action") {
        if (name === "") throw new Refusal(400, "bad_name", "the field name is empty or comes behind the file");
        if (uploads.find(name) !== undefined) throw new Refusal(409, "name_already_exists", `there is an action ${name} already`);
        await uploads.put(name, part.file);
        isStored = true;
      }
    }
    if (name === "") throw new Refusal(400, "bad_name", "the field name is empty");
    if (!isStored) throw new Refusal(400, "bad_action", "there is no file action");
    return reply.code(204).send();
  });
  api.delete("/actions/:name", as("removeAction"), async ({ params }, reply) => {
    const { name } = params as Named;
    const all = await streams();
    if (all.uploads.find(name) === undefined) throw new Refusal(404, "name_not_found", `there is no action ${name}`);
    await all.removeAction(name, { force: true });
    return reply.code(204).send();
  });
}

function schemeRoutes(api: Api, streams: () => Promise<Streams>): void {
  api.get("/schemas", hidden, async (_request, reply) =>
    answer(reply, { schemas: (await streams()).list().map(({ name, state }) => ({ name, status: isUp(state) ? 1 : 0 })) }),
  );
  api.get("/schemas/:name", hidden, async ({ params }, reply) =>
    answer(reply, schemeOf(find(await streams(), params as Named).graph)),
  );
  api.post("/schemas", as("applyGraph"), async ({ body }, reply) => {
    const all = await streams();
    if (typeof body !== "object" || body === null) throw new Refusal(400, "bad_unmarshal", "the body is no scheme in JSON");
    const { importScheme } = await import("@metanode/streaming");
    const { graph } = imported(() => importScheme(body));
    const { name = "" } = graph;
    if (all.list().some((one) => one.name === name))
      throw new Refusal(409, "name_already_exists", `there is a scheme ${name} already`);
    // Whether its actions exist is looked at when it is run.
    await all.apply({ name, nodes: graph.nodes, edges: graph.edges }, { unchecked: true });
    return reply.code(204).send();
  });
  api.delete("/schemas/:name", as("removeGraph"), async ({ params }, reply) => {
    const all = await streams();
    await all.remove(find(all, params as Named).name, { force: true });
    return reply.code(204).send();
  });
}

function lifeRoutes(api: Api, streams: () => Promise<Streams>): void {
  api.put("/schemas/:name/run", as("runGraph"), async ({ params }, reply) => {
    const all = await streams();
    const { name, state } = find(all, params as Named);
    if (isUp(state)) throw new Refusal(500, "machine_error", `scheme ${name} runs already`);
    await all.run(name);
    return reply.code(204).send();
  });
  api.put("/schemas/:name/stop", as("stopGraph"), async ({ params }, reply) => {
    const all = await streams();
    const { name } = params as Named;
    const found = all.list().find((one) => one.name === name);
    if (found === undefined || !isUp(found.state)) throw new Refusal(404, "bad_scheme", `scheme ${name} does not run`);
    await all.stop(name);
    return reply.code(204).send();
  });
}

function isUp(state: GraphInfo["state"]): boolean {
  return ["running", "paused", "draining", "restarting", "crash-looping"].includes(state);
}

function find(streams: Streams, { name }: Named): GraphInfo {
  const found = streams.list().find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Refusal(404, "name_not_found", `there is no scheme ${name}`);
}

function imported<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Refusal(400, "bad_scheme", error instanceof Error ? error.message : String(error));
  }
}

/** A graph as GoStreaming writes it. One that no expression can say has its edges instead. */
async function schemeOf({ name, nodes, edges, ...rest }: Graph): Promise<object> {
  const { graphExpression } = await import("@metanode/streaming");
  const dataflow = graphExpression({ name: name ?? "", nodes, edges, ...rest });
  return {
    name,
    ...(dataflow === undefined ? { edges } : { dataflow }),
    nodes: nodes.map((node) => ({
      name: node.name,
      action: (node.action ?? node.name).replace(/@\d+$/, ""),
      addresses: node.placement ?? [],
      ...(node.args === undefined ? {} : { args: node.args }),
      ...(node.env === undefined ? {} : { env: node.env }),
      ...(node.egress === undefined ? {} : { conn_whitelist: node.egress === "all" ? ["all"] : node.egress }),
    })),
  };
}

async function answer(reply: FastifyReply, body: object | Promise<object>): Promise<FastifyReply> {
  return reply.type("application/json").send(JSON.stringify(await body));
}

/** Our codes in its words. */
const WORDS: Readonly<Record<string, readonly [status: number, code: string]>> = {
  "stream.graph": [400, "bad_name"],
  "stream.action_unknown": [400, "bad_name"],
  "usage.invalid": [400, "bad_name"],
  "stream.too_large": [400, "bad_action"],
  "stream.storage": [500, "etcd_error"],
};

function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof Refusal) return say(reply, error.status, { code: error.code, message: error.message });
  const { statusCode, message = String(error) } = (error ?? {}) as { statusCode?: number; message?: string };
  if (!(error instanceof MetanodeError) && statusCode !== undefined && statusCode < 500) {
    const isForm = request.url.startsWith("/v1/actions");
    return say(reply, 400, { code: isForm ? "bad_action" : "bad_unmarshal", message });
  }
  const known = toKnownError(error, (errorId, cause) => request.log.error({ err: cause, errorId }, "a request met a defect"));
  const [status, code] = WORDS[known.code] ?? [isAboutAccess(known.code) ? errorRow(known.code).http : 500, "internal_error"];
  reply.header("x-error-code", known.code);
  return say(reply, status, { code, message: known.message });
}

function isAboutAccess(code: string): boolean {
  return code.startsWith("auth.") || code === "call.resource_exhausted";
}

function say(reply: FastifyReply, status: number, body: { code: string; message: string }): FastifyReply {
  return reply.code(status).type("application/json").send(JSON.stringify(body));
}
