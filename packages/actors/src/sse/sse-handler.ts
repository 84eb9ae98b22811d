import type { IncomingMessage, ServerResponse } from "node:http";
import type { MetaProcess } from "../meta/behaviour.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { HttpMeta } from "../web/http-meta.ts";
import { inTurn } from "../web/in-turn.ts";
import { answerStatus, type Refusal } from "../web/refusal.ts";
import type { SseProcess } from "./messages.ts";
import { SseStream } from "./sse-stream.ts";

const DEFAULT_HEARTBEAT_MS = 30_000;
const ACCEPTED = new Set(["text/event-stream", "text/*", "*/*"]);

/** How to make an {@link SseHandler}. */
export interface SseHandlerOptions {
  /** Who handles the streams, in turn: each gets all that is said of those that are his. @default the process of the handler */
  processPool?: readonly SseProcess[];
  /** Quiet after which a comment is written, in milliseconds, so that all between here and the reader keep the stream; 0 = never. @default 30_000 */
  heartbeatMs?: number;
  /** Compresses for readers that take gzip: less to send, more memory for each stream. @default false */
  compression?: boolean;
  /** Longest mailbox of a stream: of what a slow reader has not taken yet. 0 = no limit. @default 0 */
  mailboxLimit?: number;
  /** Answers while the handler is not there. @default 503 */
  refusal?: Refusal;
}

/**
 * Turns HTTP requests into streams of server-sent events, each a meta-process of its own. Mount it like a `WebHandler`. A
 * request that takes no event stream is answered 406, a method other than GET 405. Streams live on when the handler ends.
 */
export class SseHandler extends HttpMeta {
  readonly #nextProcess: () => SseProcess | undefined;
  readonly #heartbeatMs: number;
  readonly #compression: boolean;
  readonly #mailboxLimit: number;
  #streams = 0;

  constructor(options: SseHandlerOptions) {
    super(options.refusal);
    this.#nextProcess = inTurn(options.processPool);
    this.#heartbeatMs = wholeNumber("sse.heartbeatMs", options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS, 0);
    this.#mailboxLimit = wholeNumber("sse.mailboxLimit", options.mailboxLimit ?? 0, 0);
    this.#compression = options.compression ?? false;
  }

  protected override serve(meta: MetaProcess, request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "GET") {
      answerStatus(response, 405, { allow: "GET" });
      return;
    }
    if (!accepts(request.headers.accept)) {
      answerStatus(response, 406);
      return;
    }
    this.#streams++;
    const process = this.#nextProcess();
    const isCompressed = this.#compression && /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
    const stream = new SseStream({ request, response, process, heartbeatMs: this.#heartbeatMs, isCompressed });
    try {
      meta.spawn(stream, { mailboxLimit: this.#mailboxLimit });
    } catch (error) {
      meta.report("no meta-process for an event stream", error);
      response.destroy();
    }
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return { streams: String(this.#streams), refused: String(this.refused) };
  }
}

/** Whether a reader takes event streams, by its Accept header. */
function accepts(header: string | undefined): boolean {
  if (header === undefined) return true;
  return header.split(",").some((range) => ACCEPTED.has((range.split(";", 1)[0] as string).trim().toLowerCase()));
}

/** Builds an {@link SseHandler}. @throws actor.incorrect – an option that is unknown or out of range */
export function createSseHandler(options: SseHandlerOptions = {}): SseHandler {
  knownOptions("sse", options, ["processPool", "heartbeatMs", "compression", "mailboxLimit", "refusal"]);
  return new SseHandler(options);
}
