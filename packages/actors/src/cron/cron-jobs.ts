import type { Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import type { Address } from "../identity/index.ts";
import { Log } from "../log/index.ts";
import type { Behaviour } from "../process/behaviour.ts";
import { deliver, undeliverable } from "../runtime/deliver.ts";
import type { Host } from "../runtime/host.ts";
import { spawn } from "../runtime/spawn.ts";
import type { Tables } from "../runtime/tables.ts";
import {
  CRON_ENV,
  type CronAction,
  type CronJob,
  type CronRun,
  checkJob,
  MessageCron,
  MessageCronFallback,
  type RemoteSpawn,
} from "./job.ts";
import { CronTimes } from "./times.ts";

/**
 * The jobs of one kernel.
 *
 *  C1. The clock on the wall is looked at once a minute, at its boundary, while there is an enabled job.
 *  C2. A job runs at most once for one minute, unless the clock is set back behind that minute.
 *  C3. What was due at a minute that the clock jumped over, or that passed while the event loop stood still, is not made up
 *      for: it is counted and logged.
 */

const MINUTE_MS = 60_000;
/** How many times a schedule gives unless it says otherwise. */
const DEFAULT_LIMIT = 1_000;

/** One job, as data. */
export interface CronJobInfo {
  readonly name: string;
  readonly times: string;
  readonly timeZone: string;
  readonly action: CronAction["kind"];
  readonly fallback: string | undefined;
  readonly isEnabled: boolean;
  /** Since the Unix epoch; undefined = never, or disabled. */
  readonly nextMs: number | undefined;
  readonly lastMs: number | undefined;
  /** Runs that have begun. */
  readonly runs: number;
  /** Runs that have not ended. */
  readonly running: number;
  readonly failures: number;
  /** Runs that were left out, because the clock jumped over them. */
  readonly skipped: number;
  /** Of the last run that failed. */
  readonly lastError: unknown;
}

/** A time of a schedule, and what is due then. */
export interface CronSlot {
  readonly timeMs: number;
  readonly jobs: readonly string[];
}

interface Entry {
  readonly job: CronJob;
  readonly times: CronTimes;
  isEnabled: boolean;
  nextMs: number | undefined;
  lastMs: number | undefined;
  runs: number;
  running: number;
  failures: number;
  skipped: number;
  lastError: unknown;
}

/** Jobs by the minute. */
export class CronJobs {
  readonly #tables: Tables;
  readonly #host: Host;
  readonly #remoteSpawn: RemoteSpawn | undefined;
  readonly #log: Log;
  readonly #jobs = new Map<string, Entry>();
  #timer: Timer | undefined;
  /** The boundary that the timer waits for. */
  #awaitedMs = 0;
  /** The last boundary that came as awaited. */
  #lastMs = 0;
  #isClosed = false;

  constructor(tables: Tables, host: Host, remoteSpawn?: RemoteSpawn) {
    this.#tables = tables;
    this.#host = host;
    this.#remoteSpawn = remoteSpawn;
    this.#log = new Log(tables.logging, tables.subject);
  }

  /** Adds a job, whose first minute is the next one. @throws actor.cron_job_taken, actor.cron_spec, actor.incorrect */
  addJob(job: CronJob): void {
    if (this.#isClosed) throw actorError("actor.node_terminated");
    checkJob(job);
    if (this.#jobs.has(job.name)) throw actorError("actor.cron_job_taken", `a cron job ${job.name} exists already`);
    const entry: Entry = {
      job,
      times: new CronTimes(job.times, job.timeZone),
      isEnabled: false,
      nextMs: undefined,
      lastMs: undefined,
      runs: 0,
      running: 0,
      failures: 0,
      skipped: 0,
      lastError: undefined,
    };
    this.#jobs.set(job.name, entry);
    if (job.isEnabled !== false) this.enableJob(job.name);
  }

  /** A run that has begun goes on. @throws actor.cron_job_unknown */
  removeJob(name: string): void {
    this.disableJob(name);
    this.#jobs.delete(name);
  }

  /** @throws actor.cron_job_unknown */
  enableJob(name: string): void {
    const entry = this.#get(name);
    if (entry.isEnabled || this.#isClosed) return;
    entry.isEnabled = true;
    entry.nextMs = entry.times.next(this.#wallNow());
    if (this.#timer === undefined) this.#arm();
  }

  /** @throws actor.cron_job_unknown */
  disableJob(name: string): void {
    const entry = this.#get(name);
    entry.isEnabled = false;
    entry.nextMs = undefined;
    if (![...this.#jobs.values()].some(({ isEnabled }) => isEnabled)) this.#disarm();
  }

  /** All jobs, in the order in which they were added. */
  info(): CronJobInfo[] {
    return [...this.#jobs.values()].map(infoOf);
  }

  /** @throws actor.cron_job_unknown */
  jobInfo(name: string): CronJobInfo {
    return infoOf(this.#get(name));
  }

  /** What enabled jobs would do from `sinceMs` on, for `durationMs`: the first `limit` (default 1_000) times. */
  schedule(sinceMs: number, durationMs: number, limit = DEFAULT_LIMIT): CronSlot[] {
    const slots = new Map<number, string[]>();
    for (const { job, times, isEnabled } of this.#jobs.values()) {
      if (!isEnabled) continue;
      for (const timeMs of times.between(sinceMs, sinceMs + durationMs, limit)) {
        slots.set(timeMs, [...(slots.get(timeMs) ?? []), job.name]);
      }
    }
    const sorted = [...slots].sort(([a], [b]) => a - b);
    return sorted.slice(0, limit).map(([timeMs, jobs]) => ({ timeMs, jobs }));
  }

  /** The times of one job, also of one that is disabled. @throws actor.cron_job_unknown */
  jobSchedule(name: string, sinceMs: number, durationMs: number, limit = DEFAULT_LIMIT): number[] {
    return this.#get(name).times.between(sinceMs, sinceMs + durationMs, limit);
  }

  /** Begins no run any more. Those that have begun go on. */
  close(): void {
    this.#isClosed = true;
    this.#disarm();
  }

  #arm(): void {
    const nowMs = this.#wallNow();
    this.#awaitedMs = boundaryOf(nowMs) + MINUTE_MS;
    // The clock was set back by less than a minute, over a boundary that has had its runs.
    if (this.#awaitedMs === this.#lastMs) this.#awaitedMs += MINUTE_MS;
    this.#timer = this.#tables.clock.setTimer(this.#awaitedMs - nowMs, () => this.#look());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const nowMs = this.#wallNow();
    const awaitedMs = this.#awaitedMs;
    if (boundaryOf(nowMs) === awaitedMs) {
      this.#lastMs = awaitedMs;
      for (const entry of this.#jobs.values()) if (isDue(entry, awaitedMs)) this.#begin(entry, awaitedMs);
    } else if (nowMs > awaitedMs) this.#skip(nowMs);
    else if (nowMs < awaitedMs - MINUTE_MS) this.#replan(nowMs);
    this.#arm();
  }

  /** The clock is where it should not be yet. */
  #skip(nowMs: number): void {
    const missed: string[] = [];
    for (const entry of this.#jobs.values()) {
      if (entry.nextMs === undefined || entry.nextMs > nowMs) continue;
      entry.skipped++;
      missed.push(entry.job.name);
    }
    if (missed.length > 0) {
      const late = Math.round((nowMs - this.#awaitedMs) / 1_000);
      this.#log.warning("cron jobs were left out, because the clock jumped over their minute", {
        jobs: missed,
        lateSeconds: late,
      });
    }
    this.#replan(nowMs);
  }

  #replan(nowMs: number): void {
    for (const entry of this.#jobs.values()) if (entry.isEnabled) entry.nextMs = entry.times.next(nowMs);
  }

  #begin(entry: Entry, timeMs: number): void {
    entry.nextMs = entry.times.next(timeMs);
    entry.lastMs = timeMs;
    entry.runs++;
    entry.running++;
    void this.#run(entry, { node: this.#tables.node, job: entry.job.name, timeMs });
  }

  async #run(entry: Entry, run: CronRun): Promise<void> {
    try {
      await this.#act(entry.job.action, run);
    } catch (error) {
      entry.failures++;
      entry.lastError = error;
      this.#fail(entry.job, run, error);
    }
    entry.running--;
  }

  #fail({ name, fallback }: CronJob, run: CronRun, error: unknown): void {
    this.#log.error("a cron job failed", { job: name, error });
    if (fallback === undefined) return;
    const message = new MessageCronFallback(run, fallback.tag ?? "", error);
    const problem = deliver(this.#tables, this.#tables.core, fallback.name, message, "normal");
    if (problem === undefined) return;
    this.#log.error("the fallback of a cron job could not be told", { job: name, error: undeliverable(problem, fallback.name) });
  }

  #act(action: CronAction, run: CronRun): unknown {
    const { core, node } = this.#tables;
    switch (action.kind) {
      case "send": {
        const problem = deliver(this.#tables, core, action.to as Address, new MessageCron(run), action.priority ?? "normal");
        if (problem !== undefined) throw undeliverable(problem, action.to as Address);
        return undefined;
      }
      case "spawn": {
        const birth = { tables: this.#tables, host: this.#host, parent: undefined };
        const make = action.actor as unknown as new () => Behaviour;
        return spawn(birth, make, withEnv(action.options, run), action.args);
      }
      case "remote_spawn": {
        if (this.#remoteSpawn === undefined) throw actorError("actor.unsupported", `${node} is joined to no other node`);
        const options = withEnv(action.options, run);
        return this.#remoteSpawn(action.node, action.name, { ...options, args: action.args ?? [] });
      }
      default:
        return action.run(run);
    }
  }

  #wallNow(): number {
    const { clock } = this.#tables;
    return clock.wallNow?.() ?? clock.now();
  }

  #get(name: string): Entry {
    const entry = this.#jobs.get(name);
    if (entry === undefined) throw actorError("actor.cron_job_unknown", `there is no cron job ${name}`);
    return entry;
  }
}

function isDue(entry: Entry, minuteMs: number): boolean {
  if (entry.nextMs === undefined || entry.nextMs > minuteMs) return false;
  // Planned for a minute that did not come as awaited, because the clock was set.
  if (entry.nextMs < minuteMs) entry.nextMs = entry.times.next(minuteMs - 1);
  return entry.nextMs === minuteMs;
}

/** The begin of the minute. */
function boundaryOf(timeMs: number): number {
  return Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
}

function withEnv<O extends { env?: Readonly<Record<string, unknown>> }>(options: O | undefined, run: CronRun): O {
  const told = { [CRON_ENV.node]: run.node, [CRON_ENV.job]: run.job, [CRON_ENV.time]: new Date(run.timeMs).toISOString() };
  return { ...(options as O), env: { ...options?.env, ...told } };
}

function infoOf({ job, times, ...facts }: Entry): CronJobInfo {
  return {
    name: job.name,
    times: job.times,
    timeZone: times.timeZone,
    action: job.action.kind,
    fallback: job.fallback?.name,
    ...facts,
  };
}
