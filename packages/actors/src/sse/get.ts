import type { Agent, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { request as httpRequest } from "@metanode/core/internal/http";

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 5;
/** Not told to another origin than the one that they were meant for. */
const SECRETS = new Set(["authorization", "cookie", "proxy-authorization"]);

/** How to ask. */
export interface GetOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined = a connection for this request alone. */
  readonly agent: Agent | undefined;
  readonly signal: AbortSignal;
}

/** Asks with GET, follows redirects, and gives the response, whose body has not been read. */
export async function get(url: URL, options: GetOptions, redirects = MOST_REDIRECTS): Promise<IncomingMessage> {
  const response = await ask(url, options);
  const { location } = response.headers;
  if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
  response.destroy();
  if (redirects === 0) throw new Error(`more than ${MOST_REDIRECTS} redirects`);
  const next = new URL(location, url);
  if (next.protocol !== "http:" && next.protocol !== "https:") throw new Error(`a redirect to ${next.protocol}`);
  const kept = Object.entries(options.headers).filter(([name]) => next.origin === url.origin || !SECRETS.has(name.toLowerCase()));
  return get(next, { ...options, headers: Object.fromEntries(kept) }, redirects - 1);
}

function ask(url: URL, { headers, agent, signal }: GetOptions): Promise<IncomingMessage> {
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    request(url, { headers, signal, agent: agent ?? false }, resolve)
      .on("error", reject)
      .end();
  });
}
