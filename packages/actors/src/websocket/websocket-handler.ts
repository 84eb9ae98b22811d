/**
 * The door for WebSockets on a web server.
 *
 *  H1. Each upgrade becomes one WebSocket or gets one HTTP error; neither takes longer than the handshake may.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Timer } from "@metanode/core/clock";
import { STATUS_CODES } from "@metanode/core/internal/http";
import { WebSocketServer } from "ws";
import type { MetaProcess } from "../meta/behaviour.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import { endsOf } from "../web/addresses.ts";
import { HttpMeta } from "../web/http-meta.ts";
import { inTurn } from "../web/in-turn.ts";
import { answerStatus } from "../web/refusal.ts";
import type { WebSocketProcess } from "./messages.ts";
import { WebSocketConnection } from "./websocket-connection.ts";
import {
  libraryOptions,
  type ResolvedWebSocketOptions,
  resolveWebSocketOptions,
  WEBSOCKET_OPTIONS,
  type WebSocketOptions,
} from "./websocket-options.ts";

/** How to make a {@link WebSocketHandler}. */
export interface WebSocketHandlerOptions extends WebSocketOptions {
  /**
   * Who handles the WebSockets, in turn: each gets every message of those that are his. A pool of workers is no handler, for it
   * would spread the messages of one WebSocket. @default the process of the handler
   */
  processPool?: readonly WebSocketProcess[];
  /**
   * Whether an upgrade is let in, for example by its origin, cookies or path; may take as long as the handshake.
   * @default those without an `Origin`, and those from pages of the host that they ask
   */
  checkOrigin?: (request: IncomingMessage) => boolean | Promise<boolean>;
  /** Longest mailbox of a WebSocket: of what a slow peer has not taken yet. 0 = no limit. @default 0 */
  mailboxLimit?: number;
}

/**
 * Turns upgrades into WebSockets, each a meta-process of its own. Give it to a server, or call its `upgrade` in a listener of
 * your own; a request that is no upgrade is answered 426. An upgrade is refused with 503 while the handler is not there, with
 * 403 when `checkOrigin` does not let it in, with 400 when it is none. WebSockets live on when the handler ends.
 */
export class WebSocketHandler extends HttpMeta {
  readonly #options: ResolvedWebSocketOptions;
  readonly #checkOrigin: (request: IncomingMessage) => boolean | Promise<boolean>;
  readonly #mailboxLimit: number;
  readonly #nextProcess: () => WebSocketProcess | undefined;
  readonly #library: WebSocketServer;
  #accepted = 0;

  constructor(options: WebSocketHandlerOptions) {
    super();
    this.#options = resolveWebSocketOptions(options);
    this.#checkOrigin = options.checkOrigin ?? isSameOrigin;
    this.#mailboxLimit = wholeNumber("websocket.mailboxLimit", options.mailboxLimit ?? 0, 0);
    this.#nextProcess = inTurn(options.processPool);
    this.#library = new WebSocketServer({ noServer: true, clientTracking: false, ...libraryOptions(this.#options) });
  }

  /** Takes one upgrade. Give it to a server, or call it in a listener of your own that picks by path. */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => undefined); // `close` follows
    const refused = this.notReady();
    if (refused === undefined) void this.#upgrade(request, socket, head);
    else refuse(socket, 503);
  };

  override handleInspect(): Readonly<Record<string, string>> {
    return { accepted: String(this.#accepted), refused: String(this.refused) };
  }

  protected override serve(_meta: MetaProcess, _request: IncomingMessage, response: ServerResponse): void {
    answerStatus(response, 426, { connection: "upgrade", upgrade: "websocket" });
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let timer: Timer | undefined;
    try {
      const late = new Promise<"late">((resolve) => {
        timer = this.meta.clock.setTimer(this.#options.handshakeTimeoutMs, () => resolve("late"));
      });
      const isAllowed = await Promise.race([this.#checkOrigin(request), late]);
      if (isAllowed === true && this.notReady() === undefined) this.#accept(request, socket, head);
      else this.#refuse(request, socket, isAllowed === true || isAllowed === "late" ? 503 : 403);
    } catch (error) {
      this.meta.report(`an upgrade of ${request.url} failed`, error);
      refuse(socket, 500);
    } finally {
      timer?.cancel();
    }
  }

  #refuse(request: IncomingMessage, socket: Duplex, status: number): void {
    const { url, headers } = request;
    this.meta.report(`an upgrade of ${url} from ${headers.origin ?? "no origin"} was refused with ${status}`);
    refuse(socket, status);
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let isOpen = false;
    const ends = endsOf(request.socket);
    this.#library.handleUpgrade(request, socket, head, (opened) => {
      isOpen = true;
      opened.pause();
      this.#spawn({ socket: opened, ends, request, process: this.#nextProcess(), pauseWhenFull: this.#options.pauseWhenFull });
    });
    // The library has answered with an HTTP error, or the client is gone.
    if (!isOpen) this.meta.report(`an upgrade of ${request.url} is none`);
  }

  #spawn(setup: ConstructorParameters<typeof WebSocketConnection>[0]): void {
    const { meta } = this;
    const connection = new WebSocketConnection(setup);
    try {
      meta.spawn(connection, { mailboxLimit: this.#mailboxLimit });
      this.#accepted++;
    } catch (error) {
      meta.report("no meta-process for a WebSocket", error);
      connection.terminate("shutdown");
    }
  }
}

/** Answers an upgrade with an HTTP error. */
function refuse(socket: Duplex, status: number): void {
  const text = STATUS_CODES[status] ?? "";
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
}

/** Other programs have no origin; of pages, only those of the same host are let in, lest any page speaks for its reader. */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  if (headers.origin === undefined) return true;
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host?.toLowerCase();
}

/** Builds a {@link WebSocketHandler}. @throws actor.incorrect – an option that is unknown or out of range */
export function createWebSocketHandler(options: WebSocketHandlerOptions = {}): WebSocketHandler {
  knownOptions("websocket", options, [...WEBSOCKET_OPTIONS, "processPool", "checkOrigin", "mailboxLimit"]);
  return new WebSocketHandler(options);
}
