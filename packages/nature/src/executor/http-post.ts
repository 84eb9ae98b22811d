import type { ClientRequest, Agent as HttpAgent, IncomingMessage, RequestOptions } from "node:http";
import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { request as httpRequest } from "@metanode/core/internal/http";

/** A POST of JSON. */
export interface Post {
  readonly url: URL;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
}

/** What came back. */
export interface Posted {
  readonly status: number;
  readonly location: string | undefined;
  /** Undefined = it was longer than allowed, and the rest was not read. */
  readonly text: string | undefined;
}

/** Kept connections: a connect, with TLS more than one round trip, costs more than most executors do. */
export interface Connections {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/**
 * Posts over a kept connection. A server may close one just as it is used again; then, and only if nothing of an answer has come, the
 * same is posted once more over a new one.
 * @throws whatever the system says of a connection that fails
 */
export async function post(connections: Connections, given: Post): Promise<Posted> {
  try {
    return await attempt(given, given.url.protocol === "https:" ? connections.https : connections.http);
  } catch (error) {
    if (!(error instanceof StaleConnection) || given.signal.aborted) throw error;
    return attempt(given, false);
  }
}

/** A kept connection was closed by the other side before it answered. */
class StaleConnection extends Error {}

function attempt(given: Post, agent: HttpAgent | false): Promise<Posted> {
  const { url, body, headers, signal, maxAnswerBytes } = given;
  const length = String(Buffer.byteLength(body));
  const options: RequestOptions = { method: "POST", agent, signal, headers: { ...headers, "content-length": length } };
  return new Promise((resolve, reject) => {
    const request: ClientRequest = url.protocol === "https:" ? httpsRequest(url, options) : httpRequest(url, options);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.on("response", (response) => {
      read(response, maxAnswerBytes).then(
        (text) => resolve({ status: response.statusCode ?? 0, location: response.headers.location, text }),
        reject,
      );
    });
    request.end(body);
  });
}

async function read(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the response, and its connection with it.
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
