import { systemClock } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import { CALL_MODE, type CallMode, type Hello, PROTOCOL_VERSION, type TypeDeclaration } from "../link/frames.ts";
import { greet } from "../link/handshake.ts";
import type { IncomingContext } from "../link/incoming.ts";
import { Session } from "../link/session.ts";
import { isAsyncIterable, isThenable } from "../message/answer.ts";
import { createMessage, type Message } from "../message/message.ts";
import {
  type HandlerContext,
  type OutgoingMessageOptions,
  type ProcessorDefinition,
  type ResolvedType,
  type Schema,
  typeKey,
} from "./author.ts";

/** What the processor was started with. */
export interface AttachOptions {
  /** The one-time secret; in-process mode has none. */
  secret?: string;
  /** The name that the host gave this process. */
  name: string;
  /** How long the node may take to answer the greeting. @default 10_000 */
  handshakeTimeoutMs?: number;
}

export interface AttachedProcessor {
  /** Settles when the link has ended: `undefined` after an orderly end. */
  readonly closed: Promise<MetanodeError | undefined>;
  /** Ends the link now. */
  close(): void;
}

/**
 * Joins a definition to its node over a channel: the same code serves a process of its own and in-process mode.
 * @throws {MetanodeError} what the node refused with.
 */
export async function attachProcessor(
  definition: ProcessorDefinition<never, never> | ProcessorDefinition,
  channel: Channel,
  options: AttachOptions,
): Promise<AttachedProcessor> {
  const hello: Hello = {
    versionMin: PROTOCOL_VERSION.min,
    versionMax: PROTOCOL_VERSION.max,
    name: options.name,
    types: await declarations(definition.types),
    concurrency: definition.concurrency,
    runtime: `node ${process.versions.node}`,
    pid: process.pid,
    ...(options.secret === undefined ? {} : { secret: options.secret }),
  };
  const wait = { clock: systemClock, timeoutMs: options.handshakeTimeoutMs ?? 10_000 };
  const { channel: open, greeting } = await greet(channel, hello, wait);
  let finish: (error?: MetanodeError) => void;
  const closed = new Promise<MetanodeError | undefined>((resolve) => {
    finish = resolve;
  });
  let draining = false;
  const drainedWhenIdle = (): void => {
    if (draining && session.incomingCalls === 0) session.drained();
  };
  const session: Session = new Session({
    channel: open,
    peer: greeting.node,
    concurrency: greeting.concurrency,
    lostCode: "node.unreachable",
    handler: (message, context) => handle(definition.types, new NodeContext(session, definition.name, message, context)),
    onIdle: drainedWhenIdle,
    onDrain: () => {
      draining = true;
      drainedWhenIdle();
    },
    onClosed: (error) => finish(error),
  });
  return { closed, close: () => session.close() };
}

function handle(types: ReadonlyMap<string, ResolvedType>, context: NodeContext): unknown {
  const { message } = context;
  const resolved = types.get(typeKey(message.type, message.typeversion ?? "1"));
  if (resolved === undefined) {
    throw coreError(
      "message.unknown_type",
      `this processor does not handle ${message.type} version ${message.typeversion ?? "1"}`,
    );
  }
  const { definition } = resolved;
  const input = check(definition.input, message.data, "message.schema", message.type);
  const answer = definition.handle(input, context);
  if (definition.output === undefined || !isZod(definition.output)) return answer;
  const checkOutput = (value: unknown): unknown => check(definition.output, value, "processor.failed", message.type);
  if (isAsyncIterable(answer)) return mapStream(answer, checkOutput);
  return isThenable(answer) ? answer.then(checkOutput) : checkOutput(answer);
}

async function* mapStream(source: AsyncIterable<unknown>, change: (value: unknown) => unknown): AsyncGenerator<unknown> {
  for await (const value of source) yield change(value);
}

interface ZodLike {
  safeParse(value: unknown): { success: true; data: unknown } | { success: false; error: { issues: ZodIssue[] } };
}
interface ZodIssue {
  path: PropertyKey[];
  message: string;
}

function isZod(schema: unknown): schema is ZodLike {
  return typeof schema === "object" && schema !== null && "_zod" in schema;
}

function check(
  schema: Schema<unknown> | undefined,
  value: unknown,
  code: "message.schema" | "processor.failed",
  type: string,
): unknown {
  if (schema === undefined || !isZod(schema)) return value;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = `/${(issue?.path ?? []).map(String).join("/")}`;
  const what = code === "message.schema" ? `the payload of ${type}` : `the handler's answer to ${type}`;
  throw coreError(code, `${what} does not fit its schema at ${path}: ${issue?.message}`, {
    details: { path, issues: result.error.issues },
  });
}

async function declarations(types: ReadonlyMap<string, ResolvedType>): Promise<TypeDeclaration[]> {
  const declared: TypeDeclaration[] = [];
  for (const { type, version, streaming, definition } of types.values()) {
    declared.push({
      type,
      version,
      streaming,
      ordered: definition.ordered ?? false,
      description: definition.description ?? "",
      inputSchema: await schemaText(definition.input, "input"),
      outputSchema: await schemaText(definition.output, "output"),
    });
  }
  return declared;
}

async function schemaText(schema: Schema<unknown> | undefined, io: "input" | "output"): Promise<string> {
  if (schema === undefined) return "";
  if (!isZod(schema)) return JSON.stringify(schema);
  // Loaded only by processors that use it; a Zod schema means that the author's file has loaded it already.
  const { z } = await import("zod");
  return JSON.stringify(z.toJSONSchema(schema as never, { io, unrepresentable: "any" }));
}

/** The {@link HandlerContext} of one call. */
class NodeContext implements HandlerContext {
  readonly #session: Session;
  readonly #context: IncomingContext;
  readonly #source: string;
  readonly message: Message;

  constructor(session: Session, name: string, message: Message, context: IncomingContext) {
    this.#session = session;
    this.#source = `/processors/${name}`;
    this.message = message;
    this.#context = context;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get attempt(): number {
    return this.#context.attempt;
  }

  get timeLeftMs(): number {
    const { deadlineMs } = this.#context;
    return deadlineMs === Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Math.max(0, deadlineMs - systemClock.now());
  }

  // Handlers take what they need out of their context, so these work without it; made when they are asked for, as few handlers do.

  get call(): HandlerContext["call"] {
    return (type, data, options) => this.#send(CALL_MODE.unary, this.#message(type, data, options), options);
  }

  get stream(): HandlerContext["stream"] {
    return (type, data, options) => this.#session.stream(this.#message(type, data, options), this.#deadline(options));
  }

  get cast(): HandlerContext["cast"] {
    return async (type, data, options) => {
      await this.#send(CALL_MODE.cast, this.#message(type, data, options), options);
    };
  }

  get send(): HandlerContext["send"] {
    return async (type, data, options) => {
      await this.#send(CALL_MODE.send, this.#message(type, data, options), options);
    };
  }

  #send(mode: CallMode, message: Message, options?: OutgoingMessageOptions): Promise<unknown> {
    return this.#session.call(message, this.#deadline(options), mode);
  }

  /** The new message belongs to the same trace and has passed the same hops. */
  #message(type: string, data: unknown, options: OutgoingMessageOptions = {}): Message {
    const { traceparent, tracestate, hops } = this.message;
    const { timeoutMs: _, ...attributes } = options;
    return createMessage({ type, data, traceparent, tracestate, hops, ...attributes }, this.#source);
  }

  #deadline(options: OutgoingMessageOptions = {}): { deadlineMs: number; signal: AbortSignal } {
    const own = options.timeoutMs === undefined ? Number.MAX_SAFE_INTEGER : systemClock.now() + options.timeoutMs;
    return { deadlineMs: Math.min(own, this.#context.deadlineMs), signal: this.#context.signal };
  }
}
