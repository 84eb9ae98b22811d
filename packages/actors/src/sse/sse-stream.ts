/**
 * One stream of server-sent events, on the server's side.
 *
 * S1. The handler gets one Connect, the id that the reader came back with if it has one, and one Disconnect when the response
 *     is closed.
 * S2. Events leave in the order of their mail. What a slow reader does not take waits in the mailbox of the stream, which is
 *     left unread meanwhile; exits are not.
 * S3. The response is closed and no timer is left when `start` returns; `terminate` brings that about.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, createGzip, type Gzip } from "node:zlib";
import type { Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import { isClean, type PID, type Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { Delivery } from "../meta/delivery.ts";
import type { Ended } from "../runtime/typed.ts";
import { createKeepAlive, type KeepAlive } from "../splitting/keep-alive.ts";
import { encodeSse, encodeSseComment } from "../splitting/sse.ts";
import { textOf } from "../tcp/messages.ts";
import { endsOf, type SocketEnds } from "../web/addresses.ts";
import {
  MessageSse,
  MessageSseConnect,
  MessageSseDisconnect,
  MessageSseLastEventId,
  type SseAlias,
  type SseCommand,
  type SseEvent,
  type SseProcess,
} from "./messages.ts";

/** How long a stream that ends may take to write what was written before. */
const CLOSE_MS = 4_000;
const COMMENT = Buffer.from(encodeSseComment(""));

/** What a stream needs to know. */
export interface SseStreamSetup {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** @default the process that it belongs to */
  readonly process: SseProcess | undefined;
  /** 0 = none. */
  readonly heartbeatMs: number;
  readonly isCompressed: boolean;
}

interface Life {
  readonly meta: MetaProcess;
  readonly id: SseAlias;
  readonly process: SseProcess;
  readonly delivery: Delivery<SseEvent>;
}

/** The meta-process of one stream. Its handler writes by sending it {@link MessageSse}. */
export class SseStream extends MetaBehaviour<SseCommand> {
  readonly #setup: SseStreamSetup;
  readonly #ends: SocketEnds;
  readonly #out: ServerResponse | Gzip;
  #life: Life | undefined;
  #reason: Reason = "normal";
  #keepAlive: KeepAlive | undefined;
  #closeTimer: Timer | undefined;
  #events = 0;
  #bytesOut = 0;

  constructor(setup: SseStreamSetup) {
    super();
    this.#setup = setup;
    this.#ends = endsOf(setup.request.socket);
    const { response } = setup;
    response.on("error", () => undefined); // `close` follows
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
      ...(setup.isCompressed && { "content-encoding": "gzip", vary: "accept-encoding" }),
    });
    this.#out = setup.isCompressed ? createGzip() : response;
    if (this.#out !== response) this.#out.pipe(response);
    this.#out.on("drain", () => this.#life?.meta.holdMail(false));
  }

  override init(meta: MetaProcess): void {
    const process = this.#setup.process ?? meta.parent;
    const delivery = new Delivery<SseEvent>({
      meta,
      handler: process,
      waits: false,
      onHolding: () => undefined,
      onFailed: (error) => this.#fail(error),
    });
    this.#life = { meta, id: meta.id, process, delivery };
  }

  override start(): Ended {
    const { meta, id, delivery } = this.#life as Life;
    const { request, response, heartbeatMs } = this.#setup;
    const lastEventId = request.headers["last-event-id"];
    if (heartbeatMs > 0 && !response.destroyed) {
      const write = (bytes: Uint8Array): void => {
        if (this.#out.writableLength === 0) this.#write(bytes);
      };
      this.#keepAlive = createKeepAlive({ bytes: COMMENT, periodMs: heartbeatMs, clock: meta.clock, write });
      this.#keepAlive.start();
    } else this.#write(COMMENT);
    delivery.send(new MessageSseConnect(id, this.#ends.remote, this.#ends.local, request));
    if (typeof lastEventId === "string" && lastEventId !== "") {
      delivery.send(new MessageSseLastEventId(id, Buffer.from(lastEventId, "latin1").toString()));
    }
    return new Promise((resolve) => {
      const close = (): void => this.#close(() => resolve(this.#reason));
      if (response.closed) close();
      else response.once("close", close);
    });
  }

  override handleMessage(from: PID, message: SseCommand): void {
    if (message instanceof MessageSseDisconnect) this.#end();
    else if (message instanceof MessageSse) this.#send(message);
    else super.handleMessage(from, message);
  }

  override handleCall(): never {
    return actorError("actor.unsupported", "an event stream answers no calls") as never;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      local: textOf(this.#ends.local),
      remote: textOf(this.#ends.remote),
      process: String(this.#life?.process),
      events: String(this.#events),
      "bytes out": String(this.#bytesOut),
    };
  }

  /** Ends the stream: after what was written before if the reason is `normal` or `shutdown`, else at once. */
  override terminate(reason: Reason): void {
    this.#life?.delivery.drop();
    if (isClean(reason)) this.#end();
    else this.#setup.response.destroy();
  }

  #send({ event, data, msgId, retryMs }: MessageSse): void {
    let text: string;
    try {
      text = encodeSse({
        ...(event !== undefined && { event }),
        ...(data !== undefined && { data }),
        ...(msgId !== undefined && { id: msgId }),
        ...(retryMs !== undefined && { retryMs }),
      });
    } catch (error) {
      this.#life?.meta.report("an event that cannot be written was left out", error);
      return;
    }
    this.#events++;
    this.#keepAlive?.touch();
    this.#write(Buffer.from(text));
  }

  #write(bytes: Uint8Array): void {
    const out = this.#out;
    if (out.destroyed || out.writableEnded) return;
    this.#bytesOut += bytes.length;
    const hasRoom = out.write(bytes);
    if ("flush" in out) out.flush(constants.Z_SYNC_FLUSH);
    if (!hasRoom) this.#life?.meta.holdMail(true);
  }

  #fail(error: Error): void {
    this.#reason = error;
    this.#setup.response.destroy();
  }

  #end(): void {
    const { response } = this.#setup;
    if (response.destroyed || this.#closeTimer !== undefined) return;
    this.#closeTimer = this.#life?.meta.clock.setTimer(CLOSE_MS, () => response.destroy());
    this.#out.end();
  }

  #close(done: () => void): void {
    const { id, meta, delivery } = this.#life as Life;
    meta.holdMail(false);
    this.#keepAlive?.stop();
    this.#closeTimer?.cancel();
    if (this.#out !== this.#setup.response) this.#out.destroy();
    delivery.finish(new MessageSseDisconnect(id), done);
  }
}
