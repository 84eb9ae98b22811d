import { DeadlineQueue, Expiring } from "../clock.ts";
import { codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { Hello, TypeDeclaration } from "../link/frames.ts";
import type { CallHandler } from "../link/incoming.ts";
import { cancelled } from "../link/outgoing.ts";
import type { Choose } from "../member/choose.ts";
import type { CallContext, Member, MemberState } from "../member/member.ts";
import { one } from "../member/select.ts";
import { gather } from "../message/answer.ts";
import type { Message } from "../message/message.ts";
import { typeKey } from "./author.ts";
import { FairQueue } from "./fair-queue.ts";
import type { LaunchContext } from "./launch.ts";
import type { ResolvedProcessorSpec } from "./options.ts";
import { Pace } from "./pace.ts";
import { Slot, type SlotEvent, type SlotInfo } from "./slot.ts";

/*
 * A pool: the processes of one processor, as one member.
 *
 * Q1. A call goes to the least busy process that has credit; without one it waits, at most `maxQueued` of them.
 * Q2. Waiting calls of different types take turns, and where a pool has several types none holds more than its share of
 *     the credit, for what is taken cannot be taken back: a slow type cannot starve another.
 * Q3. A call that waits is refused with processor.down as soon as no process can come any more, and at its deadline.
 * Q4. Replacing starts the new processes first; the old ones finish what they have.
 * Q5. A call that would wait until its time is nearly up is refused when it comes, with call.resource_exhausted, and so is one that
 *     did wait so long while others wait behind it: what is asked beyond what can be done takes nothing from what is done.
 */

export interface PoolOptions {
  readonly spec: ResolvedProcessorSpec;
  readonly context: LaunchContext;
  readonly handler: CallHandler;
  readonly maxMessageBytes: number;
  readonly random: () => number;
  /** The pool's processes declared these types; called for the first and whenever they change. */
  readonly onTypes: (types: readonly TypeDeclaration[]) => void;
  readonly onEvent: (event: SlotEvent) => void;
}

export interface PoolInfo {
  readonly name: string;
  readonly state: MemberState;
  readonly command: readonly string[];
  readonly types: readonly { type: string; version: string; streaming: boolean; ordered: boolean; description: string }[];
  readonly queued: number;
  readonly inFlight: number;
  readonly processes: readonly SlotInfo[];
}

/** The part of all credit that one of several types may hold. */
const TYPE_SHARE = 0.75;
/** The part of its time after which a call has to be answered by all that is known (Q5); the rest is for what is not known. */
const TIME_SHARE = 0.75;
/** Less left than so many times what a call takes is too little, once a call is late. */
const SERVICE_MARGIN = 4;
const ADVICE = "send more slowly, or add processes";
/** For whoever was refused because too many wait. */
const RETRY_AFTER_MS = 1_000;

class Waiting extends Expiring {
  readonly message: Message;
  readonly context: CallContext;
  readonly lane: string;
  /** When it began to wait. */
  readonly sinceMs: number;
  readonly #pool: Pool;
  /** Begins the call on the process that came free. */
  readonly begin: (slot: Slot) => void;
  readonly reject: (error: MetanodeError) => void;
  onAbort: (() => void) | undefined;

  constructor(pool: Pool, call: Pick<Waiting, "message" | "context" | "sinceMs" | "begin" | "reject">) {
    super();
    this.#pool = pool;
    this.lane = call.message.type;
    this.message = call.message;
    this.sinceMs = call.sinceMs;
    this.context = call.context;
    this.begin = call.begin;
    this.reject = call.reject;
  }

  expire(): void {
    this.#pool.expired(this);
  }
}

const NOBODY: readonly Member[] = [];

export class Pool implements Member {
  readonly id: string;
  readonly keepsDeadlines = true;
  readonly #select: Choose;
  #options: PoolOptions;
  #slots: Slot[] = [];
  #types = new Map<string, TypeDeclaration>();
  readonly #queue = new FairQueue<Waiting>();
  readonly #paces = new Map<string, Pace>();
  readonly #deadlines: DeadlineQueue;
  readonly #typeInFlight = new Map<string, number>();
  #draining = false;
  #onQueueEmpty: (() => void) | undefined;
  #nextIndex = 0;

  constructor(options: PoolOptions) {
    this.id = options.spec.name;
    this.#options = options;
    this.#select = one.byLoad().begin(options.random);
    this.#deadlines = new DeadlineQueue(options.context.clock);
  }

  get state(): MemberState {
    if (this.#draining) return "draining";
    return this.#slots.some((slot) => slot.slotState === "ready") ? "ready" : "down";
  }

  get inFlight(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.inFlight, 0) + this.#queue.size;
  }

  get spec(): ResolvedProcessorSpec {
    return this.#options.spec;
  }

  get types(): readonly TypeDeclaration[] {
    return [...this.#types.values()];
  }

  get info(): PoolInfo {
    return {
      name: this.id,
      state: this.state,
      command: this.spec.command,
      types: this.types.map(({ type, version, streaming, ordered, description }) => ({
        type,
        version: version || "1",
        streaming: streaming ?? false,
        ordered: ordered ?? false,
        description: description ?? "",
      })),
      queued: this.#queue.size,
      inFlight: this.inFlight,
      processes: this.#slots.map((slot) => slot.info),
    };
  }

  /** Starts every process. Rejects with the first failure; the processes are tried again all the same. */
  async start(): Promise<void> {
    await this.scale(this.spec.processes);
  }

  /** Brings the pool to `count` processes. Those that go finish their calls first. */
  async scale(count: number): Promise<void> {
    const added: Slot[] = [];
    while (this.#slots.length + added.length < count) added.push(this.#createSlot(this.#options));
    this.#slots.push(...added);
    const surplus = this.#slots.splice(count);
    await Promise.all([...added.map((slot) => slot.start()), ...surplus.map((slot) => slot.stop(this.spec.drainTimeoutMs))]);
  }

  /** Ends and restarts every process, one after the other, each with its calls finished. Lifts a quarantine. */
  async restart(): Promise<void> {
    for (const slot of this.#slots) {
      await slot.stop(this.spec.drainTimeoutMs);
      await slot.start();
    }
  }

  /**
   * Puts new processes in the place of the old ones without a gap (Q4).
   * @throws {MetanodeError} processor.start – the new ones do not come up; then the old ones stay.
   */
  async replace(spec: ResolvedProcessorSpec): Promise<void> {
    const options = { ...this.#options, spec };
    const fresh = Array.from({ length: spec.processes }, () => this.#createSlot(options));
    try {
      await Promise.all(fresh.map((slot) => slot.start()));
    } catch (error) {
      await Promise.all(fresh.map((slot) => slot.stop(0)));
      throw error;
    }
    const old = this.#slots;
    this.#slots = fresh;
    this.#options = options;
    const hello = fresh[0]?.hello;
    if (hello) this.#declare(hello.types);
    this.#dispatch();
    await Promise.all(old.map((slot) => slot.stop(spec.drainTimeoutMs)));
  }

  /** Takes nothing new, finishes what it has for at most the drain timeout, ends every process. */
  async stop(graceMs: number = this.spec.drainTimeoutMs): Promise<void> {
    this.#draining = true;
    const { clock } = this.#options.context;
    const deadlineMs = clock.now() + graceMs;
    if (this.#queue.size > 0 && this.#canCome()) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(graceMs, resolve);
        this.#onQueueEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#refuseWaiting("the pool was stopped");
    await Promise.all(this.#slots.map((slot) => slot.stop(Math.max(0, deadlineMs - clock.now()))));
  }

  call(message: Message, context: CallContext): unknown {
    const declared = this.#types.get(typeKey(message.type, message.typeversion ?? "1"));
    if (declared?.streaming) return gather(this.stream(message, context));
    const slot = this.#choose(message);
    if (slot !== undefined) return this.#count(message, slot.call(message, context));
    return this.#wait(message, context, (free) => {
      const answer = this.#count(message, free.call(message, context));
      const ended = this.#paced(message.type);
      answer.then(() => ended(), ended);
      return answer;
    });
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<unknown> {
    const declared = this.#types.get(typeKey(message.type, message.typeversion ?? "1"));
    if (declared !== undefined && !declared.streaming) {
      yield await this.call(message, context);
      return;
    }
    const open = (slot: Slot): { items: AsyncIterable<unknown> } => {
      this.#enter(message.type);
      return { items: slot.stream(message, context) };
    };
    const slot = this.#choose(message);
    const { items } = slot === undefined ? await this.#wait(message, context, open) : open(slot);
    const ended = slot === undefined ? this.#paced(message.type) : undefined;
    try {
      yield* items;
    } finally {
      ended?.();
      this.#leave(message.type);
    }
  }

  /** A call that had waited begins; to be called when it is over. */
  #paced(type: string): (error?: unknown) => void {
    const { clock } = this.#options.context;
    const startMs = clock.now();
    return (error) => {
      const code = error === undefined ? undefined : codeOf(error);
      const nowMs = clock.now();
      this.#paces.get(type)?.ended(nowMs, nowMs - startMs, code !== "call.deadline" && code !== "call.cancelled");
    };
  }

  /** The least busy process with credit, if the call need not wait behind others. */
  #choose(message: Message): Slot | undefined {
    if (this.#draining) throw coreError("processor.down", `processor ${this.id} is being stopped`, { origin: [this.id] });
    if (this.#queue.size > 0 || !this.#mayGo(message.type)) return undefined;
    return this.#select(this.#slots, message, NOBODY) as Slot | undefined;
  }

  #wait<T>(message: Message, context: CallContext, begin: (slot: Slot) => T | Promise<T>): Promise<T> {
    if (!this.#canCome()) return Promise.reject(this.#downError());
    const refusal = this.#refusal(message, context);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const { signal } = context;
      if (signal?.aborted) {
        reject(cancelled(signal));
        return;
      }
      const waiting = new Waiting(this, {
        message,
        context,
        sinceMs: this.#options.context.clock.now(),
        begin: (slot) => resolve(begin(slot)),
        reject,
      });
      if (context.deadlineMs < Number.MAX_SAFE_INTEGER) this.#deadlines.add(waiting, context.deadlineMs);
      if (signal) {
        waiting.onAbort = () => this.#refuse(waiting, cancelled(signal));
        signal.addEventListener("abort", waiting.onAbort, { once: true });
      }
      if (this.#queue.sizeOf(waiting.lane) === 0) this.#paceOf(waiting.lane).begin(waiting.sinceMs);
      this.#queue.push(waiting.lane, waiting);
      // There may be credit that those before it are not allowed to take: their type holds its share already (Q2).
      this.#dispatch();
    });
  }

  /** Why a call may not wait (Q1, Q5). */
  #refusal({ type }: Message, { deadlineMs }: CallContext): MetanodeError | undefined {
    const { maxQueued } = this.spec;
    const queued = this.#queue.size;
    if (queued >= maxQueued) {
      return coreError("call.resource_exhausted", `${maxQueued} messages wait for processor ${this.id} already; ${ADVICE}`, {
        retryAfterMs: RETRY_AFTER_MS,
        details: { processor: this.id, queued, limit: maxQueued },
      });
    }
    const ahead = this.#queue.sizeOf(type);
    if (ahead === 0 || deadlineMs >= Number.MAX_SAFE_INTEGER) return undefined;
    const nowMs = this.#options.context.clock.now();
    const answerMs = this.#paces.get(type)?.answerMs(ahead, nowMs);
    const leftMs = deadlineMs - nowMs;
    if (answerMs === undefined || answerMs <= leftMs * TIME_SHARE) return undefined;
    const when = Number.isFinite(answerMs) ? `in some ${Math.ceil(answerMs)} ms` : "too late";
    return coreError(
      "call.resource_exhausted",
      `${queued} messages wait for processor ${this.id}; this one would be answered ${when} and has ${Math.ceil(leftMs)} ms left; ${ADVICE}`,
      { retryAfterMs: RETRY_AFTER_MS, details: { processor: this.id, queued, limit: maxQueued } },
    );
  }

  /** Why a call that has waited had better make room for those behind it, who have more time left (Q5). */
  #lateness({ lane, sinceMs, context, message }: Waiting): MetanodeError | undefined {
    const { deadlineMs } = context;
    if (deadlineMs >= Number.MAX_SAFE_INTEGER || this.#queue.sizeOf(lane) === 0) return undefined;
    const leftMs = deadlineMs - this.#options.context.clock.now();
    const isLate = leftMs < (deadlineMs - sinceMs) * (1 - TIME_SHARE);
    const serviceMs = this.#paces.get(lane)?.serviceMs ?? 0;
    if (!isLate || leftMs >= serviceMs * SERVICE_MARGIN) return undefined;
    return coreError(
      "call.resource_exhausted",
      `message ${message.id} (${lane}) waited for processor ${this.id} until it had ${Math.ceil(leftMs)} ms left, and such messages take some ${Math.ceil(serviceMs)} ms; ${ADVICE}`,
      { retryAfterMs: RETRY_AFTER_MS, origin: [this.id], details: { processor: this.id, dispatched: false } },
    );
  }

  #paceOf(type: string): Pace {
    let pace = this.#paces.get(type);
    if (pace === undefined) {
      pace = new Pace();
      this.#paces.set(type, pace);
    }
    return pace;
  }

  /** Called by a waiting call whose time is up. */
  expired(waiting: Waiting): void {
    const error =
      this.state === "down"
        ? this.#downError()
        : coreError(
            "call.deadline",
            `every process of ${this.id} was busy until the deadline of message ${waiting.message.id} (${waiting.message.type})`,
            { origin: [this.id], details: { processor: this.id, dispatched: false } },
          );
    this.#refuse(waiting, error);
  }

  #refuse(waiting: Waiting, error: MetanodeError): void {
    if (!this.#queue.remove(waiting.lane, waiting)) return;
    this.#forget(waiting);
    waiting.reject(error);
  }

  #forget(waiting: Waiting): void {
    DeadlineQueue.remove(waiting);
    if (waiting.onAbort) waiting.context.signal?.removeEventListener("abort", waiting.onAbort);
    if (this.#queue.size === 0) this.#onQueueEmpty?.();
  }

  #refuseWaiting(why: string): void {
    for (const waiting of this.#queue.clear()) {
      this.#forget(waiting);
      waiting.reject(coreError("processor.down", `processor ${this.id} cannot answer: ${why}`, { origin: [this.id] }));
    }
  }

  /** Whether a process is there or on its way. */
  #canCome(): boolean {
    return this.#slots.some(({ slotState }) => slotState !== "quarantined" && slotState !== "stopped");
  }

  #downError(): MetanodeError {
    const last = this.#slots.find((slot) => slot.lastError)?.lastError;
    const states = this.#slots.map((slot) => slot.slotState).join(", ");
    return coreError(
      "processor.down",
      `no process of ${this.id} is ready (${states || "none"})${last ? `; the last error: ${last.message}` : ""}`,
      {
        retryAfterMs: 1_000,
        origin: [this.id],
        // Nothing was handed to a handler: whoever keeps the message may try again without counting an attempt.
        details: { processor: this.id, dispatched: false },
        cause: last,
      },
    );
  }

  #dispatch(): void {
    while (this.#queue.size > 0) {
      if (!this.#slots.some((slot) => slot.state === "ready")) break;
      const waiting = this.#queue.shift((lane) => this.#mayGo(lane));
      if (waiting === undefined) break;
      this.#forget(waiting);
      const late = this.#lateness(waiting);
      if (late === undefined) waiting.begin(this.#select(this.#slots, waiting.message, NOBODY) as Slot);
      else waiting.reject(late);
    }
    if (this.#queue.size > 0 && !this.#canCome()) this.#refuseWaiting(this.#downError().message);
  }

  #mayGo(type: string): boolean {
    if (this.#types.size <= 1) return true;
    const held = this.#typeInFlight.get(type) ?? 0;
    if (held === 0) return true;
    const capacity = this.#slots.reduce((sum, slot) => sum + Math.max(0, slot.credit) + slot.inFlight, 0);
    return held < Math.max(1, Math.floor(capacity * TYPE_SHARE));
  }

  /** Keeps count of what each type holds; only where there are several types to be fair to. */
  #count(message: Message, answer: Promise<unknown>): Promise<unknown> {
    if (this.#types.size <= 1) return answer;
    this.#enter(message.type);
    const leave = (): void => this.#leave(message.type);
    answer.then(leave, leave);
    return answer;
  }

  #enter(type: string): void {
    this.#typeInFlight.set(type, (this.#typeInFlight.get(type) ?? 0) + 1);
  }

  #leave(type: string): void {
    const held = (this.#typeInFlight.get(type) ?? 1) - 1;
    if (held === 0) this.#typeInFlight.delete(type);
    else this.#typeInFlight.set(type, held);
    this.#dispatch();
  }

  #createSlot(options: PoolOptions): Slot {
    const id = `${this.id}.${this.#nextIndex++}`;
    const slot: Slot = new Slot({
      spec: options.spec,
      id,
      context: options.context,
      handler: options.handler,
      maxMessageBytes: options.maxMessageBytes,
      random: options.random,
      events: {
        onReady: (hello) => this.#onReady(slot, hello),
        onChange: () => this.#dispatch(),
        onEvent: options.onEvent,
      },
    });
    return slot;
  }

  #onReady(slot: Slot, hello: Hello): void {
    // A process that is to replace others speaks for the pool only when it has taken their place.
    if (this.#slots.includes(slot)) this.#declare(hello.types);
  }

  #declare(types: readonly TypeDeclaration[]): void {
    const declared = new Map(types.map((one) => [typeKey(one.type, one.version || "1"), one]));
    if (JSON.stringify([...declared]) === JSON.stringify([...this.#types])) return;
    this.#types = declared;
    this.#options.onTypes(this.types);
  }
}
