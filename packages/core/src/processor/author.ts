import type { z } from "zod";
import { MetanodeError } from "../errors.ts";
import type { Message } from "../message/message.ts";

/** A JSON Schema (2020-12) given as it is: the payload's type is then not inferred. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** What describes a payload: a Zod schema (types are inferred from it), or a JSON Schema. */
export type Schema<T> = z.ZodType<T> | JsonSchema;

/**
 * How a handler speaks back to its node. All of it goes over the one link to the node; nobody else can be reached. What a handler needs may be
 * taken out: `(data, { send }) => …`.
 */
export interface HandlerContext {
  /** The whole envelope. */
  readonly message: Message;
  /** Aborted at the deadline, when the caller withdraws and when the node is gone. Work that ignores it is wasted. */
  readonly signal: AbortSignal;
  /** 1 for the first delivery; more when a durable message is delivered again. Same id each time. */
  readonly attempt: number;
  /** Milliseconds until the deadline; `Infinity` when the caller set none. */
  readonly timeLeftMs: number;
  /** Sends a message through the node and waits for the answer, within what is left of this call's own time. */
  call(type: string, data?: unknown, options?: OutgoingMessageOptions): Promise<unknown>;
  /** The same with a streamed answer. */
  stream(type: string, data?: unknown, options?: OutgoingMessageOptions): AsyncIterable<unknown>;
  /** One way, at most once; resolves when the node has taken it. */
  cast(type: string, data?: unknown, options?: OutgoingMessageOptions): Promise<void>;
  /** One way, at least once; resolves when it is stored durably. */
  send(type: string, data?: unknown, options?: OutgoingMessageOptions): Promise<void>;
}

export interface OutgoingMessageOptions {
  /** Ordering and sharding key. */
  subject?: string;
  /** At most what is left of this call. */
  timeoutMs?: number;
  /** Repeated sends with the same key are one. */
  idempotencykey?: string;
  /** The version of the type that is meant. */
  typeversion?: string;
}

/** A message type: what goes in, what comes out, and what happens between. */
export interface TypeDefinition<Input, Output> {
  description?: string;
  /** Checked by the node before the message is dispatched; `message.schema` names the path that is wrong. */
  input?: Schema<Input>;
  /** Checked after the handler: an answer that does not fit is the processor's failure. */
  output?: Schema<Output>;
  /** Messages with the same subject are handled one after the other, in order of arrival, over all processes of the pool. */
  ordered?: boolean;
  /** An async generator answers with a stream. */
  handle(data: Input, context: HandlerContext): Output | Promise<Output> | AsyncIterable<Output>;
}

export interface ProcessorOptions<I, O> {
  /** Names the processor in logs and to people. */
  name: string;
  /** Messages that one process takes at a time. @default 64 */
  concurrency?: number;
  /** Handlers by `type` or `type@version`; without a version it is version 1. Each is a {@link TypeDefinition}. */
  types: { [K in keyof I]: InputSide<I[K]> } & { [K in keyof O]: OutputSide<O[K]> };
}

// The compiler infers one type parameter per mapped type, so the two sides of a definition are mapped each for itself.
type InputSide<I> = Omit<TypeDefinition<I, never>, "output" | "handle"> & { handle(data: I, context: HandlerContext): unknown };
type OutputSide<O> = Pick<TypeDefinition<never, O>, "output" | "handle">;

/** A processor as its author wrote it. Give it to {@link serve} in a file of its own, or to a node for in-process use. */
export interface ProcessorDefinition<I = Record<string, unknown>, O = Record<string, unknown>> {
  readonly name: string;
  readonly concurrency: number;
  readonly types: ReadonlyMap<string, ResolvedType>;
  /** Carries the inferred payload types for typed clients; has no value. */
  readonly payloads?: { readonly input: I; readonly output: O };
}

export interface ResolvedType {
  readonly type: string;
  readonly version: string;
  readonly streaming: boolean;
  readonly definition: TypeDefinition<unknown, unknown>;
}

/** The payload types of a definition, for `typedClient<typeof definition>(node)`. */
export type PayloadsOf<D> = D extends ProcessorDefinition<infer I, infer O> ? { input: I; output: O } : never;

export const DEFAULT_CONCURRENCY = 64;

/**
 * Describes a processor. Pure: nothing starts.
 * @throws {MetanodeError} config.invalid – no types, a malformed type name, or a concurrency that is no positive integer.
 */
export function defineProcessor<I, O>(options: ProcessorOptions<I, O>): ProcessorDefinition<I, O> {
  const types = new Map<string, ResolvedType>();
  for (const [key, definition] of Object.entries(options.types) as [string, TypeDefinition<unknown, unknown>][]) {
    const { type, version } = parseTypeKey(key);
    types.set(typeKey(type, version), { type, version, streaming: isGenerator(definition.handle), definition });
  }
  if (types.size === 0) throw invalid(`processor ${options.name} has no types; give it at least one handler`);
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw invalid(`concurrency of processor ${options.name} is ${concurrency}, expected a whole number of 1 or more`);
  }
  return { name: options.name, concurrency, types };
}

/** Splits `order.price@2` into type and version; the version of a bare type is "1". */
export function parseTypeKey(key: string): { type: string; version: string } {
  const at = key.lastIndexOf("@");
  const type = at < 0 ? key : key.slice(0, at);
  const version = at < 0 ? "1" : key.slice(at + 1);
  if (!/^[^\s.*>@]+(\.[^\s.*>@]+)*$/.test(type) || version === "") {
    throw invalid(`${JSON.stringify(key)} is no message type; expected words joined by dots, and @version if there are several`);
  }
  return { type, version };
}

/** The one spelling of a type with its version. */
export function typeKey(type: string, version: string): string {
  return `${type}@${version}`;
}

function isGenerator(handle: unknown): boolean {
  return typeof handle === "function" && Object.prototype.toString.call(handle) === "[object AsyncGeneratorFunction]";
}

function invalid(message: string): MetanodeError {
  return new MetanodeError("config.invalid", message);
}
