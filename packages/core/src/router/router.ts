import { type Clock, systemClock } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { limited } from "../member/limited.ts";
import type { CallContext, Member } from "../member/member.ts";
import { ordered } from "../member/ordered.ts";
import { timed } from "../member/timed.ts";
import { createMessage, DEFAULT_HOP_LIMIT, type Message, type MessageInit } from "../message/message.ts";
import { comparePatterns, isPattern, matchesPattern, parsePattern, type TypePattern } from "./pattern.ts";
import { compileSchema, type PayloadCheck } from "./schema.ts";

/*
 * The router is selection by type: it finds the member for a message, checks the payload, and hands it over.
 *
 * R1. An exact type comes before every pattern; of patterns, the more exact comes first.
 * R2. A message that names a version goes to that version; one that names none goes to the oldest, so that what an old
 *     sender gets never changes under it.
 * R3. Every call ends by its deadline, whatever the member does; the caller's own deadline is never extended.
 */

export interface Route {
  /** A type, or a pattern of types (`order.*`, `order.>`). */
  type: string;
  /** @default "1" */
  version?: string;
  member: Member;
  /** JSON Schema (2020-12) of the payload; checked before the member sees the message. */
  inputSchema?: unknown;
  outputSchema?: unknown;
  description?: string;
  /** The member answers this type with a stream. */
  streaming?: boolean;
  /** Keep the order per subject. */
  ordered?: boolean;
  /** Messages of this type in flight at a time; more are refused with `call.resource_exhausted`. @default no limit */
  maxInFlight?: number;
}

export interface CallOptions {
  /** From now. The message's own deadline, if earlier, holds. @default the router's, 30_000 */
  timeoutMs?: number;
  /** Withdraws the call when aborted. */
  signal?: AbortSignal;
}

/** What became of a durable send. */
export interface Accepted {
  readonly id: string;
  /** Position in the log. */
  readonly sequence: number;
  /** The same id (or idempotency key) was accepted before; this one changes nothing. */
  readonly duplicate: boolean;
}

/** Watches every dispatch; the node's metrics and traces. All of it is optional and synchronous. */
export interface RouterObserver {
  /** Before the member is called. May return the message to go on with (a new trace context). */
  begin(message: Message, route: RouteInfo): { message: Message; end(error?: unknown): void };
}

export interface RouterOptions {
  /** The source of messages that name none: a URI reference. */
  source: string;
  clock?: Clock;
  /** @default 30_000 */
  defaultTimeoutMs?: number;
  /** Hops after which a message is refused with `call.hop_limit`. @default 128 */
  hopLimit?: number;
  observer?: RouterObserver;
  /** Makes a trace for a message that has none. Absent where the observer does so. */
  newTraceparent?: (() => string) | undefined;
  /** Stores a message for a route durably; absent where the node has no log. */
  accept?: (message: Message, route: RouteInfo) => Promise<Accepted>;
  /** A cast that came to nothing has no caller to tell. */
  onCastError?: (message: Message, error: unknown) => void;
}

/** A registered route, for people and for the durable dispatcher. */
export interface RouteInfo {
  readonly type: string;
  readonly version: string;
  readonly memberId: string;
  readonly description: string;
  readonly streaming: boolean;
  readonly ordered: boolean;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
}

export interface Registration {
  /** Takes the route out; calls under way go on. Idempotent. */
  remove(): void;
}

class Entry implements RouteInfo {
  readonly type: string;
  readonly version: string;
  readonly description: string;
  readonly streaming: boolean;
  readonly ordered: boolean;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly member: Member;
  readonly check: PayloadCheck | undefined;
  /** It sends messages on as they are: whoever handles them checks payload and version. */
  readonly isForward: boolean;

  constructor(route: Route, clock: Clock, isForward = false) {
    this.isForward = isForward;
    this.type = route.type;
    this.version = route.version || "1";
    this.description = route.description ?? "";
    this.streaming = route.streaming ?? false;
    this.ordered = route.ordered ?? false;
    this.inputSchema = route.inputSchema;
    this.outputSchema = route.outputSchema;
    this.check = route.inputSchema === undefined ? undefined : compileSchema(route.type, route.inputSchema);
    const inTime = timed(route.member, clock);
    const inOrder = this.ordered ? ordered(inTime) : inTime;
    this.member = route.maxInFlight === undefined ? inOrder : limited(inOrder, route.maxInFlight);
  }

  get memberId(): string {
    return this.member.id;
  }
}

/** All versions of one type or pattern; the oldest first. */
type Versions = Entry[];

/** Types remembered as matching a pattern; forgotten as a whole when full or when a route changes. */
const MATCH_CACHE_SIZE = 10_000;

/** Sends on what this node does not handle itself. */
export interface Forwarder {
  /** Where a message goes that is for another node; undefined if it is for this one. @throws {MetanodeError} for nobody */
  away(message: Message): Member | undefined;
  /** Who handles a type that this node has no route for; undefined if nobody does. */
  elsewhere(type: string, version: string | undefined): Member | undefined;
}

/** Refuses by throwing. */
export type Guard = (message: Message, route: RouteInfo) => void;

/** The name of the extension attribute that says which node a message is for: its path in the tree, or its id. */
export const TARGET = "target";

export class Router {
  readonly clock: Clock;
  readonly #options: RouterOptions;
  readonly #defaultTimeoutMs: number;
  readonly #hopLimit: number;
  readonly #exact = new Map<string, Versions>();
  #patterns: { pattern: TypePattern; versions: Versions }[] = [];
  readonly #matches = new Map<string, Versions>();
  readonly #forwards = new WeakMap<Member, Entry>();
  #forwarder: Forwarder | undefined;
  #guard: Guard | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.#defaultTimeoutMs = options.defaultTimeoutMs ?? 30_000;
    this.#hopLimit = options.hopLimit ?? DEFAULT_HOP_LIMIT;
  }

  /**
   * Adds a route; messages find it from the next one on.
   * @throws {MetanodeError} state.conflict – the same type and version is taken; config.invalid – pattern or schema.
   */
  register(route: Route): Registration {
    const entry = new Entry(route, this.clock);
    const versions = this.#versionsOf(route.type);
    if (versions.some((one) => one.version === entry.version)) {
      throw coreError(
        "state.conflict",
        `${entry.type} version ${entry.version} is handled by ${this.find(entry.type, entry.version)?.memberId} already`,
        {
          retryable: false,
          details: { type: entry.type, version: entry.version },
        },
      );
    }
    versions.push(entry);
    versions.sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
    this.#changed();
    return { remove: () => this.#remove(entry) };
  }

  /** Sets who sends messages on to other nodes. */
  forwardBy(forwarder: Forwarder): void {
    this.#forwarder = forwarder;
  }

  /** Sets who may refuse what this node would handle itself, by throwing; undefined lets everything pass. */
  guardBy(guard: Guard | undefined): void {
    this.#guard = guard;
  }

  /** Calls back after every change of the routes. */
  onRoutes(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** The member behind a route. */
  memberOf(route: RouteInfo): Member {
    return (route as Entry).member;
  }

  /** Every route, by type, then version. */
  routes(): RouteInfo[] {
    const all = [...this.#exact.values(), ...this.#patterns.map(({ versions }) => versions)].flat();
    return all.sort((a, b) =>
      a.type === b.type ? a.version.localeCompare(b.version, "en", { numeric: true }) : a.type < b.type ? -1 : 1,
    );
  }

  /** The route that is registered under exactly this type or pattern. */
  find(type: string, version?: string): RouteInfo | undefined {
    const versions = isPattern(type)
      ? this.#patterns.find(({ pattern }) => pattern.text === type)?.versions
      : this.#exact.get(type);
    return version === undefined ? versions?.[0] : versions?.find((one) => one.version === version);
  }

  /**
   * Sends a message and waits for the answer: exactly one value or one typed error, by the deadline (R3).
   * A streamed type answers with the array of its items.
   * @throws {MetanodeError} message.unknown_type, message.schema, message.invalid, call.hop_limit, and the member's own.
   */
  call(init: MessageInit, options: CallOptions = {}): Promise<unknown> {
    // Not an async function: that would put a promise of its own around the member's, for every message.
    try {
      const { entry, message } = this.#prepare(init);
      const answer = this.dispatch(entry, message, this.#context(message, options));
      return answer instanceof Promise ? answer : Promise.resolve(answer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same with a streamed answer; a plain type streams its one value. */
  async *stream(init: MessageInit, options: CallOptions = {}): AsyncGenerator<unknown> {
    const { entry, message: prepared } = this.#prepare(init);
    const observed = this.#options.observer?.begin(prepared, entry);
    const message = observed?.message ?? prepared;
    const context = this.#context(message, options);
    let failure: unknown;
    try {
      if (entry.member.stream === undefined) yield await entry.member.call(message, context);
      else yield* entry.member.stream(message, context);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      observed?.end(failure);
    }
  }

  /**
   * One way, at most once. Returns when the message was handed over, not when it was handled.
   * @throws {MetanodeError} as `call`, as far as it is known at once.
   */
  cast(init: MessageInit, options: CallOptions = {}): Message {
    const { entry, message } = this.#prepare(init);
    const answer = this.dispatch(entry, message, this.#context(message, options));
    if (answer instanceof Promise) answer.catch((error: unknown) => this.#options.onCastError?.(message, error));
    return message;
  }

  /**
   * One way, at least once: resolves when the message is stored durably.
   * @throws {MetanodeError} as `call` for what can be checked now; log.full, log.storage; call.unsupported – no log.
   */
  async send(init: MessageInit): Promise<Accepted> {
    const { entry, message } = this.#prepare(init);
    if (this.#options.accept === undefined)
      throw coreError("call.unsupported", "this node has no log, so nothing can be sent durably");
    return this.#options.accept(message, entry);
  }

  /** Hands a message to a route that was found before. For {@link call} and for the durable dispatcher. */
  dispatch(route: RouteInfo, prepared: Message, context: CallContext): unknown {
    const { member } = route as Entry;
    const { observer } = this.#options;
    if (observer === undefined) return member.call(prepared, context);
    const { message, end } = observer.begin(prepared, route);
    try {
      const answer = member.call(message, context);
      if (!(answer instanceof Promise)) {
        end();
        return answer;
      }
      return answer.then(
        (value) => {
          end();
          return value;
        },
        (error: unknown) => {
          end(error);
          throw error;
        },
      );
    } catch (error) {
      end(error);
      throw error;
    }
  }

  /** Finds the route of a message that was accepted earlier. @throws {MetanodeError} message.unknown_type */
  resolve(message: Message): RouteInfo {
    const away = message.extensions?.[TARGET] === undefined ? undefined : this.#away(message);
    if (away !== undefined) return away;
    return this.#resolve(message.type, message.typeversion);
  }

  #prepare(init: MessageInit): { entry: Entry; message: Message } {
    const made = createMessage(init, this.#options.source);
    // The message is still ours alone: setting the field spares a copy of the whole on the hot path.
    if (made.traceparent === undefined && this.#options.newTraceparent) {
      (made as { traceparent?: string }).traceparent = this.#options.newTraceparent();
    }
    if ((made.hops ?? 0) > this.#hopLimit) throw this.#tooManyHops(made);
    if (made.extensions?.[TARGET] !== undefined) {
      const away = this.#away(made);
      if (away !== undefined) return { entry: away, message: made };
      (made as { extensions?: Message["extensions"] }).extensions = withoutTarget(made.extensions);
    }
    const entry = this.#resolve(made.type, made.typeversion);
    if (entry.isForward) return { entry, message: made };
    this.#guard?.(made, entry);
    entry.check?.(made.data);
    const isStamped = made.typeversion === entry.version || (made.typeversion === undefined && entry.version === "1");
    return { entry, message: isStamped ? made : { ...made, typeversion: entry.version } };
  }

  /** The entry of whoever takes a message to another node. @throws {MetanodeError} resource.not_found, tree.moved */
  #away(message: Message): Entry | undefined {
    if (this.#forwarder === undefined) {
      const target = String(message.extensions?.[TARGET]);
      throw coreError("resource.not_found", `node ${target} is not found: this node is in no tree`, { details: { target } });
    }
    const member = this.#forwarder.away(message);
    return member === undefined ? undefined : this.#forward(member);
  }

  #context(message: Message, options: CallOptions): CallContext {
    const nowMs = this.clock.now();
    const limitMs = nowMs + (options.timeoutMs ?? this.#defaultTimeoutMs);
    const own = message.deadline;
    return {
      // A caller with an explicit deadline of its own may wait longer than the default, never longer than it said.
      deadlineMs: own === undefined ? limitMs : options.timeoutMs === undefined ? own : Math.min(own, limitMs),
      signal: options.signal,
    };
  }

  #tooManyHops(message: Message): MetanodeError {
    return coreError(
      "call.hop_limit",
      `message ${message.id} of type ${message.type} has passed ${message.hops} hops, the limit is ${this.#hopLimit}; look for members that hand it to each other in a circle`,
      {
        details: { id: message.id, type: message.type, limit: this.#hopLimit },
      },
    );
  }

  #resolve(type: string, version: string | undefined): Entry {
    const versions = this.#exact.get(type) ?? this.#match(type);
    const [oldest] = versions;
    const entry = version === undefined ? oldest : versions.find((one) => one.version === version);
    if (entry !== undefined) return entry;
    const elsewhere = this.#forwarder?.elsewhere(type, version);
    if (elsewhere !== undefined) return this.#forward(elsewhere);
    if (oldest === undefined) {
      throw coreError(
        "message.unknown_type",
        `nobody on this node handles messages of type ${type}; \`metanode types\` lists what it handles`,
        {
          details: { type },
        },
      );
    }
    throw coreError(
      "message.unknown_type",
      `${type} has no version ${version}; it has ${versions.map((one) => one.version).join(", ")}`,
      {
        details: { type, version, versions: versions.map((one) => one.version) },
      },
    );
  }

  /** The entry of a member that is no route of this node's. */
  #forward(member: Member): Entry {
    let entry = this.#forwards.get(member);
    if (entry === undefined) {
      entry = new Entry({ type: ">", member, streaming: true }, this.clock, true);
      this.#forwards.set(member, entry);
    }
    return entry;
  }

  #match(type: string): Versions {
    const known = this.#matches.get(type);
    if (known !== undefined) return known;
    const found = this.#patterns.find(({ pattern }) => matchesPattern(pattern, type))?.versions ?? [];
    if (this.#matches.size >= MATCH_CACHE_SIZE) this.#matches.clear();
    if (found.length > 0) this.#matches.set(type, found);
    return found;
  }

  #versionsOf(type: string): Versions {
    if (!isPattern(type)) {
      parsePattern(type);
      const found = this.#exact.get(type) ?? [];
      this.#exact.set(type, found);
      return found;
    }
    const existing = this.#patterns.find(({ pattern }) => pattern.text === type);
    if (existing) return existing.versions;
    const added = { pattern: parsePattern(type), versions: [] };
    this.#patterns.push(added);
    this.#patterns.sort((a, b) => comparePatterns(a.pattern, b.pattern));
    return added.versions;
  }

  #remove(entry: Entry): void {
    const versions = isPattern(entry.type)
      ? this.#patterns.find(({ pattern }) => pattern.text === entry.type)?.versions
      : this.#exact.get(entry.type);
    const index = versions?.indexOf(entry) ?? -1;
    if (versions === undefined || index < 0) return;
    versions.splice(index, 1);
    if (versions.length === 0) {
      this.#exact.delete(entry.type);
      this.#patterns = this.#patterns.filter(({ pattern }) => pattern.text !== entry.type);
    }
    this.#changed();
  }

  #changed(): void {
    this.#matches.clear();
    for (const listener of this.#listeners) listener();
  }
}

function withoutTarget(extensions: NonNullable<Message["extensions"]>): Message["extensions"] {
  const { [TARGET]: _target, ...rest } = extensions;
  return Object.keys(rest).length === 0 ? undefined : rest;
}
