/**
 * A connection.
 *
 * C1. The handler gets one Connect, then the data in the order of the stream, then one Disconnect when the socket is closed.
 * C2. The first cause of an end is its reason: an undeliverable message, a chunk that cannot be, a failed write, silence. The
 *     end of the stream and a failed read are no causes: the reason is `normal`.
 * C3. At the end of the stream the handler reads what is there, and what it writes until then is written, before the socket is
 *     closed.
 * C4. Everything that it began (socket, timers) is over when `start` returns; `terminate` brings that about.
 */
import type { Socket } from "node:net";
import { actorError } from "../errors.ts";
import { isClean, type PID, type Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import { Delivery } from "../meta/delivery.ts";
import type { Ended } from "../runtime/typed.ts";
import { createChunker } from "../splitting/chunk.ts";
import { createKeepAlive, type KeepAlive } from "../splitting/keep-alive.ts";
import type { Splitter } from "../splitting/splitting.ts";
import { IdleWatch } from "./idle.ts";
import {
  MessageTcp,
  MessageTcpConnect,
  MessageTcpDisconnect,
  type TcpAddress,
  type TcpAlias,
  type TcpCommand,
  type TcpEvent,
  textOf,
} from "./messages.ts";
import type { ResolvedTcpOptions, TcpHandler } from "./options.ts";
import { Writer } from "./writer.ts";

/** What exists from the spawn on. */
interface Life {
  readonly meta: MetaProcess;
  readonly id: TcpAlias;
  readonly handler: TcpHandler;
  readonly delivery: Delivery<TcpEvent>;
}

/**
 * The meta-process of one connection, accepted or dialled. One that is not spawned is released by `terminate("normal")`.
 * Its handler writes by sending it {@link MessageTcp}, and closes it by {@link MessageTcpDisconnect} or by an exit.
 */
export class TcpConnection extends MetaBehaviour<TcpCommand> {
  readonly remote: TcpAddress;
  readonly local: TcpAddress;
  readonly #socket: Socket;
  readonly #options: ResolvedTcpOptions;
  readonly #process: TcpHandler | undefined;
  readonly #writer: Writer;
  readonly #chunker: Splitter<Uint8Array> | undefined;
  #bytesIn = 0;
  #life: Life | undefined;
  #reason: Reason | undefined;
  /** Whether the peer has ended its stream, or this side wants no more of it. */
  #isEnding = false;
  #keepAlive: KeepAlive | undefined;
  #idle: IdleWatch | undefined;
  #isClosing = false;

  /** For whoever opens connections; `process` undefined = the process that it will belong to. */
  constructor(socket: Socket, options: ResolvedTcpOptions, process: TcpHandler | undefined) {
    super();
    this.remote = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    this.local = { host: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    this.#socket = socket;
    this.#options = options;
    this.#process = process;
    this.#chunker = options.chunk === undefined ? undefined : createChunker(options.chunk);
    this.#writer = new Writer(socket, {
      flushBytes: options.readBufferSize,
      onBlocked: (blocked) => {
        this.#life?.meta.holdMail(blocked);
        this.#flow();
      },
    });
    socket.on("error", this.#onError);
  }

  /** Bytes that were read. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Bytes that were accepted to be written. */
  get bytesOut(): number {
    return this.#writer.bytesOut;
  }

  override init(meta: MetaProcess): Error | undefined {
    if (this.#life !== undefined || this.#isEnding) {
      return actorError("actor.not_allowed", "a connection is spawned once, and not after its terminate");
    }
    const handler = this.#process ?? meta.parent;
    const delivery = new Delivery<TcpEvent>({
      meta,
      handler,
      waits: this.#options.pauseWhenFull,
      onHolding: () => this.#flow(),
      onFailed: (error) => this.#fail(error),
    });
    this.#life = { meta, id: meta.id, handler, delivery };
    return undefined;
  }

  override start(): Ended {
    const { meta, id, delivery } = this.#life as Life;
    const { keepAlive, idleTimeoutMs } = this.#options;
    const socket = this.#socket;
    const writer = this.#writer;
    delivery.send(new MessageTcpConnect(id, this.remote, this.local));
    if (delivery.isOpen && !socket.destroyed) {
      if (idleTimeoutMs > 0) this.#idle = new IdleWatch(meta.clock, idleTimeoutMs, this.#onIdle);
      if (keepAlive !== undefined) {
        const write = (bytes: Uint8Array): void => {
          if (writer.isIdle) writer.write(bytes);
        };
        this.#keepAlive = createKeepAlive({ ...keepAlive, clock: meta.clock, write });
        this.#keepAlive.start();
      }
      socket.on("data", this.#onData);
      socket.on("end", this.#onEnd);
      this.#flow();
    }
    return new Promise((resolve) => {
      const close = (): void => this.#close(() => resolve(this.#reason ?? "normal"));
      if (socket.closed) close();
      else socket.on("close", close);
    });
  }

  override handleMessage(from: PID, message: TcpCommand): void {
    if (message instanceof MessageTcp && message.data instanceof Uint8Array) {
      this.#keepAlive?.touch();
      this.#writer.write(message.data);
    } else if (message instanceof MessageTcpDisconnect) this.#end();
    else super.handleMessage(from, message);
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      local: textOf(this.local),
      remote: textOf(this.remote),
      process: String(this.#life?.handler),
      "bytes in": String(this.bytesIn),
      "bytes out": String(this.bytesOut),
    };
  }

  /** Closes: after what was written before if the reason is `normal` or `shutdown`, else at once. */
  override terminate(reason: Reason): void {
    this.#life?.delivery.drop();
    if (isClean(reason) && this.#life !== undefined) this.#end();
    else this.#socket.destroy();
    this.#isEnding = true;
  }

  readonly #onData = (data: Buffer): void => {
    const { id, delivery } = this.#life as Life;
    this.#bytesIn += data.length;
    this.#idle?.touch();
    if (this.#chunker === undefined) {
      const size = this.#options.readBufferSize;
      if (data.length <= size) delivery.send(new MessageTcp(id, data));
      else for (let at = 0; at < data.length; at += size) delivery.send(new MessageTcp(id, data.subarray(at, at + size)));
      return;
    }
    if (!delivery.isOpen) return;
    for (const chunk of this.#chunker.push(data)) delivery.send(new MessageTcp(id, chunk));
    if (this.#chunker.failure !== undefined) this.#fail(this.#chunker.failure);
  };

  readonly #onEnd = (): void => {
    const { meta, id, handler } = this.#life as Life;
    this.#isEnding = true;
    void meta
      .whenRead(handler)
      .then(() => meta.whenRead(id)) // the answers wait in its own mailbox
      .then(() => this.#end());
  };

  readonly #onError = (cause: Error & { syscall?: string }): void => {
    // A peer that has ended its stream, and reads nothing any more either, is no failure.
    if (cause.syscall !== "write" || this.#isEnding) return;
    this.#reason ??= actorError("actor.io_failed", `writing to ${textOf(this.remote)} failed: ${cause.message}`, { cause });
  };

  readonly #onIdle = (): void => {
    if (this.#socket.isPaused()) {
      // This side does not listen: that is no silence of the peer.
      this.#idle = new IdleWatch((this.#life as Life).meta.clock, this.#options.idleTimeoutMs, this.#onIdle);
      return;
    }
    if (this.#isEnding) {
      this.#end();
      return;
    }
    const text = `nothing came from ${textOf(this.remote)} for ${this.#options.idleTimeoutMs} ms`;
    this.#fail(actorError("actor.timeout", text));
  };

  /** Reads, unless something waits that reading would make more of. */
  #flow(): void {
    const isHeld = this.#life?.delivery.isHolding || (this.#options.pauseWhenBlocked && this.#writer.isBlocked);
    if (isHeld) this.#socket.pause();
    else if (this.#life !== undefined && this.#socket.isPaused()) {
      this.#idle?.touch();
      this.#socket.resume();
    }
  }

  /** Ends for a cause of its own. */
  #fail(reason: Reason): void {
    this.#reason ??= reason;
    this.#life?.delivery.drop();
    this.#socket.destroy();
  }

  /** Closes the socket when what was written has left it, or time is up. */
  #end(): void {
    const socket = this.#socket;
    if (socket.destroyed || this.#isClosing) return;
    this.#isEnding = true;
    this.#isClosing = true;
    const timer = this.#life?.meta.clock.setTimer(this.#options.closeTimeoutMs, () => socket.destroy());
    socket.once("close", () => timer?.cancel());
    this.#writer.end();
  }

  #close(done: () => void): void {
    this.#idle?.stop();
    this.#keepAlive?.stop();
    this.#writer.close();
    const { id, delivery } = this.#life as Life;
    delivery.finish(new MessageTcpDisconnect(id), done);
  }
}
