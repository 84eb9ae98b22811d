import { createHash } from "node:crypto";
import { coreError } from "@metanode/core";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import type { KeptAnswer, Replays } from "../access/replays.ts";
import { isQuestion } from "../access/roles.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What answer is to be kept, under which key. */
    attempt: Attempt | undefined;
  }
}

interface Attempt {
  readonly name: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** Says that nothing was done, since it had been done before. */
export const REPLAYED = "idempotency-replayed";
/** Their answer may be given twice: messages have keys of their own, and the text of a token is kept nowhere. */
const WITHOUT: ReadonlySet<string> = new Set(["postMessage", "createToken"]);
/** Nothing was done, and what was in the way may be gone the next time: another state than the expected one, a limit. */
const AGAIN: ReadonlySet<number> = new Set([412, 429]);
const KEPT_HEADERS = ["content-type", "location", "x-error-code"] as const;

/*
 * I1. What was answered under a key is answered again, and not done again: to the same token, for the same request, for 24 hours.
 * I2. Of two requests under one key at the same time one is done, and the other is told to come back.
 * I3. What may be done differently the next time is not kept: a defect, a node that stops, a limit that is reached, a state that was another. Nor is a stream.
 */

/** Lets the POSTs of a scope carry an `Idempotency-Key`. Comes after whatever finds out who asks. */
export function replayAnswers(scope: FastifyInstance, replays: Replays): void {
  const underWay = new Set<string>();
  scope.decorateRequest("attempt", undefined);
  const begin = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const key = keyOf(request);
    if (key === undefined) return undefined;
    const attempt = { name: request.identity?.name ?? "", key, fingerprint: fingerprintOf(request) };
    const kept = replays.find(attempt.name, key);
    if (kept !== undefined) return again(kept, attempt, reply);
    if (underWay.has(idOf(attempt)))
      throw conflict(`a request under the key ${key} is under way; ask again for its answer`, true);
    underWay.add(idOf(attempt));
    request.attempt = attempt;
    return undefined;
  };
  const end = async (request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> => {
    const { attempt } = request;
    if (attempt === undefined) return;
    underWay.delete(idOf(attempt));
    const isText = payload === undefined || payload === null || typeof payload === "string";
    if (!isText || reply.statusCode >= 500 || AGAIN.has(reply.statusCode)) return;
    const headers = Object.fromEntries(
      KEPT_HEADERS.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])),
    );
    const body = typeof payload === "string" ? payload : "";
    try {
      replays.keep(attempt.name, attempt.key, { fingerprint: attempt.fingerprint, status: reply.statusCode, headers, body });
    } catch (err) {
      // It was done: whoever asked is to know, though nobody will the next time.
      request.log.error({ err, key: attempt.key }, "an answer could not be kept under its idempotency key");
    }
  };
  scope.addHook("onRoute", (route) => {
    if (!isRepeatable(route)) return;
    route.config = { ...route.config, takesKey: true };
    route.preValidation = [begin];
    route.onSend = [end];
  });
}

function isRepeatable({ method, config }: RouteOptions): boolean {
  const operationId = config?.operationId;
  return method === "POST" && operationId !== undefined && !WITHOUT.has(operationId) && !isQuestion(operationId);
}

function again({ fingerprint, status, headers, body }: KeptAnswer, attempt: Attempt, reply: FastifyReply): FastifyReply {
  if (fingerprint !== attempt.fingerprint) {
    throw conflict(`the key ${attempt.key} was used for another request; take a new key for what is new`, false);
  }
  if (body === undefined) {
    throw conflict(`what the key ${attempt.key} stands for was done, and its answer was too large to keep`, false);
  }
  return reply
    .code(status)
    .headers({ ...headers, [REPLAYED]: "true" })
    .send(body === "" ? undefined : body);
}

/** A key may come quoted, as the IETF draft has it, or bare, as most senders have it. @throws {MetanodeError} usage.invalid */
function keyOf({ headers }: FastifyRequest): string | undefined {
  const given = headers["idempotency-key"];
  if (given === undefined || given === "") return undefined;
  const key = String(given).replace(/^"(.*)"$/, "$1");
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw coreError("usage.invalid", "Idempotency-Key is none: expected 1 to 255 printable ASCII characters without spaces", {
    details: { path: "/headers/idempotency-key" },
  });
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  return createHash("sha256")
    .update(`${method} ${url}\n${JSON.stringify(body) ?? ""}`)
    .digest("base64");
}

function idOf({ name, key }: Attempt): string {
  return `${name} ${key}`;
}

function conflict(message: string, retryable: boolean): Error {
  return coreError("state.conflict", message, { retryable, ...(retryable ? { retryAfterMs: 1_000 } : {}) });
}
