/**
 * A socket for datagrams.
 *
 * U1. A datagram that the handler has no room for is lost, and that is told; the socket goes on.
 * U2. While more than `sendBufferSize` bytes wait to leave, mail is left unread.
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { actorError, knownOptions, listenError, wholeNumber } from "../errors.ts";
import type { Address, PID, Reason } from "../identity/index.ts";
import { MetaBehaviour, type MetaProcess } from "../meta/behaviour.ts";
import type { Ended } from "../runtime/typed.ts";
import { MessageUdp, textOf, type UdpAddress } from "./messages.ts";

/** Where datagrams go to. A name is looked up at each datagram. */
export type UdpHandler = Address<MessageUdp, never>;

/** How to open a socket. */
export interface UdpOptions {
  /** 0 = any free one. */
  port: number;
  /** An address of this machine; one of IPv6 makes a socket for IPv6. @default "127.0.0.1" */
  host?: string;
  /** Who gets the datagrams. @default the process that spawns the socket */
  process?: UdpHandler;
  /** Bytes that may wait to be sent. @default 1_048_576 */
  sendBufferSize?: number;
}

const DEFAULT_SEND_BYTES = 1_048_576;
const MAX_PORT = 65_535;

function resolveUdpOptions(given: UdpOptions) {
  knownOptions("udp", given, ["port", "host", "process", "sendBufferSize"] satisfies (keyof UdpOptions)[]);
  const port = wholeNumber("udp.port", given.port, 0);
  if (port > MAX_PORT) {
    throw actorError("actor.incorrect", `udp.port is ${port}, expected ${MAX_PORT} or less`, {
      details: { option: "udp.port" },
    });
  }
  return {
    port,
    host: given.host ?? "127.0.0.1",
    process: given.process,
    sendBufferSize: wholeNumber("udp.sendBufferSize", given.sendBufferSize ?? DEFAULT_SEND_BYTES, 1),
  };
}

/**
 * The meta-process of a socket for datagrams. One that is not spawned is released by `terminate("normal")`. What it is sent as
 * {@link MessageUdp} goes to the address in it; a datagram that cannot be sent ends it with `actor.io_failed`.
 */
export class UdpSocket extends MetaBehaviour<MessageUdp> {
  /** Where it is bound. */
  readonly address: UdpAddress;
  readonly #socket: Socket;
  readonly #options: ReturnType<typeof resolveUdpOptions>;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Bytes that were handed to the system and have not been sent. */
  #waiting = 0;
  #isHeld = false;
  #isEnded = false;
  #meta: MetaProcess | undefined;
  #failure: Reason | undefined;
  #end: ((reason: Reason) => void) | undefined;

  /** For `openUdp`. */
  constructor(socket: Socket, options: ReturnType<typeof resolveUdpOptions>) {
    super();
    const { address, port } = socket.address();
    this.address = { host: address, port };
    this.#socket = socket;
    this.#options = options;
    socket.on("error", (cause) => this.#fail(`the socket ${textOf(this.address)} failed`, cause));
    socket.once("close", () => this.#end?.("normal"));
  }

  /** Bytes of all datagrams that came in. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Bytes of all datagrams that were sent. */
  get bytesOut(): number {
    return this.#bytesOut;
  }

  override init(meta: MetaProcess): Error | undefined {
    if (this.#meta !== undefined || this.#isEnded) {
      return actorError("actor.not_allowed", "a socket is spawned once, and not after its terminate");
    }
    this.#meta = meta;
    return undefined;
  }

  override start(meta: MetaProcess): Ended {
    const handler = this.#handler(meta);
    const id = meta.id as MessageUdp["id"];
    this.#socket.on("message", (data, { address, port }) => {
      this.#bytesIn += data.length;
      try {
        meta.send(handler, new MessageUdp(id, { host: address, port }, data));
      } catch (error) {
        meta.report(`a datagram from ${address}:${port} was lost`, error);
      }
    });
    return new Promise((resolve) => {
      this.#end = resolve;
      if (this.#failure !== undefined) resolve(this.#failure);
    });
  }

  override handleMessage(from: PID, message: MessageUdp): void {
    if (!(message instanceof MessageUdp && message.data instanceof Uint8Array)) {
      super.handleMessage(from, message);
      return;
    }
    const { host, port } = message.address;
    const { length } = message.data;
    this.#waiting += length;
    this.#holdMail();
    this.#socket.send(message.data, port, host, (cause) => {
      this.#waiting -= length;
      this.#holdMail();
      if (cause === null || cause === undefined) this.#bytesOut += length;
      else if (!this.#isEnded) this.#fail(`a datagram of ${length} bytes cannot be sent to ${host}:${port}`, cause);
    });
  }

  override handleInspect(): Readonly<Record<string, string>> {
    return {
      listener: textOf(this.address),
      process: this.#meta === undefined ? "" : String(this.#handler(this.#meta)),
      "bytes in": String(this.bytesIn),
      "bytes out": String(this.bytesOut),
    };
  }

  /** Closes the socket. */
  override terminate(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.close();
  }

  #handler(meta: MetaProcess): UdpHandler {
    return this.#options.process ?? meta.parent;
  }

  #holdMail(): void {
    const isHeld = this.#waiting > this.#options.sendBufferSize;
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#meta?.holdMail(isHeld);
  }

  #fail(text: string, cause: Error): void {
    this.#failure ??= actorError("actor.io_failed", `${text}: ${cause.message}`, { cause });
    this.#end?.(this.#failure);
  }
}

/**
 * Binds a socket for datagrams. Spawn what it gives with `spawnMeta`; datagrams that come before are lost.
 * @throws actor.incorrect – an option; actor.port_in_use; actor.listen_failed – another reason
 */
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const resolved = resolveUdpOptions(options);
  const { host, port } = resolved;
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (cause) => {
      socket.close();
      reject(listenError(textOf({ host, port }), cause));
    });
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
  return new UdpSocket(socket, resolved);
}
