/** Links as another release speaks them, over gRPC and a codec of their own. Not a test. */
import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { codeOf, coreError, errorRow, type MetanodeError } from "../../src/errors.ts";
import type { Channel, ChannelEvents } from "../../src/link/channel.ts";
import { CALL_MODE, type Frame, type Hello, type ReplyBody, type RequestBody } from "../../src/link/frames.ts";
import type { VersionRange } from "../../src/link/handshake.ts";
import { loadProto } from "../../src/message/proto-root.ts";
import type { NodeTransport } from "../../src/tree/index.ts";
import { STEP_PREFIX } from "../../src/tree/node-link.ts";

/**
 * `next`: the release after this one: speaks one version more, says more in every frame, sends frames and steps that this one does not
 * know. `previous`: the one before: speaks one version more below, and says less. `future`: shares no version.
 */
export type Dialect = "next" | "previous" | "future";

const RANGES: Record<Dialect, VersionRange> = {
  next: { min: 1, max: 2 },
  previous: { min: 0, max: 1 },
  future: { min: 2, max: 3 },
};

const PATH = "/metanode.v1.Link/Attach";
const CODE_TRAILER = "metanode-code";
/** The number of the call with a step that nobody knows yet; far from those that a session takes. */
const UNKNOWN_CALL = 0xffff_fff0;

const root = loadProto("metanode/v1/link.proto");
for (const name of ["Hello", "Welcome", "Message", "Call", "Reply", "Failure", "Frame"]) {
  const type = root.lookupType(`metanode.v1.${name}`);
  type.add(new protobuf.Field("next", 100, "string")).add(new protobuf.Field("nextReply", 101, "Reply"));
}
const BATCH = root.lookupType("metanode.v1.Batch");
const NEXT = { next: "of the next release", nextReply: { data: Buffer.from("?") } };
const RUMOUR = { call: 0, ...NEXT } as Frame;

/** What the neighbour says of itself in JSON has a field more. */
function withMore(data: Uint8Array | null | undefined): Uint8Array | null | undefined {
  if (!data) return data;
  const more = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(more);
    return value !== null && typeof value === "object" ? { ...value, next: NEXT.next } : value;
  };
  return Buffer.from(JSON.stringify(more(JSON.parse(Buffer.from(data).toString()))));
}

/** The frames of one side as its release would write them. */
class Writer {
  readonly #dialect: Dialect;
  /** Calls of the other side that are steps between neighbours. */
  readonly #steps = new Set<number>();
  #hasAsked = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  read(bytes: Buffer): Frame[] {
    const { frames } = BATCH.decode(bytes) as unknown as { frames: Frame[] };
    for (const { call = 0, request } of frames) if (request?.message.type.startsWith(STEP_PREFIX)) this.#steps.add(call);
    return frames.filter(({ call }) => call !== UNKNOWN_CALL);
  }

  write(frames: readonly Frame[]): Buffer {
    const written = this.#dialect === "previous" ? frames.map((frame) => this.#less(frame)) : this.#more(frames);
    return Buffer.from(BATCH.encode({ frames: written }).finish());
  }

  #less(frame: Frame): Frame {
    const { hello, request, failure } = frame;
    if (hello) {
      const { runtime: _, pid: __, ...rest } = hello;
      return { hello: rest as Hello };
    }
    if (request) {
      const { attempt: _, ...rest } = request;
      return { ...frame, request: rest as RequestBody };
    }
    if (failure) return { ...frame, failure: { code: failure.code, message: failure.message } as never };
    return frame;
  }

  #more(frames: readonly Frame[]): Frame[] {
    const written = frames.map((frame) => this.#moreOf(frame));
    written.push(RUMOUR);
    const isGreeting = frames.some(({ hello, welcome }) => hello || welcome);
    if (isGreeting || this.#hasAsked) return written;
    this.#hasAsked = true;
    const message = { id: "1", source: "/nodes/next", type: `${STEP_PREFIX}rumour`, next: NEXT.next };
    written.push({ call: UNKNOWN_CALL, request: { message, mode: CALL_MODE.cast, timeoutMs: 0 } as never });
    return written;
  }

  #moreOf(frame: Frame): Frame {
    const { call = 0, hello, welcome, request, reply, item, failure } = frame;
    if (hello) return { hello: { ...hello, ...NEXT } };
    if (welcome) return { welcome: { ...welcome, ...NEXT } };
    if (failure) return { ...frame, ...NEXT, failure: { ...failure, ...NEXT } };
    if (request) {
      const { message } = request;
      const data = message.type.startsWith(STEP_PREFIX) ? withMore(message.data) : message.data;
      return { ...frame, ...NEXT, request: { ...request, ...NEXT, message: { ...message, ...NEXT, data } as never } };
    }
    const answer = (body: ReplyBody): ReplyBody =>
      ({ ...body, ...NEXT, data: this.#steps.has(call) ? withMore(body.data) : body.data }) as ReplyBody;
    if (reply) return { ...frame, reply: answer(reply) };
    if (item) return { ...frame, item: answer(item) };
    return { ...frame, ...NEXT } as Frame;
  }
}

type Stream = grpc.ServerDuplexStream<Buffer, Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>;

class DialectChannel implements Channel {
  readonly #stream: Stream;
  readonly #writer: Writer;
  readonly #abort: (error: MetanodeError) => void;
  readonly #early: Frame[][] = [];
  #events: ChannelEvents | undefined;
  #isOver = false;
  #reason: { error?: MetanodeError } | undefined;

  constructor(stream: Stream, dialect: Dialect, abort: (error: MetanodeError) => void) {
    this.#stream = stream;
    this.#writer = new Writer(dialect);
    this.#abort = abort;
    stream.on("data", (bytes: Buffer) => {
      const frames = this.#writer.read(bytes);
      if (this.#events) this.#events.onFrames(frames);
      else this.#early.push(frames);
    });
  }

  listen(events: ChannelEvents): void {
    this.#events = events;
    for (const frames of this.#early.splice(0)) events.onFrames(frames);
    if (this.#reason) events.onClosed(this.#reason.error);
  }

  send(frames: readonly Frame[]): void {
    if (!this.#isOver) this.#stream.write(this.#writer.write(frames));
  }

  close(error?: MetanodeError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error === undefined) this.#stream.end();
    else this.#abort(error);
    this.ended(error);
  }

  ended(error?: MetanodeError): void {
    if (this.#reason) return;
    this.#isOver = true;
    this.#reason = error === undefined ? {} : { error };
    this.#events?.onClosed(error);
  }
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

function errorOf({ metadata, details = "the stream broke" }: Partial<grpc.StatusObject>): MetanodeError {
  const code = codeOf({ code: metadata?.get(CODE_TRAILER)[0] }) ?? "node.unreachable";
  return coreError(code as "node.unreachable", details);
}

function statusOf(error: MetanodeError): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  metadata.set(CODE_TRAILER, error.code);
  return { code: errorRow(error.code).grpc, details: error.message, metadata };
}

/** Links of another release; plain ones. */
export function transportOf(dialect: Dialect): NodeTransport {
  return {
    versions: RANGES[dialect],
    async listen(address, onChannel) {
      const server = new grpc.Server();
      const method = {
        path: PATH,
        requestStream: true,
        responseStream: true,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      };
      server.addService({ Attach: method } as never, {
        Attach(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
          const channel = new DialectChannel(call, dialect, (error) => call.emit("error", statusOf(error)));
          call.on("error", (error) => channel.ended(errorOf({ details: error.message })));
          call.on("cancelled", () => channel.ended(errorOf({ details: "the other side cut the stream" })));
          call.on("end", () => {
            channel.ended();
            call.end();
          });
          onChannel(channel);
        },
      });
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        );
      });
      return { address: address.replace(/:0$/, `:${port}`), close: async () => server.forceShutdown() };
    },
    dial(address) {
      const client = new grpc.Client(address, grpc.credentials.createInsecure());
      const call = client.makeBidiStreamRequest(PATH, same, same);
      const channel = new DialectChannel(call, dialect, () => call.cancel());
      call.on("error", (error: grpc.ServiceError) => channel.ended(errorOf(error)));
      call.on("status", (status: grpc.StatusObject) => {
        channel.ended(status.code === grpc.status.OK ? undefined : errorOf(status));
        client.close();
      });
      return channel;
    },
  };
}
