import { createMessage, fromWire, type Message, toWire, type WireError } from "@metanode/core";
import { codeOf } from "@metanode/core/internal";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import type { Batch, Content } from "../record/batch.ts";
import type { FailedRecord, StageCounter } from "../stage/stage.ts";
import { blockOf, contentOf, RECORDS_TYPE } from "./wire.ts";

/** The type of messages that ask another node to do the work of a stage. */
export const WORK_TYPE = "metanode.stage.work";
/** The type of messages that ask another node for the records of a source, streamed. */
export const READ_TYPE = "metanode.source.read";
/** The type of messages that tell it up to where records are through, and that this is stored. */
export const COMMIT_TYPE = "metanode.source.commit";

/** A node of a graph as another node gets it, which is to do the work itself. */
export function farNode({ on: _on, placement: _placement, buffer: _buffer, replicas: _replicas, ...node }: GraphNode): GraphNode {
  return node;
}

/** Which stage is meant: what does the work is kept from batch to batch. */
export interface StageKey {
  readonly graph: string;
  readonly node: GraphNode;
  readonly replica: number;
  readonly epoch: number;
}

/** A record that the other node gave up on. */
export interface FarFailure {
  /** Of the batch. */
  readonly index: number;
  readonly attempts: number;
  readonly error: WireError;
  readonly stderr?: string;
}

/** What the other node made of a batch. */
export interface FarAnswer {
  readonly outputs: readonly Content[];
  readonly failed: readonly FarFailure[];
  readonly counts: Readonly<Partial<Record<StageCounter, number>>>;
}

/** The work on one batch as a message. */
export function workMessage(batch: Batch, key: StageKey, target: string): Message {
  const block = batch.block ?? blockOf(batch.records);
  const traceparent = batch.traceOf(0);
  return createMessage({
    type: WORK_TYPE,
    source: `/graphs/${key.graph}/${key.node.name}`,
    datacontenttype: "application/octet-stream",
    data: block.bytes,
    ...(traceparent === undefined ? {} : { traceparent }),
    extensions: { target, codec: block.codec, count: block.count, stage: JSON.stringify(key) },
  });
}

/** The stage and the records of such a message. @throws {MetanodeError} stream.codec */
export function readWork(message: Message): { key: StageKey; content: Content } {
  const { stage } = message.extensions ?? {};
  if (typeof stage !== "string") throw streamError("stream.codec", `message ${message.id} names no stage`);
  return { key: JSON.parse(stage) as StageKey, content: contentOf(message) };
}

/** An answer as bytes. */
export function writeAnswer({ outputs, failed, counts }: FarAnswer): Uint8Array {
  return writeParts({ failed, counts }, outputs);
}

/** @throws {MetanodeError} stream.codec */
export function readAnswer(value: unknown): FarAnswer {
  const { head, contents } = readParts<Omit<FarAnswer, "outputs">>(value);
  return { ...head, outputs: contents };
}

/** Which source is meant. */
export type SourceKey = Omit<StageKey, "replica">;

/** From where a source is to be read, or up to where its records are through. */
export interface SourceRequest extends SourceKey {
  readonly position?: string;
  /** Records handed over up to that position. */
  readonly sequence?: number;
}

/** A request to a source as a message. */
export function sourceMessage(type: typeof READ_TYPE | typeof COMMIT_TYPE, request: SourceRequest, target: string): Message {
  return createMessage({
    type,
    source: `/graphs/${request.graph}/${request.node.name}`,
    datacontenttype: "application/json",
    data: request,
    extensions: { target },
  });
}

/** Records of a source as bytes, with the position behind them. */
export function writeRead(content: Content, position: string): Uint8Array {
  return writeParts({ position }, [content]);
}

/** @throws {MetanodeError} stream.codec */
export function readRead(value: unknown): { readonly content: Content; readonly position: string } {
  const { head, contents } = readParts<{ position: string }>(value);
  return { content: contents[0] ?? { records: [] }, position: head.position };
}

interface Part {
  readonly codec: string;
  readonly count: number;
  readonly bytes: number;
}

/** Four bytes with the length of the head, the head as JSON, the records of each part. */
function writeParts(given: object, contents: readonly Content[]): Uint8Array {
  const blocks = contents.map((content) => ("block" in content ? content.block : blockOf(content.records)));
  const parts: Part[] = blocks.map(({ codec, count, bytes }) => ({ codec, count, bytes: bytes.length }));
  const head = Buffer.from(JSON.stringify({ ...given, parts }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...blocks.map(({ bytes }) => bytes)]);
}

function readParts<Head extends object>(value: unknown): { readonly head: Head; readonly contents: Content[] } {
  if (!(value instanceof Uint8Array)) throw streamError("stream.codec", "the answer of the other node has no records");
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = 4 + bytes.readUInt32BE(0);
  const { parts, ...head } = JSON.parse(bytes.toString("utf8", 4, end)) as Head & { parts: readonly Part[] };
  let at = end;
  const contents = parts.map((part) => {
    const data = bytes.subarray(at, at + part.bytes);
    at += part.bytes;
    return contentOf(createMessage({ type: RECORDS_TYPE, data, extensions: { codec: part.codec, count: part.count } }));
  });
  return { head: head as unknown as Head, contents };
}

/** A failure on its way to whoever runs the graph. */
export function farFailure(failed: FailedRecord, index: number): FarFailure {
  const { attempts, error, stderr } = failed;
  return { index, attempts, error: toWire(error), ...(stderr === undefined ? {} : { stderr }) };
}

/** And back, of a record of the batch as it is here. */
export function nearFailure({ index, attempts, error, stderr }: FarFailure, batch: Batch, from: string): FailedRecord {
  return {
    record: batch.records[index],
    id: batch.idOf(index),
    trace: batch.traceOf(index),
    from,
    attempts,
    error: fromWire(error),
    ...(stderr === undefined ? {} : { stderr }),
  };
}

/** Whether an error says that the other node, and not the work, is at fault. */
export function isOfNode(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  return code.startsWith("node.") || code.startsWith("tree.") || OF_NODE.has(code);
}

const OF_NODE: ReadonlySet<string> = new Set([
  "resource.not_found",
  "message.unknown_type",
  "call.deadline",
  "call.resource_exhausted",
]);
