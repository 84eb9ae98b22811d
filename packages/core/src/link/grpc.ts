import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { codeOf, coreError, errorRow, MetanodeError } from "../errors.ts";
import { type Channel, type ChannelEvents, endedChannel, type Shown } from "./channel.ts";
import { type Batch, encodeBatch, encodeEnd, readBatch } from "./codec.ts";
import { type Frame, fromFailure } from "./frames.ts";
import {
  type ClientTls,
  clientCredentials,
  countFailures,
  listenersOf,
  type ServerTls,
  serverCredentials,
  shownBy,
} from "./tls.ts";
import type { LinkAddress, LinkServer } from "./transport.ts";

export type { ClientTls, ServerTls };

/** Largest batch that is read, in bytes; a longer one ends the link with `processor.protocol`. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;

/** The trailer that carries the stable code of the error that ended a link. */
const CODE_TRAILER = "metanode-code";

/** How long the other side has to hear that a link ends before its connection is cut. */
const FAREWELL_MS = 500;

const FLOW_WINDOW_BYTES = 4 * 1024 * 1024;

const CHANNEL_OPTIONS: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": MAX_BATCH_BYTES,
  "grpc.max_send_message_length": -1,
  // HTTP/2's own 64 KiB would stop the sender in the middle of one turn's batches; credits bound what is under way.
  "grpc-node.flow_control_window": FLOW_WINDOW_BYTES,
  // A retry buffer on a stream that lives for ever grows for ever.
  "grpc.enable_retries": 0,
};

/** TLS wants a name, and an address is none; whom the server is, its certificate says. */
const SECURE_OPTIONS: grpc.ChannelOptions = {
  ...CHANNEL_OPTIONS,
  "grpc.ssl_target_name_override": "metanode",
  "grpc.default_authority": "metanode",
};

/** The one method of `metanode/v1/link.proto`; said here, so that nobody has to read that file to start. */
export const ATTACH: grpc.MethodDefinition<Buffer, Buffer> = {
  path: "/metanode.v1.Link/Attach",
  requestStream: true,
  responseStream: true,
  // Batches are encoded and decoded by us, so that an error of encoding belongs to a message and not to the whole link,
  // and one of decoding ends the link with a code of ours.
  requestSerialize: asTheyAre,
  requestDeserialize: asTheyAre,
  responseSerialize: asTheyAre,
  responseDeserialize: asTheyAre,
};

function asTheyAre(bytes: Buffer): Buffer {
  return bytes;
}

/** A batch from this size on is given back by hand. */
const LARGE_BATCH_BYTES = 32 * 1024;

type Stream = grpc.ServerDuplexStream<Buffer, Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>;

/** A channel over one gRPC stream, whichever end of it. */
class GrpcChannel implements Channel {
  readonly shown?: Shown;
  readonly #stream: Stream;
  readonly #abort: (error: MetanodeError) => void;
  #events: ChannelEvents | undefined;
  #early: Frame[][] = [];
  #closed = false;
  #reason: { error?: MetanodeError } | undefined;

  constructor(stream: Stream, abort: (error: MetanodeError) => void, shown?: Shown) {
    if (shown !== undefined) this.shown = shown;
    this.#stream = stream;
    this.#abort = abort;
    stream.on("data", (bytes: Buffer) => this.#receive(bytes));
  }

  #receive(bytes: Buffer): void {
    if (this.#closed) return;
    let batch: Batch;
    try {
      batch = readBatch(bytes);
    } catch (error) {
      this.close(error as MetanodeError);
      return;
    }
    const { frames, end } = batch;
    if (frames.length > 0) {
      if (this.#events) this.#events.onFrames(frames);
      else this.#early.push(frames);
    }
    if (end) this.ended(fromFailure(end));
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const frames of early) events.onFrames(frames);
    if (this.#reason) events.onClosed(this.#reason.error);
  }

  send(frames: readonly Frame[]): void {
    if (this.#closed) return;
    const bytes = encodeBatch(frames);
    if (bytes.byteLength < LARGE_BATCH_BYTES) this.#stream.write(bytes);
    else this.#stream.write(bytes, (error?: Error | null) => this.#written(bytes, error));
  }

  /** gRPC has copied it. Its memory is given back now: collections, which come when 64 MB wait for them, would fall behind. */
  #written({ buffer }: Buffer, error?: Error | null): void {
    if (!error && !this.#closed) (buffer as ArrayBuffer).transfer(0);
  }

  close(error?: MetanodeError): void {
    if (this.#closed) return;
    this.#closed = true;
    if (error === undefined) this.#stream.end();
    else {
      this.#stream.write(encodeEnd(error));
      this.#abort(error);
    }
    this.ended(error);
  }

  /** The stream is over. Told once. */
  ended(error?: MetanodeError): void {
    if (this.#reason) return;
    this.#closed = true;
    this.#reason = error === undefined ? {} : { error };
    this.#events?.onClosed(error);
  }
}

/**
 * Listens for links. With certificates, whoever shows none may connect as well: a node that comes for the first time has none, and what
 * it may do is not the link's to say.
 * @throws {MetanodeError} node.port_in_use – the address is taken.
 */
export async function openLinkServer(
  address: LinkAddress,
  onChannel: (channel: Channel) => void,
  tls?: ServerTls,
): Promise<LinkServer> {
  const server = new grpc.Server(CHANNEL_OPTIONS);
  const channels = new Set<GrpcChannel>();
  server.addService({ Attach: ATTACH } as never, {
    Attach(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      const shown = tls === undefined ? undefined : shownBy(call);
      // Whoever reads no batches any more, or never did, has the status.
      const channel = new GrpcChannel(call, (error) => call.emit("error", toStatus(error)), shown);
      channels.add(channel);
      const ended = (error?: MetanodeError): void => {
        channels.delete(channel);
        channel.ended(error);
      };
      call.on("error", (error: Error) => ended(fromStatus(error)));
      call.on("cancelled", () => ended(coreError("processor.protocol", "the connection was cut")));
      // A connection that breaks also ends the stream, and only then tells that it was cut.
      call.on("end", () =>
        setImmediate(() => {
          ended();
          call.end();
        }),
      );
      onChannel(channel);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      address,
      tls === undefined ? grpc.ServerCredentials.createInsecure() : serverCredentials(tls),
      (error, bound) => {
        if (error) reject(coreError("node.port_in_use", `cannot listen on ${address}: ${error.message}`, { cause: error }));
        else resolve(bound);
      },
    );
  });
  const failures = tls === undefined ? undefined : countFailures(server);
  return {
    get failedHandshakes() {
      return failures?.();
    },
    address: address.startsWith("unix:") ? address : address.replace(/:0$/, `:${port}`),
    async close() {
      for (const channel of channels) channel.close();
      await shutDown(server, channels.size === 0 ? 0 : FAREWELL_MS);
    },
  };
}

/** grpc-js waits for ever for a session that broke just before, such as one of whoever spoke TLS to a plain link; its listener ends. */
async function shutDown(server: grpc.Server, patienceMs: number): Promise<void> {
  const listeners = listenersOf(server);
  const gone = listeners.map((listener) => once(listener, "close"));
  const orderly = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (patienceMs > 0) await Promise.race([orderly, sleep(patienceMs, undefined, { ref: false })]);
  server.forceShutdown();
  await (listeners.length === 0 ? orderly : Promise.race([orderly, Promise.all(gone)]));
}

/** Dials a link. Never throws: a failure is told to the channel's listener. */
export function dialLink(address: LinkAddress, tls?: ClientTls): Channel {
  let client: grpc.Client;
  try {
    client = new grpc.Client(address, clientCredentials(tls), tls === undefined ? CHANNEL_OPTIONS : SECURE_OPTIONS);
  } catch (cause) {
    return endedChannel(coreError("config.invalid", `${JSON.stringify(address)} is no address of a link`, { cause }));
  }
  const call = client.makeBidiStreamRequest(ATTACH.path, ATTACH.requestSerialize, ATTACH.responseDeserialize);
  const channel = new GrpcChannel(call, () => {
    call.end();
    // Who does not read its end within this time is cut off.
    setTimeout(() => call.cancel(), FAREWELL_MS).unref();
  });
  call.on("error", (error: Error) => channel.ended(fromStatus(error)));
  call.on("status", (status: grpc.StatusObject) => {
    channel.ended(status.code === grpc.status.OK ? undefined : fromStatus(status));
    client.close();
  });
  call.on("end", () => undefined); // the status tells
  return channel;
}

function toStatus(error: MetanodeError): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  metadata.set(CODE_TRAILER, error.code);
  return { code: errorRow(error.code).grpc, details: error.message, metadata };
}

function fromStatus(error: Error | grpc.StatusObject): MetanodeError {
  if (error instanceof MetanodeError) return error;
  const status = error as Partial<grpc.ServiceError>;
  const trailer = status.metadata?.get?.(CODE_TRAILER)[0];
  const text = status.details ?? status.message ?? "the stream broke";
  const code = codeOf({ code: trailer });
  if (code !== undefined) return new MetanodeError(code, text);
  if (status.code === grpc.status.UNAVAILABLE && /certificate|self.signed|unable to verify/i.test(text)) {
    return coreError("auth.unauthenticated", `the other node is not the one that was met: ${text}`, { cause: error });
  }
  if (status.code === grpc.status.UNAVAILABLE) return coreError("node.unreachable", text, { cause: error });
  return coreError("processor.protocol", text, { cause: error });
}
