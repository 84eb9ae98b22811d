import { type Clock, type Timer, wait } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import { isClean, type PID, type Reason } from "../identity/index.ts";
import { Log, type LogLevel, type LogSource, type LogSubject } from "../log/index.ts";
import { MessageExit } from "../mailbox/index.ts";
import type { Behaviour } from "../process/behaviour.ts";
import { type Heritage, overlay, type Scope } from "../process/heritage.ts";
import type { Process } from "../process/process.ts";
import { publishCore } from "../runtime/bus.ts";
import { putExit } from "../runtime/deliver.ts";
import type { Host } from "../runtime/host.ts";
import { spawn } from "../runtime/spawn.ts";
import type { Tables } from "../runtime/tables.ts";
import {
  type ApplicationContext,
  type ApplicationMember,
  type ApplicationMode,
  type ApplicationSpec,
  checkMode,
  DEFAULT_BUDGET_MS,
} from "./spec.ts";

/** What an application is doing. */
export type ApplicationState = "loaded" | "initializing" | "running" | "stopping";

/** How to start an application. */
export interface StartApplicationOptions {
  /** @default that of the specification */
  mode?: ApplicationMode;
  /** Laid over the environment of the specification. */
  env?: Readonly<Record<string, unknown>>;
  /** The node that asked for it, for people. @default the own node */
  requestedBy?: string;
}

/** How to stop an application. */
export interface StopApplicationOptions {
  /** Longest wait for its end, in milliseconds; the end goes on after that. @default 5_000 */
  timeoutMs?: number;
  /** Kills its processes, without calling `stop`. @default false */
  force?: boolean;
}

const DEFAULT_STOP_MS = 5_000;
/** How many processes without a supervisor one record names. */
const NAMED = 20;

/**
 * One loaded application.
 *
 *  A1. loaded -> initializing -> running -> stopping -> loaded. A start that fails after `init` goes through stopping too.
 *  A2. A process counts from its spawn until its `terminate` has come back; `terminate` of the application is called when none
 *      counts any more, and once per start whose `init` went well.
 *  A3. While it is stopping no process joins, so that what it has to wait for only becomes less.
 *  A4. Only the ends of group members are judged by the mode; the first reason to stop stands.
 */
export class Application implements Scope<Process>, LogSubject {
  readonly spec: ApplicationSpec;
  readonly log: Log;
  readonly logSource: LogSource;
  logLevel: LogLevel;
  logger: string | undefined = undefined;
  state: ApplicationState = "loaded";
  mode: ApplicationMode;
  requestedBy: string;
  /** When it began to run, by the kernel's clock; undefined = it does not run. */
  runningSinceMs: number | undefined = undefined;
  /** Settles with the start that is under way, or was last. */
  starting: Promise<void> | undefined = undefined;
  /** Group members that live, in the order of their start. */
  readonly members = new Set<Process>();
  /** How many processes have not finished their `terminate`. */
  live = 0;
  readonly #tables: Tables;
  readonly #host: Host;
  #heritage: Heritage<Process>;
  /** The next process that joins is a group member. */
  #isMemberNext = false;
  /** Why it stops. */
  #reason: Reason | undefined = undefined;
  #isForced = false;
  #ending: Promise<void> | undefined = undefined;
  #onChange: (() => void) | undefined = undefined;

  constructor(tables: Tables, host: Host, spec: ApplicationSpec) {
    this.#tables = tables;
    this.#host = host;
    this.spec = spec;
    this.mode = spec.mode ?? "temporary";
    this.requestedBy = tables.node;
    this.logLevel = spec.logLevel ?? tables.heritage.logLevel;
    this.logSource = { kind: "application", node: tables.node, name: spec.name };
    this.log = new Log(tables.logging, this);
    this.#heritage = tables.heritage;
  }

  get name(): string {
    return this.spec.name;
  }

  get isClosed(): boolean {
    return this.#reason !== undefined;
  }

  /** What its processes begin with. */
  get env(): ReadonlyMap<string, unknown> {
    return this.#heritage.env ?? new Map();
  }

  /**
   * Starts it; `before` starts what it depends on. Sets its state at once, so that nobody starts it a second time.
   * @throws actor.application_running, actor.application_state – it is being started or stopped; actor.application_stopping –
   * it was stopped meanwhile, by somebody or by the end of a member; what `init` or the start of a member throws
   */
  start(options: StartApplicationOptions, before: () => Promise<void>): Promise<void> {
    if (this.state === "running") throw actorError("actor.application_running", `application ${this.name} runs already`);
    if (this.state !== "loaded") throw actorError("actor.application_state", `application ${this.name} is ${this.state}`);
    const { spec } = this;
    const { heritage } = this.#tables;
    this.mode = checkMode(options.mode ?? spec.mode ?? "temporary");
    this.requestedBy = options.requestedBy ?? this.#tables.node;
    this.logLevel = spec.logLevel ?? heritage.logLevel;
    this.#heritage = {
      env: overlay(overlay(heritage.env, spec.env ?? {}), options.env ?? {}),
      logLevel: this.logLevel,
      application: this,
    };
    this.#isForced = false;
    this.state = "initializing";
    this.starting = this.#start(before);
    return this.starting;
  }

  /**
   * Stops it and waits for its end. Nothing happens if it is loaded.
   * @throws actor.application_stopping – the end has not come in time; it goes on
   */
  async stop({ timeoutMs = DEFAULT_STOP_MS, force = false }: StopApplicationOptions = {}): Promise<void> {
    if (this.state === "loaded") return;
    if (force) this.#force();
    this.#halt(force ? "kill" : "normal");
    const ended = this.#ending ?? this.starting?.catch(() => undefined);
    const late = new AbortController();
    const isLate = await Promise.race([
      Promise.resolve(ended).then(() => false),
      wait(this.#tables.clock, timeoutMs, late.signal).then(
        () => true,
        () => true,
      ),
    ]);
    late.abort();
    if (isLate) throw actorError("actor.application_stopping", `application ${this.name} has not ended within ${timeoutMs} ms`);
  }

  joined(process: Process): void {
    this.live++;
    if (!this.#isMemberNext) return;
    this.#isMemberNext = false;
    this.members.add(process);
  }

  ended(process: Process, reason: Reason): void {
    if (!this.members.delete(process)) return;
    if (this.mode === "permanent" || (this.mode === "transient" && !isClean(reason))) this.#halt(reason);
    else if (this.members.size === 0 && this.state === "running") this.#halt("normal");
    this.#onChange?.();
  }

  left(_process: Process): void {
    this.live--;
    this.#onChange?.();
  }

  async #start(before: () => Promise<void>): Promise<void> {
    const { spec } = this;
    try {
      await before();
      this.#checkHalt();
      await this.#callback("init", spec.initTimeoutMs, (context) => spec.init?.(context));
    } catch (error) {
      this.#becomeLoaded();
      throw error;
    }
    try {
      for (const member of spec.group) {
        this.#checkHalt();
        await this.#spawn(member);
      }
      this.#checkHalt();
    } catch (error) {
      this.#reason ??= error as Error;
      this.#force();
      await this.#end(false);
      throw error;
    }
    this.state = "running";
    this.runningSinceMs = this.#tables.clock.now();
    publishCore(this.#tables, { kind: "application_started", name: this.name });
    if (this.members.size === 0) this.#halt("normal");
    else await this.#quietly("start", spec.startTimeoutMs, (context) => spec.start?.(context));
  }

  #spawn({ actor, name, args, options }: ApplicationMember): PID | Promise<PID> {
    const birth = { tables: this.#tables, host: this.#host, parent: undefined, heritage: this.#heritage };
    this.#isMemberNext = true;
    try {
      return spawn(birth, actor as unknown as new () => Behaviour, name === undefined ? options : { ...options, name }, args);
    } finally {
      this.#isMemberNext = false;
    }
  }

  /** @throws actor.application_stopping – somebody or something wants it to stop while it starts. */
  #checkHalt(): void {
    if (this.#reason === undefined) return;
    const info = this.#reason instanceof Error ? { cause: this.#reason } : {};
    throw actorError("actor.application_stopping", `application ${this.name} was stopped while it started`, info);
  }

  /** Begins its end, if none has begun. While it starts, the start ends it. */
  #halt(reason: Reason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    if (this.state === "running") this.#ending = this.#end(true);
  }

  async #end(isUp: boolean): Promise<void> {
    const { spec } = this;
    const tables = this.#tables;
    const reason = this.#reason as Reason;
    this.state = "stopping";
    tables.terminating++;
    if (isUp && !this.#isForced) await this.#quietly("stop", spec.stopTimeoutMs, (context) => spec.stop?.(context, reason));
    const timer = tables.clock.setTimer(spec.stopTimeoutMs ?? DEFAULT_BUDGET_MS, () => this.#killRest());
    if (!this.#isForced) {
      this.#ask([...this.members].reverse());
      await this.#until(() => this.members.size === 0);
      this.#askRest();
    }
    await this.#until(() => this.live === 0);
    timer.cancel();
    await this.#quietly("terminate", spec.terminateTimeoutMs, (context) => spec.terminate?.(context, reason));
    this.#becomeLoaded();
    if (isUp) publishCore(tables, { kind: "application_stopped", name: this.name, reason });
    tables.terminating--;
    tables.onGone?.();
  }

  #becomeLoaded(): void {
    this.state = "loaded";
    this.runningSinceMs = undefined;
    this.#reason = undefined;
    this.#ending = undefined;
  }

  /** All that is left when the members are gone was spawned by somebody who did not supervise it, or is about to end. */
  #askRest(): void {
    const rest = this.processes();
    const lost = rest.filter((process) => process.waiting().urgent === 0 && this.#tables.byPid(process.parent) === undefined);
    if (lost.length > 0) this.#name("processes that nobody supervises were told to end", lost);
    this.#ask(rest);
  }

  #ask(processes: readonly Process[]): void {
    for (const process of processes) {
      // From its own parent, so that it cannot be trapped.
      if (!putExit(process, new MessageExit("pid", process.parent, "shutdown"))) process.kill();
    }
  }

  #killRest(): void {
    this.#name("processes that did not end in time were killed", this.processes());
    this.#force();
  }

  #force(): void {
    this.#isForced = true;
    for (const process of this.processes()) process.kill();
    this.#onChange?.();
  }

  #name(text: string, processes: readonly Process[]): void {
    const named = processes.slice(0, NAMED).map(({ pid, name }) => name ?? String(pid));
    this.log.warning(text, { count: processes.length, processes: named });
  }

  /** Its processes that have not ended, oldest first. */
  processes(): Process[] {
    return [...this.#tables.processes.values()].filter((process) => process.heritage.application === this);
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        if (!isSo()) return;
        this.#onChange = undefined;
        resolve();
      };
      this.#onChange();
    });
  }

  /** A callback whose failure changes nothing. */
  async #quietly(what: string, budgetMs: number | undefined, run: (context: ApplicationContext) => unknown): Promise<void> {
    try {
      await this.#callback(what, budgetMs, run);
    } catch (error) {
      this.log.error(`${what} of the application failed`, { error });
    }
  }

  /** @throws what the callback throws, or actor.timeout */
  #callback(what: string, budgetMs = DEFAULT_BUDGET_MS, run: (context: ApplicationContext) => unknown): Promise<void> {
    const { name, mode, log, env } = this;
    const { node, clock } = this.#tables;
    const text = `${what} of application ${name} took longer than ${budgetMs} ms`;
    return within(clock, budgetMs, text, (signal) => run({ name, mode, log, env, node, signal }));
  }
}

/** Runs something, and waits for it no longer than `budgetMs`. @throws actor.timeout */
async function within(clock: Clock, budgetMs: number, text: string, run: (signal: AbortSignal) => unknown): Promise<void> {
  const budget = new AbortController();
  let timer: Timer | undefined;
  try {
    const running = run(budget.signal);
    if (running === undefined) return;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimer(budgetMs, () => {
        const error = actorError("actor.timeout", text);
        budget.abort(error);
        reject(error);
      });
    });
    await Promise.race([running, late]);
  } finally {
    timer?.cancel();
  }
}
