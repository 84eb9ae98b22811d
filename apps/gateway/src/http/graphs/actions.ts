import { Readable } from "node:stream";
import type { ActionInfo, UploadedAction } from "@metanode/streaming";
import { z } from "zod";
import type { Api, HttpContext } from "../context.ts";
import { answer, nothing, problems } from "../responses.ts";
import { ActionView, actionView } from "./views.ts";

const tags = ["actions"];
const Name = z.object({ name: z.string().describe("A name, or `name@version`.") });
const BYTES = "application/octet-stream";

/** What nodes of graphs can run, and programs of one's own. */
export function actionRoutes(api: Api, { streams }: HttpContext): void {
  const listSchema = {
    operationId: "listActions",
    summary: "What nodes of graphs can run besides commands: functions of the host, built-ins, uploaded programs",
    tags,
    response: { 200: answer("By name", z.object({ items: z.array(ActionView) })), ...problems() },
  };
  api.get("/actions", { schema: listSchema }, async () => ({ items: (await streams.streams()).actions().map(actionView) }));
  readRoute(api, { streams });
  changeRoutes(api, { streams });
}

function readRoute(api: Api, { streams }: Pick<HttpContext, "streams">): void {
  const schema = {
    operationId: "getAction",
    summary: "The content of an uploaded program",
    tags,
    params: Name,
    response: {
      200: { description: "Its bytes", content: { [BYTES]: { schema: z.string().meta({ format: "binary" }) } } },
      ...problems("stream.action_unknown"),
    },
  };
  api.get("/actions/:name", { schema }, async ({ params }, reply) => {
    const { action, content } = (await streams.streams()).uploads.read(params.name);
    reply.header("x-metanode-version", String(action.version)).header("x-metanode-hash", action.hash);
    return reply
      .type(BYTES)
      .serializer(String)
      .send(content as never);
  });
}

function changeRoutes(api: Api, { streams }: Pick<HttpContext, "streams">): void {
  const putSchema = {
    operationId: "uploadAction",
    summary: "Upload a program as the next version of its name; the same content again is no new version",
    tags,
    consumes: [BYTES],
    params: z.object({ name: z.string() }),
    response: {
      200: answer("The program", ActionView),
      ...problems("usage.invalid", "stream.too_large", "stream.storage"),
    },
  };
  // The content goes from the connection to the disk; nothing holds all of it.
  void api.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    (scope as Api).put("/actions/:name", { schema: putSchema, bodyLimit: Number.MAX_SAFE_INTEGER }, async ({ params, body }) => {
      const content = body instanceof Readable ? body : Readable.from([]);
      return actionView(infoOf(await (await streams.streams()).uploads.put(params.name, content)));
    });
  });
  const removeSchema = {
    operationId: "removeAction",
    summary: "Forget an uploaded program, or one version of it; what runs goes on with its own copy",
    tags,
    params: Name,
    querystring: z.strictObject({ force: z.stringbool().default(false).describe("Also when a graph names it.") }),
    response: {
      204: nothing("It is gone."),
      ...problems("stream.action_unknown", "state.conflict", "stream.storage", "usage.invalid"),
    },
  };
  api.delete("/actions/:name", { schema: removeSchema }, async ({ params, query }, reply) => {
    await (await streams.streams()).removeAction(params.name, { force: query.force });
    return reply.code(204).send();
  });
}

function infoOf({ name, version, hash, bytes, uploadedAtMs }: UploadedAction): ActionInfo {
  return { name, version, hash, bytes, kind: "uploaded", summary: `Uploaded ${new Date(uploadedAtMs).toISOString()}.` };
}
