import type { ServerEvent } from "@metanode/client";
import { asMetanodeError } from "@metanode/core/errors";
import { pause, uptimeMs } from "../time.ts";
import { type ApiClient, type ApiRequest, readEvents } from "./client.ts";

/** Between two tries: at first, and at most. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3_000;
/** A node that does not come back within this time is gone. */
const GIVE_UP_MS = 60_000;

/**
 * Server-sent events without an end: where the connection breaks, or the node stops and starts again, they go on after the
 * last one that came. `broken` is told of each break.
 * @throws {MetanodeError} what the first try meets; later what is not retryable, or the last failure of a minute of them.
 */
export async function* followEvents(
  client: ApiClient,
  request: ApiRequest,
  broken: (reason: string) => void,
): AsyncGenerator<ServerEvent> {
  let lastId: string | undefined;
  let body = await open(client, request, lastId);
  for (;;) {
    let reason = "the node ended the stream";
    try {
      for await (const event of readEvents(body)) {
        if (event.id !== "") lastId = event.id;
        yield event;
      }
    } catch (error) {
      reason = asMetanodeError(error).message;
    }
    broken(reason);
    body = await openAgain(client, request, lastId);
  }
}

async function openAgain(client: ApiClient, request: ApiRequest, lastId: string | undefined) {
  const startMs = uptimeMs();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    await pause(pauseMs);
    try {
      return await open(client, request, lastId);
    } catch (error) {
      if (!asMetanodeError(error).retryable || uptimeMs() - startMs > GIVE_UP_MS) throw error;
    }
  }
}

async function open(client: ApiClient, request: ApiRequest, lastId: string | undefined) {
  const headers = {
    ...request.headers,
    accept: "text/event-stream",
    ...(lastId === undefined ? {} : { "last-event-id": lastId }),
  };
  return (await client.request({ ...request, headers })).body;
}
