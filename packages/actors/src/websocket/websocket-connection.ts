/**
 * A WebSocket.
 *
 * C1. The handler gets one Connect, then the messages in order, then one Disconnect when the socket is closed.
 * C2. The first cause of an end is its reason. Closing with 1000, 1001 or no code, and closing that this side began, is
 *     `normal`.
 * C3. Messages leave in the order of their mail. When more than {@link HIGH_BYTES} wait for a slow peer, the rest waits in the
 *     mailbox, which is left unread meanwhile and may have a limit; reading from the peer and exits go on.
 * C4. The socket is closed when `start` returns; `terminate` brings that about.
 */
import type { WebSocket } from "ws";
import { actorError } from "../errors.ts";
import type { PID, Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { Delivery } from "../meta/delivery.ts";
import type { Ended } from "../runtime/typed.ts";
import { textOf } from "../tcp/messages.ts";
import type { SocketEnds } from "../web/addresses.ts";
import {
  MessageWebSocket,
  MessageWebSocketConnect,
  MessageWebSocketDisconnect,
  type WebSocketAlias,
  type WebSocketCommand,
  type WebSocketEvent,
  type WebSocketProcess,
} from "./messages.ts";

/** This much may wait to be written before mail is left unread, and this much when it is read again. */
const HIGH_BYTES = 65_536;
const LOW_BYTES = 16_384;
const NORMAL_CLOSES = new Set([1_000, 1_001, 1_005]);
const NO_BYTES = Buffer.alloc(0);

/** What a connection is made of. */
export interface WebSocketSetup {
  /**
   * A `WebSocket` of the library, open and paused: what the peer sends before `start` waits. Without its type, so that users
   * need no types of the library.
   */
  readonly socket: object;
  readonly ends: SocketEnds;
  readonly request: MessageWebSocketConnect["request"];
  /** @default the process that it belongs to */
  readonly process: WebSocketProcess | undefined;
  readonly pauseWhenFull: boolean;
}

interface Life {
  readonly meta: MetaProcess;
  readonly id: WebSocketAlias;
  readonly process: WebSocketProcess;
  readonly delivery: Delivery<WebSocketEvent>;
}

/**
 * The meta-process of one WebSocket, accepted or dialled. One that is not spawned is released by `terminate("normal")`. Its
 * handler writes by sending it {@link MessageWebSocket}.
 */
export class WebSocketConnection extends MetaBehaviour<WebSocketCommand> {
  readonly #setup: WebSocketSetup;
  readonly #socket: WebSocket;
  #life: Life | undefined;
  #reason: Reason | undefined;
  /** Whether this side has begun to close. */
  #isClosing = false;
  #isHeld = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(setup: WebSocketSetup) {
    super();
    this.#setup = setup;
    this.#socket = setup.socket as WebSocket;
    this.#socket.on("error", this.#onError);
  }

  override init(meta: MetaProcess): Reason | undefined {
    if (this.#life !== undefined || this.#isClosing) {
      return actorError("actor.not_allowed", "a WebSocket is spawned once, and not after its terminate");
    }
    const process = this.#setup.process ?? meta.parent;
    const delivery = new Delivery<WebSocketEvent>({
      meta,
      handler: process,
      waits: this.#setup.pauseWhenFull,
      onHolding: (isHolding) => (isHolding ? this.#socket.pause() : this.#socket.resume()),
      onFailed: (error) => this.#fail(error),
    });
    this.#life = { meta, id: meta.id, process, delivery };
    return undefined;
  }

  override start(): Ended {
    const { id, delivery } = this.#life as Life;
    const { ends, request } = this.#setup;
    const socket = this.#socket;
    delivery.send(new MessageWebSocketConnect(id, ends.remote, ends.local, request));
    socket.on("message", (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    if (!delivery.isHolding) socket.resume();
    return new Promise((resolve) => {
      const close = (code: number, text: string): void => this.#close(code, text, () => resolve(this.#reason));
      if (socket.readyState === socket.CLOSED) close(1_006, "");
      else socket.once("close", (code, reason) => close(code, String(reason)));
    });
  }

  override handleMessage(from: PID, message: WebSocketCommand): void {
    if (message instanceof MessageWebSocket) this.#send(message);
    else if (message instanceof MessageWebSocketDisconnect) this.#end(1_000);
    else super.handleMessage(from, message);
  }

  override handleCall(): never {
    return actorError("actor.unsupported", "a WebSocket answers no calls") as never;
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      local: textOf(this.#setup.ends.local),
      remote: textOf(this.#setup.ends.remote),
      process: String(this.#life?.process),
      "bytes in": String(this.#bytesIn),
      "bytes out": String(this.#bytesOut),
      "bytes waiting": String(this.#socket.bufferedAmount),
    };
  }

  /** Closes with a code that tells the peer why: 1000, 1001 on shutdown, else 1011. */
  override terminate(reason: Reason): void {
    this.#life?.delivery.drop();
    this.#socket.resume(); // what the peer answers is not delivered, but awaited
    if (this.#life === undefined) this.#socket.terminate();
    this.#end(reason === "normal" ? 1_000 : reason === "shutdown" ? 1_001 : 1_011);
  }

  readonly #onError = (error: Error & { code?: string }): void => {
    this.#reason ??= reasonOf(error);
  };

  #onMessage(data: Buffer, isBinary: boolean): void {
    const { id, delivery } = this.#life as Life;
    this.#bytesIn += data.length;
    delivery.send(new MessageWebSocket(id, isBinary ? data : data.toString()));
  }

  #send({ type, body }: MessageWebSocket): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return; // its end is on the way to whoever sent this
    const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    this.#bytesOut += bytes.length;
    if (type === "text") socket.send(bytes, { binary: false }, this.#onSent);
    else if (type === "binary") socket.send(bytes, { binary: true }, this.#onSent);
    else if (type === "ping") socket.ping(bytes, undefined, this.#onSent);
    else if (type === "pong") socket.pong(bytes, undefined, this.#onSent);
    else if (typeof body === "string") this.#end(1_000, bytes);
    else if (bytes.length < 2) this.#end(1_000);
    else this.#end(bytes.readUInt16BE(0), bytes.subarray(2));
    if (socket.bufferedAmount > HIGH_BYTES) this.#hold(true);
  }

  readonly #onSent = (error?: Error | null): void => {
    if (error)
      this.#fail(actorError("actor.connection_lost", `a message could not be written: ${error.message}`, { cause: error }));
    else if (this.#socket.bufferedAmount <= LOW_BYTES) this.#hold(false);
  };

  #hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    this.#life?.meta.holdMail(isHeld);
  }

  /** Ends for a cause of its own. */
  #fail(error: Error): void {
    this.#reason ??= error;
    this.#life?.delivery.drop();
    this.#end(1_011);
  }

  /** Begins to close; the library cuts the peer off if it does not answer. */
  #end(code: number, reason: Buffer = NO_BYTES): void {
    if (this.#isClosing) return;
    this.#socket.close(code, reason);
    this.#isClosing = true;
  }

  #close(code: number, text: string, done: () => void): void {
    const { id, delivery } = this.#life as Life;
    if (NORMAL_CLOSES.has(code) || (this.#isClosing && code !== 1_006)) this.#reason ??= "normal";
    else this.#reason ??= closedWith(code, text);
    this.#hold(false);
    delivery.finish(new MessageWebSocketDisconnect(id), done);
  }
}

function closedWith(code: number, text: string): Error {
  if (code === 1_006) return actorError("actor.connection_lost", "the peer went away without a close");
  const details = { closeCode: code, closeReason: text };
  return actorError("actor.connection_lost", `the peer closed with ${code}${text === "" ? "" : `: ${text}`}`, { details });
}

/** What the library reports, in our codes: its own errors are those of the peer against the protocol. */
function reasonOf(error: Error & { code?: string }): Reason {
  const text = error.message;
  if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return actorError("actor.too_large", text, { cause: error });
  if (error.code?.startsWith("WS_ERR_")) return actorError("actor.malformed", text, { cause: error });
  return actorError("actor.connection_lost", text, { cause: error });
}
