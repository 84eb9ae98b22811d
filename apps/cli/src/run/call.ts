import { coreError } from "@metanode/core/errors";
import { type ApiResponse, errorOfProblem, readAll, readEvents } from "../api/client.ts";
import { EVENT_TYPE, eventOf, nameOfInput } from "../api/event.ts";
import { paths } from "../api/paths.ts";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";

/** What the node gets, beyond the deadline of the call, to say that it has passed. */
const MARGIN_MS = 5_000;

/** `metanode call` */
export async function run(invocation: Invocation): Promise<void> {
  const argument = invocation.optionalArg(1);
  const bytes = argument === undefined ? undefined : await readInput(argument);
  const event = eventOf(invocation, bytes, nameOfInput(argument ?? ""));
  const timeoutMs = invocation.number("timeout");
  const isStream = invocation.has("stream");
  const client = await invocation.client();
  const response = await client.request({
    method: "POST",
    path: paths.messages,
    query: { mode: isStream ? "stream" : "call", timeoutMs },
    // As events the end, and an error after the first item, can be told from an item.
    headers: { "content-type": EVENT_TYPE, accept: isStream ? "text/event-stream" : "*/*" },
    body: JSON.stringify(event),
    // Without a limit of ours the node's own holds, which nobody here knows.
    timeoutMs: timeoutMs === undefined ? 0 : timeoutMs + MARGIN_MS,
  });
  if (isStream) await printItems(invocation.output, response);
  else await printAnswer(invocation.output, response);
}

async function printAnswer(output: Output, { headers, body }: ApiResponse): Promise<void> {
  const bytes = await readAll(body);
  if (bytes.length === 0) {
    if (output.format !== "table") await output.show(null, () => "");
    return;
  }
  if (!/json/.test(headers["content-type"] ?? "")) {
    output.raw(bytes);
    return;
  }
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  await output.show(value, () => (typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}

async function printItems(output: Output, { body }: ApiResponse): Promise<void> {
  for await (const { event: name, data } of readEvents(body)) {
    if (name === "end") return;
    const value: unknown = JSON.parse(data);
    if (name === "problem") throw errorOfProblem(value);
    await output.item(value);
  }
  throw coreError("node.unreachable", "the node ended the stream in the middle; look whether it still runs");
}
