import { createHash, timingSafeEqual } from "node:crypto";
import { coreError } from "@metanode/core";
import type { FastifyReply, FastifyRequest } from "fastify";

/** A check of every request's bearer token. @throws {MetanodeError} auth.unauthenticated */
export function requireToken(token: string): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  // Digests are of one length, so that comparing them takes the same time whatever was sent.
  const expected = digest(token);
  return async (request, reply) => {
    const found = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
    if (found !== undefined && timingSafeEqual(digest(found), expected)) return;
    reply.header(
      "www-authenticate",
      found === undefined ? 'Bearer realm="metanode"' : 'Bearer realm="metanode", error="invalid_token"',
    );
    const what = found === undefined ? "the request carries no bearer token" : "the bearer token is not the one of this node";
    throw coreError(
      "auth.unauthenticated",
      `${what}; send \`Authorization: Bearer <token>\` with the token from the node's data folder`,
    );
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
