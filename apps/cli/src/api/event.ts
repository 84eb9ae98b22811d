import { randomUUID } from "node:crypto";
import { payloadOf } from "../data.ts";
import type { Invocation } from "../invocation.ts";

/** A CloudEvent in the JSON event format. */
export type JsonEvent = Record<string, unknown> & { readonly id: string; readonly type: string };

/** Content type of one event in the JSON format. */
export const EVENT_TYPE = "application/cloudevents+json";
/** Content type of several events in the JSON format. */
export const BATCH_TYPE = "application/cloudevents-batch+json";

/** The source of messages that name none. */
const SOURCE = "/cli";

/** The message that the envelope's options describe, with the payload in `bytes` (none for `undefined`). */
export function eventOf(invocation: Invocation, bytes: Uint8Array | undefined, what: string): JsonEvent {
  const mediaType = invocation.text("contentType");
  const optional = {
    subject: invocation.text("subject"),
    idempotencykey: invocation.text("key"),
    typeversion: invocation.text("typeVersion"),
  };
  return {
    specversion: "1.0",
    id: invocation.text("id") ?? randomUUID(),
    source: invocation.text("source") ?? SOURCE,
    type: invocation.arg(0),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    ...(bytes === undefined ? {} : payloadOf(bytes, mediaType, what)),
  };
}

/** What the data of a message is called in an error. */
export function nameOfInput(argument: string): string {
  if (argument === "-") return "standard input";
  return argument.startsWith("@") ? `the file ${argument.slice(1)}` : `the data ${JSON.stringify(argument.slice(0, 40))}`;
}
