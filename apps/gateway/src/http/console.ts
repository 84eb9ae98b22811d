import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import { coreError } from "@metanode/core";
import type { FastifyReply } from "fastify";
import type { Api } from "./context.ts";

/** Where the console's files are: in the published package, or else in the repository, where `npm ci` makes them. */
const PLACES = ["../../console/", "../../../console/site/"];
/** Files whose names carry a hash of what is in them never change. */
const FOR_EVER = "public, max-age=31536000, immutable";
/** Everything of the console comes from the node itself: it works where nothing else can be reached. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The web console at `/console/`, whose files anybody may have: they know nothing, and what they ask for needs a token. */
export async function consoleRoutes(app: Api): Promise<void> {
  const root = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((folder) =>
    existsSync(`${folder}index.html`),
  );
  const hide = { schema: { hide: true } };
  app.get("/", hide, async (_request, reply) => reply.redirect("/console/", 302));
  app.get("/console", hide, async (_request, reply) => reply.redirect("/console/", 301));
  if (root === undefined) {
    app.get("/console/*", hide, async () => {
      throw coreError("resource.not_found", "the console's files are not there; make them with `npm run site -w apps/console`");
    });
    return;
  }
  await app.register(fastifyStatic, { root, serve: false, preCompressed: true, cacheControl: false });
  app.get<{ Params: { "*": string } }>("/console/*", hide, async (request, reply) => {
    const path = request.params["*"];
    const isFile = /^(assets\/)?[\w.-]+\.\w+$/.test(path);
    reply.header("content-security-policy", POLICY);
    reply.header("cache-control", path.startsWith("assets/") ? FOR_EVER : "no-cache");
    // What is no file is a screen, and the page finds out which.
    return send(reply, isFile ? path : "index.html");
  });
}

function send(reply: FastifyReply, path: string): FastifyReply {
  return reply.sendFile(path);
}
