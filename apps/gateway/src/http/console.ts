import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coreError } from "@metanode/core";
import type { FastifyReply, FastifyRequest } from "fastify";
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

/** What the console's files are, by the end of their names. */
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};
/** Compressed forms that lie beside the files, the smaller one first. */
const ENCODINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** The web console at `/console/`, whose files anybody may have: they know nothing, and what they ask for needs a token. */
export function consoleRoutes(app: Api): void {
  const root = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((folder) =>
    existsSync(`${folder}index.html`),
  );
  const hide = { schema: { hide: true } };
  app.get("/", hide, async (_request, reply) => reply.redirect("/console/", 302));
  app.get("/console", hide, async (_request, reply) => reply.redirect("/console/", 301));
  app.get<{ Params: { "*": string } }>("/console/*", hide, async (request, reply) => {
    if (root === undefined) {
      throw coreError("resource.not_found", "the console's files are not there; make them with `npm run site -w apps/console`");
    }
    const path = request.params["*"];
    reply.header("content-security-policy", POLICY);
    reply.header("cache-control", path.startsWith("assets/") ? FOR_EVER : "no-cache");
    // What is no file is a screen, and the page finds out which.
    return answerFile(request, reply, { root, path: /^(assets\/)?[\w.-]+\.\w+$/.test(path) ? path : "index.html" });
  });
}

async function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { root, path }: { root: string; path: string },
): Promise<FastifyReply> {
  const accepted = request.headers["accept-encoding"] ?? "";
  const [encoding, ending] = ENCODINGS.find(([name, end]) => accepted.includes(name) && existsSync(join(root, path + end))) ?? [
    "",
    "",
  ];
  // For the first who looks: most nodes never show it.
  const { default: send } = await import("@fastify/send");
  const found = await send(request.raw, `/${path}${ending}`, { root, cacheControl: false, dotfiles: "deny" });
  if (found.type !== "file") {
    throw coreError("resource.not_found", `the console has no file ${path}; it is at /console/`, { details: { path } });
  }
  reply.code(found.statusCode).headers(found.headers).header("vary", "accept-encoding");
  reply.type(TYPES[path.split(".").at(-1) ?? ""] ?? "application/octet-stream");
  if (encoding !== "") reply.header("content-encoding", encoding);
  return reply.send(found.stream);
}
