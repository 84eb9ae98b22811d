import { readEvents } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { Items, LogLineView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { oneLine } from "../output/width.ts";

const DEFAULT_TAIL = 100;

/** `metanode processor logs` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const path = paths.processor(invocation.arg(0), "logs");
  const query = { tail: invocation.number("tail") ?? DEFAULT_TAIL };
  if (!invocation.has("follow")) {
    const answer = await client.json<Items<LogLineView>>({ path, query });
    if (output.format !== "table") await output.show(answer, () => "");
    else for (const line of answer.items) output.line(textOf(output, line));
    return;
  }
  const { body } = await client.request({ path, query, headers: { accept: "text/event-stream" } });
  for await (const { event: name, data } of readEvents(body)) {
    if (name !== "message") continue;
    const line = JSON.parse(data) as LogLineView;
    await output.item(line, () => textOf(output, line));
  }
}

function textOf(output: Output, { at, process, stream, text }: LogLineView): string {
  return `${output.paint("dim", at)} ${output.paint(stream === "stderr" ? "yellow" : "cyan", process)} ${oneLine(text)}`;
}
