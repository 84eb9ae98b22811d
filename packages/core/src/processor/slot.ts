import type { Clock, Timer } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { CALL_MODE, type Hello } from "../link/frames.ts";
import type { CallHandler } from "../link/incoming.ts";
import { Session } from "../link/session.ts";
import type { CallContext, Member, MemberState } from "../member/member.ts";
import type { Message } from "../message/message.ts";
import { PROCESSOR_CONCURRENCY } from "./door.ts";
import { describeExit, type Exit, type LaunchContext, type Launched, launch } from "./launch.ts";
import type { ResolvedProcessorSpec } from "./options.ts";

/*
 * A slot keeps one process alive: it starts it, watches it, and starts the next when one ends.
 *
 *   starting -> ready -> draining -> stopped
 *      |          |
 *      +----+-----+  the process ended unasked
 *           v
 *        backoff -> starting        after too many short lives in a row: quarantined -> starting
 *
 * P1. At most one process of a slot lives at a time: the next starts only after the exit of the last.
 * P2. Calls go only to a process in state ready.
 * P3. When a process ends, each of its open calls ends with processor.down, exactly once (session rule S1).
 */

export type SlotState = "starting" | "ready" | "backoff" | "quarantined" | "draining" | "stopped";

export interface SlotEvents {
  /** The process has come in and can take calls. */
  onReady(hello: Hello): void;
  /** Credit came free, or the state changed: waiting calls may go now. */
  onChange(): void;
  /** For people: what happened, with its reason. */
  onEvent(event: SlotEvent): void;
}

export interface SlotEvent {
  readonly slot: string;
  readonly kind: "launched" | "started" | "crashed" | "killed" | "quarantined" | "stopped";
  readonly text: string;
  readonly pid: number | undefined;
}

/** What is known of a slot, for people. */
export interface SlotInfo {
  readonly id: string;
  readonly state: SlotState;
  readonly pid: number | undefined;
  readonly inFlight: number;
  readonly restarts: number;
  readonly startedAtMs: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly runtime: string | undefined;
  readonly lastError: string | undefined;
}

export interface SlotOptions {
  readonly spec: ResolvedProcessorSpec;
  readonly id: string;
  readonly context: LaunchContext;
  readonly events: SlotEvents;
  /** Answers what the process asks of its node. */
  readonly handler: CallHandler;
  readonly maxMessageBytes: number;
  /** In [0, 1); jitter of the backoff. */
  readonly random: () => number;
}

/** However a restart is configured: a command that ends at once must not keep the node busy with starting it. */
const MIN_BACKOFF_MS = 10;
/** A live process ends a withdrawn call within a turn of its event loop; after this long it gets no new calls. */
const SUSPECT_MS = 100;

export class Slot implements Member {
  readonly id: string;
  readonly keepsDeadlines = true;
  readonly #options: SlotOptions;
  readonly #clock: Clock;
  #state: SlotState = "stopped";
  #launched: Launched | undefined;
  #session: Session | undefined;
  #hello: Hello | undefined;
  #timers = new Set<Timer>();
  /** Looks after withdrawn calls; one at a time, however many are withdrawn. */
  #abandonTimer: Timer | undefined;
  #restarts = 0;
  #shortLives = 0;
  #startedAtMs: number | undefined;
  #memoryBytes: number | undefined;
  #lastError: MetanodeError | undefined;
  /** Set when the end of the process is our doing: the reason, for the log. */
  #ending: string | undefined;
  #firstTry = Promise.withResolvers<void>();
  #onDrained: (() => void) | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#clock = options.context.clock;
    this.id = options.id;
  }

  get state(): MemberState {
    if (this.#state === "ready") return this.credit > 0 ? "ready" : "busy";
    return this.#state === "draining" ? "draining" : "down";
  }

  get slotState(): SlotState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#session?.openCalls ?? 0;
  }

  /** Calls that it can take now: none while it is slow to let go of a withdrawn one, for then it probably hangs. */
  get credit(): number {
    const session = this.#session;
    if (this.#state !== "ready" || session === undefined) return 0;
    const { abandonedSinceMs } = session;
    if (abandonedSinceMs !== undefined && this.#clock.now() - abandonedSinceMs > SUSPECT_MS) return 0;
    return session.credit;
  }

  /** What the living process said of itself. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  get lastError(): MetanodeError | undefined {
    return this.#lastError;
  }

  get info(): SlotInfo {
    return {
      id: this.id,
      state: this.#state,
      pid: this.#launched?.pid,
      inFlight: this.inFlight,
      restarts: this.#restarts,
      startedAtMs: this.#startedAtMs,
      memoryBytes: this.#memoryBytes,
      runtime: this.#hello?.runtime,
      lastError: this.#lastError?.message,
    };
  }

  call(message: Message, context: CallContext): Promise<unknown> {
    return this.#open().call(message, context, CALL_MODE.unary);
  }

  stream(message: Message, context: CallContext): AsyncIterable<unknown> {
    return this.#open().stream(message, context);
  }

  #open(): Session {
    if (this.#session === undefined || this.#state !== "ready") {
      throw coreError("processor.down", `process ${this.id} is ${this.#state}`, { origin: [this.id] });
    }
    return this.#session;
  }

  /** Starts the process. Resolves when it is ready; rejects if its first life fails (it is tried again all the same). */
  start(): Promise<void> {
    if (this.#state !== "stopped" && this.#state !== "quarantined" && this.#state !== "backoff") return this.#firstTry.promise;
    this.#clearTimers();
    this.#shortLives = 0;
    this.#firstTry = Promise.withResolvers<void>();
    this.#firstTry.promise.catch(() => undefined);
    this.#live();
    return this.#firstTry.promise;
  }

  /** Lets calls in flight finish for at most `graceMs`, then ends the process. It is not started again. */
  async stop(graceMs: number): Promise<void> {
    const launched = this.#launched;
    this.#clearTimers();
    if (launched === undefined || this.#state === "stopped") {
      this.#become("stopped");
      return;
    }
    this.#ending = "stopped";
    this.#become("draining");
    await this.#drain(graceMs);
    this.#session?.close();
    await this.#waitFor(launched.exited, this.#options.spec.stopTimeoutMs);
    launched.kill();
    await launched.exited;
    this.#become("stopped");
  }

  /** Ends the process at once; it is started again. */
  kill(reason: string): void {
    const launched = this.#launched;
    if (launched === undefined) return;
    this.#ending ??= reason;
    this.#options.events.onEvent({ slot: this.id, kind: "killed", text: reason, pid: launched.pid });
    launched.kill();
  }

  async #drain(graceMs: number): Promise<void> {
    const session = this.#session;
    if (session === undefined || session.isClosed || session.openCalls === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDrained = resolve;
    session.drain(graceMs);
    await this.#waitFor(promise, graceMs);
    this.#onDrained = undefined;
  }

  #waitFor(promise: Promise<unknown>, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(limitMs, resolve);
      void promise.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #live(): void {
    this.#ending = undefined;
    this.#become("starting");
    const launched = launch(this.#options.spec, this.id, this.#options.context);
    this.#launched = launched;
    this.#options.events.onEvent({ slot: this.id, kind: "launched", text: "its process was started", pid: launched.pid });
    const startTimer = this.#timer(this.#options.spec.startTimeoutMs, () =>
      this.kill(`no handshake within ${this.#options.spec.startTimeoutMs} ms of its start`),
    );
    launched.arrived.then(
      ({ channel, greeting }) => {
        this.#cancel(startTimer);
        if (this.#launched !== launched || this.#state !== "starting") {
          channel.close();
          return;
        }
        this.#welcome(channel, greeting);
      },
      // It ended before its handshake, or broke it: the exit tells.
      () => launched.kill(),
    );
    void launched.exited.then((exit) => this.#exited(launched, exit));
  }

  #welcome(channel: ConstructorParameters<typeof Session>[0]["channel"], hello: Hello): void {
    const { events, handler, maxMessageBytes } = this.#options;
    this.#hello = hello;
    this.#session = new Session({
      channel,
      peer: this.id,
      handler,
      lostCode: "processor.down",
      concurrency: Math.max(1, hello.concurrency),
      maxIncoming: PROCESSOR_CONCURRENCY,
      maxMessageBytes,
      clock: this.#clock,
      onCredit: () => events.onChange(),
      onAbandoned: () => this.#watchAbandoned(),
      onDrained: () => this.#onDrained?.(),
      onClosed: (error) => this.#linkEnded(error),
    });
    this.#startedAtMs = this.#clock.now();
    this.#become("ready");
    events.onEvent({
      slot: this.id,
      kind: "started",
      text: `ready, ${hello.types.length} types, ${hello.runtime ?? "unknown runtime"}`,
      pid: this.#launched?.pid,
    });
    this.#ping();
    if (this.#options.spec.maxMemoryBytes > 0) this.#watchMemory();
    events.onReady(hello);
    this.#firstTry.resolve();
    events.onChange();
  }

  /** A process without a link is of no use: whatever broke the link, the next process begins afresh. */
  #linkEnded(error?: MetanodeError): void {
    if (error !== undefined) this.#lastError = error;
    if (this.#state === "ready") {
      this.#become("backoff");
      this.#timer(this.#options.spec.stopTimeoutMs, () => this.kill("its link ended, and it did not"));
    }
    this.#onDrained?.();
  }

  #exited(launched: Launched, exit: Exit): void {
    if (this.#launched !== launched) return;
    this.#clearTimers();
    const session = this.#session;
    this.#session = undefined;
    this.#launched = undefined;
    this.#memoryBytes = undefined;
    const reason = this.#ending ?? describeExit(exit);
    session?.close(coreError("processor.down", `process ${this.id} ended: ${reason}`));
    const livedMs = this.#startedAtMs === undefined ? 0 : this.#clock.now() - this.#startedAtMs;
    this.#startedAtMs = undefined;
    const { events, spec } = this.#options;
    if (this.#state === "draining" || this.#state === "stopped") {
      events.onEvent({ slot: this.id, kind: "stopped", text: reason, pid: launched.pid });
      this.#become("stopped");
      return;
    }
    this.#lastError =
      session === undefined
        ? coreError(
            "processor.start",
            `process ${this.id} (${spec.command.join(" ")}) ended before its handshake: ${reason}; its log says why`,
          )
        : coreError("processor.down", `process ${this.id} ended: ${reason}`);
    events.onEvent({ slot: this.id, kind: "crashed", text: reason, pid: launched.pid });
    this.#firstTry.reject(this.#lastError);
    this.#restarts++;
    // A useful life that something outside ended (an operator's kill, the kernel's want of memory) is no crash loop.
    const wasUseful = exit.signal !== null && this.#ending === undefined && (session?.answeredCalls ?? 0) > 0;
    this.#shortLives = livedMs >= spec.restart.stableMs || wasUseful ? 0 : this.#shortLives + 1;
    this.#scheduleRestart();
  }

  #scheduleRestart(): void {
    const { restart } = this.#options.spec;
    if (this.#shortLives >= restart.quarantineAfter) {
      this.#become("quarantined");
      this.#options.events.onEvent({
        slot: this.id,
        kind: "quarantined",
        text: `${this.#shortLives} short lives in a row; next try in ${restart.quarantineMs} ms`,
        pid: undefined,
      });
      this.#timer(restart.quarantineMs, () => {
        this.#shortLives = restart.quarantineAfter - 1; // one try: another short life, and it is back here
        this.#live();
      });
      return;
    }
    this.#become("backoff");
    const ceiling = Math.min(restart.maxBackoffMs, restart.backoffMs * 2 ** Math.max(0, this.#shortLives - 1));
    this.#timer(Math.max(MIN_BACKOFF_MS, ceiling * this.#options.random()), () => this.#live());
  }

  #ping(): void {
    const { health } = this.#options.spec;
    const session = this.#session;
    this.#timer(health.intervalMs, () => {
      if (session === undefined || session.isClosed) return;
      const late = this.#timer(health.timeoutMs, () => this.kill(`it did not answer a ping within ${health.timeoutMs} ms`));
      session.ping().then(
        () => {
          this.#cancel(late);
          if (this.#session === session) this.#ping();
        },
        () => this.#cancel(late),
      );
    });
  }

  /** A withdrawn call must end at once (link rule 4); a process that lets it hang is stuck. */
  #watchAbandoned(): void {
    const session = this.#session;
    const sinceMs = session?.abandonedSinceMs;
    if (session === undefined || sinceMs === undefined || this.#abandonTimer !== undefined) return;
    const { cancelGraceMs } = this.#options.spec.health;
    // A timer may fire a little early by the clock: whoever looks too soon looks again.
    this.#abandonTimer = this.#timer(sinceMs + cancelGraceMs - this.#clock.now(), () => {
      this.#abandonTimer = undefined;
      if (this.#session !== session) return;
      const oldestMs = session.abandonedSinceMs;
      if (oldestMs !== undefined && this.#clock.now() - oldestMs >= cancelGraceMs) {
        this.kill(`it did not let go of a withdrawn call within ${cancelGraceMs} ms: it hangs`);
      } else this.#watchAbandoned();
    });
  }

  #watchMemory(): void {
    const launched = this.#launched;
    const { health, maxMemoryBytes } = this.#options.spec;
    this.#timer(health.memoryIntervalMs, () => {
      void launched?.memoryBytes().then((bytes) => {
        if (this.#launched !== launched) return;
        this.#memoryBytes = bytes;
        if (bytes !== undefined && bytes > maxMemoryBytes)
          this.kill(`it holds ${bytes} bytes of memory, its limit is ${maxMemoryBytes}`);
        else if (bytes !== undefined) this.#watchMemory();
      });
    });
  }

  #become(state: SlotState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.events.onChange();
  }

  #timer(delayMs: number, callback: () => void): Timer {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer: Timer): void {
    timer.cancel();
    this.#timers.delete(timer);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#abandonTimer = undefined;
  }
}
