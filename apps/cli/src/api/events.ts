import { readLines } from "./client.ts";

/** One server-sent event. */
export interface ServerEvent {
  /** `message` where the server named none. */
  readonly name: string;
  readonly data: string;
  /** What one who comes back says that he has seen: of this event, or of the last one that had any. */
  readonly id: string | undefined;
}

/** The events of a `text/event-stream` body as they come; comments and other fields are passed over. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let name = "message";
  let id: string | undefined;
  let data: string[] = [];
  for await (const line of readLines(body)) {
    if (line === "") {
      if (data.length > 0) yield { name, data: data.join("\n"), id };
      name = "message";
      data = [];
    } else if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("id:")) id = line.slice(3).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
}
