/**
 * A reader of server-sent events.
 *
 * R1. Each stream that opens gives its handler one Connect, the events in order, and one Disconnect when it is closed.
 * R2. The id of the last whole event is what it says when it comes back.
 * R3. Nothing is open and no timer is left when `start` returns; the signal of the handle brings that about.
 */
import type { Agent, IncomingMessage } from "node:http";
import { wait } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import type { Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { Delivery } from "../meta/delivery.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { createSseParser } from "../splitting/sse.ts";
import { endsOf } from "../web/addresses.ts";
import { get } from "./get.ts";
import {
  MessageSse,
  MessageSseConnect,
  MessageSseDisconnect,
  type SseAlias,
  type SseEvent,
  type SseProcess,
} from "./messages.ts";

/** How to read a stream of server-sent events. */
export interface SseClientOptions {
  /** `http:` or `https:`; redirects are followed. */
  url: string | URL;
  /** Who handles the events. @default the process that it belongs to */
  process?: SseProcess;
  headers?: Readonly<Record<string, string>>;
  /** Where to go on, as if this event had been seen. @default "" */
  lastEventId?: string;
  /** Whether it comes back when a stream ended or could not be opened for now, instead of ending with it. @default false */
  reconnect?: boolean;
  /** How long it waits before it comes back, in milliseconds, until the stream says something else. @default 3_000 */
  reconnectIntervalMs?: number;
  /** Longest line and longest data of an event, in UTF-16 units; more ends it with `actor.too_large`. @default 1_048_576 */
  maxEventLength?: number;
  /** When the mailbox of the process is full: whether reading waits until there is room, instead of its end. @default false */
  pauseWhenFull?: boolean;
  /** How to connect: a proxy, authorities to trust, and so on. @default a connection for each stream */
  agent?: Agent;
}

const OPTIONS: readonly (keyof SseClientOptions)[] = [
  "url",
  "process",
  "headers",
  "lastEventId",
  "reconnect",
  "reconnectIntervalMs",
  "maxEventLength",
  "pauseWhenFull",
  "agent",
];
const DEFAULT_RECONNECT_MS = 3_000;
const DEFAULT_EVENT_LENGTH = 1_048_576;

/** How one attempt ended, and whether another could go better. */
interface Outcome {
  readonly reason: Reason;
  readonly isFinal: boolean;
}

/**
 * The meta-process that reads a stream. It connects in its `start` and takes no mail. The end of the stream ends it with
 * `normal`; what keeps it from opening one, or breaks one, is the reason of its end; see `reconnect`.
 */
export class SseClient extends MetaBehaviour {
  readonly #options: SseClientOptions;
  readonly #url: URL;
  readonly #maxLength: number;
  #process: SseProcess | undefined;
  #lastEventId: string;
  #retryMs: number;
  #events = 0;
  #bytesIn = 0;

  constructor(options: SseClientOptions) {
    super();
    this.#options = options;
    this.#url = urlOf(options.url);
    this.#process = options.process;
    this.#lastEventId = options.lastEventId ?? "";
    this.#retryMs = wholeNumber("sse.reconnectIntervalMs", options.reconnectIntervalMs ?? DEFAULT_RECONNECT_MS, 0);
    this.#maxLength = wholeNumber("sse.maxEventLength", options.maxEventLength ?? DEFAULT_EVENT_LENGTH, 1);
  }

  /** The id with which it comes back: that of the last event, empty if none. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** How long it waits before it comes back, in milliseconds. */
  get retryMs(): number {
    return this.#retryMs;
  }

  override async start(meta: MetaProcess): Promise<Reason> {
    this.#process ??= meta.parent;
    for (;;) {
      const { reason, isFinal } = await this.#attempt(meta);
      if (isFinal || !this.#options.reconnect || meta.signal.aborted) return reason;
      if (reason !== "normal") meta.report(`comes back in ${this.#retryMs} ms`, reason);
      try {
        await wait(meta.clock, this.#retryMs, meta.signal);
      } catch {
        return "normal"; // it has been ended meanwhile
      }
    }
  }

  override handleCall(): never {
    return actorError("actor.unsupported", "a reader of an event stream answers no calls") as never;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      url: String(this.#url),
      process: String(this.#process),
      "last event id": this.#lastEventId,
      "retry ms": String(this.#retryMs),
      events: String(this.#events),
      "bytes in": String(this.#bytesIn),
    };
  }

  override terminate(): void {
    // The signal of the handle has closed what was open.
  }

  /** One stream, from dialling to its end. */
  async #attempt(meta: MetaProcess): Promise<Outcome> {
    const headers: Record<string, string> = {
      accept: "text/event-stream",
      "cache-control": "no-cache",
      ...this.#options.headers,
    };
    if (this.#lastEventId !== "") headers["last-event-id"] = Buffer.from(this.#lastEventId).toString("latin1");
    let response: IncomingMessage;
    try {
      response = await get(this.#url, { headers, agent: this.#options.agent, signal: meta.signal });
    } catch (cause) {
      const text = `${this.#url}: ${(cause as Error).message}`;
      return { reason: actorError("actor.connect_failed", text, { cause }), isFinal: false };
    }
    const refused = refusalOf(response, this.#url);
    if (refused === undefined) return await this.#read(meta, response);
    response.destroy();
    return refused;
  }

  async #read(meta: MetaProcess, response: IncomingMessage): Promise<Outcome> {
    const id = meta.id as SseAlias;
    const { remote, local } = endsOf(response.socket);
    let failure: Error | undefined;
    let lost: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      response.destroy();
    };
    const delivery = new Delivery<SseEvent>({
      meta,
      handler: this.#process as SseProcess,
      waits: this.#options.pauseWhenFull ?? false,
      onHolding: (isHolding) => (isHolding ? response.pause() : response.resume()),
      onFailed: fail,
    });
    const drop = (): void => delivery.drop();
    meta.signal.addEventListener("abort", drop, { once: true });
    const parser = createSseParser({ maxLength: this.#maxLength, lastEventId: this.#lastEventId });
    delivery.send(new MessageSseConnect(id, remote, local));
    response.on("error", (error) => {
      lost = error;
    });
    response.on("data", (bytes: Buffer) => {
      this.#bytesIn += bytes.length;
      if (failure !== undefined) return;
      for (const { event, data, lastEventId } of parser.push(bytes)) {
        this.#events++;
        delivery.send(new MessageSse(id, { event, data, msgId: lastEventId }));
      }
      this.#lastEventId = parser.lastEventId;
      this.#retryMs = parser.retryMs ?? this.#retryMs;
      if (parser.failure !== undefined) fail(parser.failure);
    });
    await new Promise<void>((resolve) => response.once("close", resolve));
    await new Promise<void>((resolve) => delivery.finish(new MessageSseDisconnect(id), resolve));
    meta.signal.removeEventListener("abort", drop);
    if (failure !== undefined) return { reason: failure, isFinal: true };
    if (lost === undefined) return { reason: "normal", isFinal: false };
    return { reason: actorError("actor.connection_lost", `${this.#url}: ${lost.message}`, { cause: lost }), isFinal: false };
  }
}

/** Why a response is no event stream; undefined if it is one. */
function refusalOf(response: IncomingMessage, url: URL): Outcome | undefined {
  const { statusCode: status = 0, headers } = response;
  const type = headers["content-type"] ?? "none";
  if (status === 204) return { reason: "normal", isFinal: true }; // the way to say: do not come back
  if (status !== 200) {
    const reason = actorError("actor.connect_failed", `${url} answered ${status}`, { details: { status } });
    return { reason, isFinal: status < 500 && status !== 429 };
  }
  if (/^text\/event-stream *(;|$)/i.test(type)) return undefined;
  const reason = actorError("actor.malformed", `${url} answered with content of type ${type}, expected text/event-stream`);
  return { reason, isFinal: true };
}

function urlOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw actorError(
    "actor.incorrect",
    `sse.url is ${JSON.stringify(String(given))}, expected an address that begins with http: or https:`,
  );
}

/** Builds an {@link SseClient}. @throws actor.incorrect – an option that is missing, unknown or out of range */
export function createSseClient(options: SseClientOptions): SseClient {
  knownOptions("sse", options, OPTIONS);
  return new SseClient(options);
}
