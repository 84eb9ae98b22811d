import type { Client } from "./client.ts";
import { ApiError } from "./problem.ts";

/** One server-sent event. */
export interface ServerEvent {
  /** @default "message" */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream has named; empty before there is one. */
  readonly id: string;
}

export interface EventOptions {
  readonly signal?: AbortSignal;
  /** Go on after this event, where the route keeps them. */
  readonly lastEventId?: string;
  /** Called when the node has answered: from now on nothing is missed. */
  readonly onOpen?: () => void;
}

/**
 * Reads an event stream once, in the order of the node; ends when the node ends it. Unlike `EventSource` it shows the
 * token, and whoever wants to go on after a cut passes the last id to the next call.
 * @throws {ApiError} the answer is an error, or the connection breaks (`node.unreachable`)
 */
export async function* events(client: Client, path: string, options: EventOptions = {}): AsyncGenerator<ServerEvent> {
  const { signal, lastEventId, onOpen } = options;
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (lastEventId !== undefined && lastEventId !== "") headers["last-event-id"] = lastEventId;
  const response = await client.raw(path, { headers, ...(signal === undefined ? {} : { signal }) });
  onOpen?.();
  if (response.body === null) return;
  try {
    yield* readEvents(chunksOf(response.body));
  } catch (cause) {
    if (signal?.aborted === true) return;
    throw new ApiError("node.unreachable", `the event stream ${path} broke: ${(cause as Error).message}`, 0, undefined, {
      cause,
    });
  }
}

/** The events of a `text/event-stream` body, as its bytes come; one that the end cuts off is dropped. */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const lines = new EventLines();
  const decoder = new TextDecoder();
  for await (const chunk of chunks) yield* lines.take(decoder.decode(chunk, { stream: true }));
}

/** Not every browser iterates over a stream by itself. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Cuts events out of text as it comes (HTML Living Standard, 9.2.6). */
class EventLines {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id = "";

  *take(text: string): Generator<ServerEvent> {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) yield { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
        this.#event = "";
        this.#data = [];
      } else this.#field(line);
    }
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}
