import { Agent as HttpsAgent } from "node:https";
import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { Agent as HttpAgent } from "@metanode/core/internal/http";
import { natureError } from "../errors.ts";
import { shown } from "./answer.ts";
import type { Credentials } from "./credentials.ts";
import type { ConvertResult, Executor, ExecutorResolver, Output } from "./executor.ts";
import { type Connections, type Post, type Posted, post } from "./http-post.ts";
import { parseLossless } from "./lossless-json.ts";
import { fromNature, fromNatureOver, fromNatureReply, fromNatureResult, toNature, toNatureRequest } from "./nature-json.ts";
import { checkedTraceparent } from "./trace.ts";

/**
 * Executors over HTTP, with the bodies of Nature: what was written for it works unchanged. What is ours stands in headers only:
 * `metanode-task` (the id of the task), `metanode-credential` and `metanode-callback` (how to answer later), `metanode-deadline`, and `traceparent`.
 *
 * What becomes of an answer:
 *
 *  | what comes | becomes |
 *  |---|---|
 *  | an answer of an executor, whatever its status | that |
 *  | no connection, a connection that breaks, no answer in time | tried again |
 *  | status 5xx, 408, 421, 425, 429 | tried again |
 *  | any other status of 300 and more | final: this request will be refused again |
 *  | another status, and a body that is no answer | tried again |
 *  | an answer that is too long | final |
 */

/** How executors over HTTP are asked. */
export interface HttpExecutorOptions {
  /** Makes the `task_id` on the wire and the credential. */
  credentials: Pick<Credentials, "seal">;
  /** Where an executor posts what it answers later; absent = it has to know. As a function where it is known only later. */
  callbackUrl?: string | (() => string | undefined);
  /** Longest answer, in bytes. @default 16_777_216 */
  maxAnswerBytes?: number;
  /** Connections to one host at a time. @default 256 */
  maxConnections?: number;
  /** How long a connection is kept that nobody uses, in milliseconds. @default 15_000 */
  keepAliveMs?: number;
  /** Certificates of authorities that are trusted besides none else (PEM). @default those of the runtime */
  certificateAuthorities?: string | readonly string[];
}

/** Both protocols over one pool of connections each. */
export interface HttpExecutors {
  readonly http: ExecutorResolver;
  readonly https: ExecutorResolver;
  /** Closes the connections; what is under way fails. Idempotent. */
  close(): void;
}

const KNOWN = ["credentials", "callbackUrl", "maxAnswerBytes", "maxConnections", "keepAliveMs", "certificateAuthorities"];
/** Statuses below 500 that pass: request timeout, misdirected request, too early, too many requests. */
const PASSING = new Set([408, 421, 425, 429]);

interface World {
  readonly connections: Connections;
  readonly maxAnswerBytes: number;
  readonly callbackUrl: () => string | undefined;
  readonly credentials: Pick<Credentials, "seal">;
}

/** @throws config.invalid */
export function createHttpExecutors(options: HttpExecutorOptions): HttpExecutors {
  rejectUnknownKeys("http", options, KNOWN);
  const { credentials, callbackUrl, certificateAuthorities } = options;
  const agent = {
    keepAlive: true,
    maxSockets: intWithin("http.maxConnections", options.maxConnections ?? 256, 1),
    timeout: intWithin("http.keepAliveMs", options.keepAliveMs ?? 15_000, 1),
    // The one used last is the least likely to have been closed meanwhile.
    scheduling: "lifo",
  } as const;
  const tls = certificateAuthorities === undefined ? {} : { ca: [certificateAuthorities].flat() };
  const world: World = {
    connections: { http: new HttpAgent(agent), https: new HttpsAgent({ ...agent, ...tls }) },
    maxAnswerBytes: intWithin("http.maxAnswerBytes", options.maxAnswerBytes ?? 16_777_216, 1),
    callbackUrl: typeof callbackUrl === "function" ? callbackUrl : () => callbackUrl,
    credentials,
  };
  return {
    http: { resolve: (url) => httpExecutor(world, "http", url) },
    https: { resolve: (url) => httpExecutor(world, "https", url) },
    close: () => {
      world.connections.http.destroy();
      world.connections.https.destroy();
    },
  };
}

function httpExecutor(world: World, protocol: string, text: string): Executor {
  const url = URL.parse(text);
  if (url?.protocol !== `${protocol}:`) {
    throw natureError("executor.unknown", `the url of an executor is ${JSON.stringify(text)}, expected ${protocol}://…`, {
      details: { protocol, url: text },
    });
  }
  return {
    convert: async (request): Promise<ConvertResult> => {
      const { taskId, credential, signal, deadlineMs } = request;
      const callbackUrl = world.callbackUrl();
      const headers = {
        "metanode-task": String(taskId),
        "metanode-credential": credential,
        ...(callbackUrl === undefined ? {} : { "metanode-callback": callbackUrl }),
      };
      const body = JSON.stringify(toNatureRequest(request, world.credentials.seal(taskId)));
      return ask(
        world,
        { url, body, headers: { ...headers, ...common(request.from.context, deadlineMs) }, signal },
        fromNatureResult,
      );
    },
    before: async (instance, { traceparent, signal, deadlineMs }) => {
      const body = JSON.stringify(toNature(instance));
      return ask(world, { url, body, headers: common({ traceparent }, deadlineMs), signal }, (given) =>
        fromNatureOver(instance, filtered(url, given)),
      );
    },
    after: async (instances, { traceparent, signal, deadlineMs }): Promise<readonly Output[]> => {
      const body = JSON.stringify(instances.map(toNature));
      return ask(world, { url, body, headers: common({ traceparent }, deadlineMs), signal }, (given) => {
        const list = filtered(url, given);
        if (!Array.isArray(list)) throw natureError("instance.invalid", `/Ok is ${shown(list)}, expected a list`);
        return list.map((one, at) => fromNature(one, `/Ok/${at}`));
      });
    },
  };
}

function common(context: Readonly<Record<string, string | undefined>>, deadlineMs: number): Record<string, string> {
  const traceparent = checkedTraceparent(context.traceparent);
  return {
    ...(traceparent === undefined ? {} : { traceparent }),
    "content-type": "application/json",
    accept: "application/json",
    "metanode-deadline": new Date(Math.floor(deadlineMs)).toISOString(),
  };
}

/** What a filter gave. An error of the environment is tried again, any other is final. */
function filtered(url: URL, given: unknown): unknown {
  const reply = fromNatureReply(given);
  if ("ok" in reply) return reply.ok;
  const code = reply.kind === "EnvironmentError" ? "executor.environment" : "executor.logic";
  throw natureError(code, `${url.href}: ${reply.message}`, { details: { url: url.href, kind: reply.kind } });
}

async function ask<T>(world: World, given: Omit<Post, "maxAnswerBytes">, read: (body: unknown) => T): Promise<T> {
  const { maxAnswerBytes, connections } = world;
  const { href } = given.url;
  let answer: Posted;
  try {
    answer = await post(connections, { ...given, maxAnswerBytes });
  } catch (cause) {
    throw environment(href, `no answer: ${(cause as Error).message || String((cause as { code?: string }).code)}`, cause);
  }
  if (answer.text === undefined) {
    throw final(href, `the answer is longer than ${maxAnswerBytes} bytes; let it answer less, or raise maxAnswerBytes`);
  }
  try {
    return read(parseLossless(answer.text));
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (code === "executor.logic" || code === "executor.environment") throw cause;
    throw refused(href, answer, cause);
  }
}

/** What an answer means that is none. */
function refused(href: string, { status, location, text = "" }: Posted, cause: unknown): Error {
  if (status >= 500 || PASSING.has(status)) return environment(href, `status ${status}: ${shown(text)}`, cause);
  if (status >= 400) return final(href, `status ${status}: ${shown(text)}`);
  if (status >= 300)
    return final(href, `status ${status}, moved to ${location ?? "nowhere"}; put that address into the relation`);
  return environment(href, `no answer of an executor: ${(cause as Error).message}`, cause);
}

function environment(href: string, what: string, cause: unknown): Error {
  return natureError("executor.environment", `${href}: ${what}`, { cause, details: { url: href } });
}

function final(href: string, what: string): Error {
  return natureError("executor.logic", `${href}: ${what}`, { details: { url: href } });
}
