/**
 * Server-sent events: their text form, written and read.
 * @source https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * S1. Events depend on the bytes of the stream alone, never on where a read ended, not even between CR and LF.
 * S2. An event that the end of the stream cuts off is dropped.
 */
import type { MetanodeError } from "@metanode/core/errors";
import { knownOptions, type Splitter, streamError, wholeNumber } from "./splitting.ts";

/** What one event says; every part may be missing. */
export interface SseMessage {
  /** The type of the event; a reader takes a missing or empty one for `message`. No line breaks. */
  event?: string;
  /** May have several lines, which arrive with line feeds between them. Without data a reader sees no event. */
  data?: string;
  /** What a reader says when it comes back; an empty one makes it forget. No line breaks, no NUL. */
  id?: string;
  /** How long a reader should wait before it comes back, in milliseconds. */
  retryMs?: number;
}

/** One event as it was read. */
export interface SseEvent {
  /** `message` where the stream named none. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream gave, with this event or before it; empty if none. */
  readonly lastEventId: string;
}

/** A splitter into events which remembers what a reader needs to come back. */
export interface SseParser extends Splitter<SseEvent> {
  /** The id to come back with: that of the last whole event, empty if none. */
  readonly lastEventId: string;
  /** How long to wait before coming back, in milliseconds, if the stream said so. */
  readonly retryMs: number | undefined;
}

const LINE_BREAK = /\r\n|\r|\n/;
const NUL = "\0";

/**
 * One event as text, to be written to the stream as UTF-8.
 * @throws {MetanodeError} actor.incorrect – when `event` or `id` has a line break, `id` a NUL, or `retryMs` is no whole number
 */
export function encodeSse(message: SseMessage): string {
  let text = "";
  if (message.event !== undefined) text += `event: ${oneLine("event", message.event)}\n`;
  if (message.id !== undefined) {
    if (message.id.includes(NUL)) throw streamError("actor.incorrect", "sse.id has a NUL", { option: "sse.id" });
    text += `id: ${oneLine("id", message.id)}\n`;
  }
  if (message.retryMs !== undefined) text += `retry: ${wholeNumber("sse.retryMs", message.retryMs, 0)}\n`;
  if (message.data !== undefined) for (const line of message.data.split(LINE_BREAK)) text += `data: ${line}\n`;
  return `${text}\n`;
}

/** A comment as text: readers skip it, proxies see that the stream lives. */
export function encodeSseComment(comment: string): string {
  let text = "";
  for (const line of comment.split(LINE_BREAK)) text += `: ${line}\n`;
  return `${text}\n`;
}

function oneLine(name: string, value: string): string {
  if (!LINE_BREAK.test(value)) return value;
  throw streamError("actor.incorrect", `sse.${name} has a line break, which would begin another field`, {
    option: `sse.${name}`,
  });
}

/**
 * A reader of an event stream. It fails with `actor.too_large` when a line, or the data of an event, has more than
 * `maxLength` UTF-16 units (default 1_048_576). `lastEventId` is the id that it begins with, where an earlier stream ended
 * (default "").
 * @throws {MetanodeError} actor.incorrect – when an option is unknown or `maxLength` below 1
 */
export function createSseParser(options: { maxLength?: number; lastEventId?: string } = {}): SseParser {
  knownOptions("sse", options, ["maxLength", "lastEventId"]);
  return new EventStreamParser(wholeNumber("sse.maxLength", options.maxLength ?? 1_048_576, 1), options.lastEventId ?? "");
}

class EventStreamParser implements SseParser {
  readonly #maxLength: number;
  /** Drops a byte order mark at the beginning, as the standard wants. */
  readonly #decoder = new TextDecoder("utf-8");
  #line = "";
  /** The last text ended with CR: a LF that comes first is the rest of the same line break. */
  #endedWithReturn = false;
  #event = "";
  #data: string | undefined;
  #id: string;
  #lastEventId: string;
  #retryMs: number | undefined;
  #failure: MetanodeError | undefined;

  constructor(maxLength: number, lastEventId: string) {
    this.#maxLength = maxLength;
    this.#id = lastEventId;
    this.#lastEventId = lastEventId;
  }

  get failure(): MetanodeError | undefined {
    return this.#failure;
  }

  get lastEventId(): string {
    return this.#lastEventId;
  }

  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  push(bytes: Uint8Array): SseEvent[] {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  end(): SseEvent[] {
    if (this.#failure !== undefined) throw this.#failure;
    this.#line = "";
    this.#data = undefined;
    return [];
  }

  #read(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (text === "") return events;
    let start = this.#endedWithReturn && text.startsWith("\n") ? 1 : 0;
    this.#endedWithReturn = text.endsWith("\r");
    const breaks = /\r\n|\r|\n/g;
    breaks.lastIndex = start;
    for (let found = breaks.exec(text); found !== null; found = breaks.exec(text)) {
      const line = this.#line + text.slice(start, found.index);
      this.#line = "";
      start = breaks.lastIndex;
      this.#take(line, events);
      if (this.#failure !== undefined) return events;
    }
    this.#line += text.slice(start);
    if (this.#line.length > this.#maxLength) this.#fail("a line", this.#line.length);
    return events;
  }

  #take(line: string, events: SseEvent[]): void {
    if (line.length > this.#maxLength) {
      this.#fail("a line", line.length);
      return;
    }
    if (line === "") {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    this.#set(field, value);
  }

  #set(field: string, value: string): void {
    if (field === "event") this.#event = value;
    else if (field === "id") {
      if (!value.includes(NUL)) this.#id = value;
    } else if (field === "retry") {
      if (/^[0-9]+$/.test(value)) this.#retryMs = Number(value);
    } else if (field === "data") {
      const data = this.#data === undefined ? value : `${this.#data}\n${value}`;
      if (data.length > this.#maxLength) this.#fail("the data of an event", data.length);
      else this.#data = data;
    }
  }

  #dispatch(events: SseEvent[]): void {
    this.#lastEventId = this.#id;
    if (this.#data !== undefined) {
      events.push({ event: this.#event === "" ? "message" : this.#event, data: this.#data, lastEventId: this.#id });
    }
    this.#event = "";
    this.#data = undefined;
  }

  #fail(what: string, length: number): void {
    this.#line = "";
    this.#data = undefined;
    this.#failure = streamError("actor.too_large", `${what} has ${length} characters or more, allowed are ${this.#maxLength}`, {
      maxLength: this.#maxLength,
    });
  }
}
