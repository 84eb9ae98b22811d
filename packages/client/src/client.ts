import createFetch, { type Client as FetchClient } from "openapi-fetch";
import type { paths } from "./generated/api.ts";
import { ApiError, errorOf, unreachable } from "./problem.ts";

export interface ClientOptions {
  /** Of the node, without `/api`. In a browser that has the page from the node itself: `""`. */
  readonly url: string;
  /** Sent as bearer token with every request; asked anew each time, so that it may change. */
  readonly token?: string | (() => string | undefined);
  /** @default the global fetch */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** GET, POST, PUT, PATCH and DELETE by the paths of the document, each typed. */
export interface Client extends FetchClient<paths> {
  readonly url: string;
  /** A request outside the document's types, with the same token: event streams and uploads. @throws {ApiError} */
  raw(path: string, init?: RequestInit): Promise<Response>;
}

/** A client of one node. Nothing is sent before the first request. */
export function createClient({ url, token, fetch = (request) => globalThis.fetch(request) }: ClientOptions): Client {
  const tokenOf = (): string | undefined => (typeof token === "function" ? token() : token);
  const send = async (request: Request): Promise<Response> => {
    const shown = tokenOf();
    if (shown !== undefined) request.headers.set("authorization", `Bearer ${shown}`);
    try {
      return await fetch(request);
    } catch (cause) {
      if (request.signal.aborted) throw cause;
      throw unreachable(request.url, cause);
    }
  };
  const client = createFetch<paths>({ baseUrl: url, fetch: send });
  const raw = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await send(
      new Request(
        new URL(path, url || (globalThis as { readonly location?: { readonly origin: string } }).location?.origin),
        init,
      ),
    );
    if (!response.ok) throw errorOf(response, parsed(await response.text()));
    return response;
  };
  return Object.assign(client, { url, raw });
}

/**
 * The answer of a request, or its error thrown.
 * @throws {ApiError} with the code of the node, or `node.unreachable`
 */
export async function answerOf<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked;
  if (!response.ok) throw error instanceof ApiError ? error : errorOf(response, error);
  return data as T;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
