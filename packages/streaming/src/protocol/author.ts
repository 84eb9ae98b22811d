/**
 * For authors of programs in TypeScript that run as stages of graphs, in processes of their own.
 *
 * ```ts
 * import { serveAction } from "@metanode/streaming/action";
 *
 * await serveAction(({ data, text }) => [text.toUpperCase()]);
 * ```
 */
import { bytesOf } from "../record/value.ts";
import { decodeEngine, type EngineHello, encodeProgram, FrameReader, PROTOCOL_VERSION } from "./frames.ts";

/** An input. */
export interface ActionRecord {
  readonly data: Uint8Array;
  /** The data as UTF-8. */
  readonly text: string;
  /** The data as JSON. @throws {SyntaxError} */
  json<T = unknown>(): T;
  /** Says that the program is still at work: without it, an input that takes longer than 30 s is taken for one that hangs. */
  heartbeat(): void;
}

/** What came of an input: nothing, one text, one piece of bytes, or a list of outputs, which may be anything that has a JSON form. */
export type ActionOutputs = undefined | string | Uint8Array | Iterable<unknown>;

export interface ServeOptions {
  /** Inputs under way at a time. @default 16 */
  readonly concurrency?: number;
  /** @default the standard input of the process */
  readonly input?: AsyncIterable<Uint8Array>;
  /** @default the standard output of the process */
  readonly output?: { write(bytes: Uint8Array): unknown };
}

/** A record of a source with the place behind it. */
export interface PositionedRecord {
  readonly data: unknown;
  /** Where to go on behind it. */
  readonly position: string;
}

const MAX_FRAME_BYTES = 64 * 1_024 * 1_024;

/**
 * Answers inputs until there are no more. What `handle` returns goes on. A throw is a nack: the input comes again as often as the graph allows; with `retry: false` on the error it does not.
 */
export async function serveAction(
  handle: (record: ActionRecord) => ActionOutputs | Promise<ActionOutputs>,
  { concurrency = 16, input = process.stdin, output = process.stdout }: ServeOptions = {},
): Promise<void> {
  const reader = new FrameReader(decodeEngine, MAX_FRAME_BYTES);
  const underWay = new Set<Promise<void>>();
  output.write(encodeProgram({ kind: "hello", hello: { protocol: "metanode", version: PROTOCOL_VERSION, window: concurrency } }));
  const heartbeat = (): void => void output.write(encodeProgram({ kind: "heartbeat" }));
  const answer = async (sequence: number, data: Uint8Array): Promise<void> => {
    try {
      const outputs = listOf(await handle(recordOf(data, heartbeat)));
      const frames = outputs.map((one) => encodeProgram({ kind: "output", sequence, data: bytesOf(one) }));
      output.write(Buffer.concat([...frames, encodeProgram({ kind: "ack", sequence })]));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const canRetry = (error as { retry?: unknown } | undefined)?.retry !== false;
      output.write(encodeProgram({ kind: "nack", sequence, canRetry, reason }));
    }
  };
  for await (const chunk of input) {
    for (const frame of reader.push(Buffer.from(chunk))) {
      if (frame.kind === "end") return void (await Promise.all(underWay));
      if (frame.kind !== "record") continue;
      const done = answer(frame.sequence, frame.data).finally(() => underWay.delete(done));
      underWay.add(done);
    }
  }
  await Promise.all(underWay);
}

/**
 * Gives records until there are no more. `read` begins behind `position`, which is absent at the very beginning; `onCommit` is
 * told of positions up to which everything is through.
 */
export async function serveSource(
  read: (position: string | undefined, hello: EngineHello) => AsyncIterable<PositionedRecord> | Iterable<PositionedRecord>,
  {
    onCommit,
    input = process.stdin,
    output = process.stdout,
  }: Omit<ServeOptions, "concurrency"> & { onCommit?: (position: string) => void } = {},
): Promise<void> {
  const reader = new FrameReader(decodeEngine, MAX_FRAME_BYTES);
  output.write(encodeProgram({ kind: "hello", hello: { protocol: "metanode", version: PROTOCOL_VERSION } }));
  const greeted = Promise.withResolvers<EngineHello | undefined>();
  const listening = (async () => {
    for await (const chunk of input) {
      for (const frame of reader.push(Buffer.from(chunk))) {
        if (frame.kind === "hello") greeted.resolve(frame.hello);
        else if (frame.kind === "commit") onCommit?.(frame.position);
      }
    }
    greeted.resolve(undefined);
  })();
  const hello = await greeted.promise;
  if (hello === undefined) return;
  for await (const { data, position } of read(hello.position, hello)) {
    const isFull = output.write(encodeProgram({ kind: "source", position, data: bytesOf(data) })) === false;
    if (isFull && "once" in output) await new Promise((resolve) => (output as NodeJS.WritableStream).once("drain", resolve));
  }
  output.write(encodeProgram({ kind: "end" }));
  await listening; // until the engine has closed the input: it may still tell of commits
}

/** A text is one output and not its letters, and so it is with bytes. */
function listOf(outputs: ActionOutputs): unknown[] {
  return typeof outputs === "string" || outputs instanceof Uint8Array ? [outputs] : [...(outputs ?? [])];
}

function recordOf(data: Uint8Array, heartbeat: () => void): ActionRecord {
  return {
    data,
    heartbeat,
    get text() {
      return Buffer.from(data).toString("utf8");
    },
    json: () => JSON.parse(Buffer.from(data).toString("utf8")),
  };
}
