import { Supervisor } from "../behaviour/supervisor.ts";
import type { SupervisorSpec } from "../behaviour/supervisor-spec.ts";
import { isClean, type PID, type Reason } from "../identity/index.ts";
import type { ResolvedRoot } from "./options.ts";

/** What is known of a root. */
export interface RootInfo {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid: PID | undefined;
  readonly restarts: number;
  /** Why it ended last, or why its start failed. */
  readonly lastReason: Reason | undefined;
}

/** Whoever is told of roots. */
export interface RootWatch {
  started(name: string): void;
  /** Each end once, and each start that failed. */
  ended(name: string, reason: Reason): void;
  /** Nobody starts it again but the module. */
  down(record: RootRecord): void;
}

/** The record of a root over all its lives. */
export class RootRecord {
  readonly spec: ResolvedRoot;
  readonly #watch: RootWatch;
  #starts = 0;
  #isUp = false;
  lastReason: Reason | undefined;

  constructor(spec: ResolvedRoot, watch: RootWatch) {
    this.spec = spec;
    this.#watch = watch;
  }

  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Whether it is meant to be down: it ended as it wanted to, and is not to run for ever. */
  get isDone(): boolean {
    return this.spec.restart === "temporary" && this.lastReason !== undefined && isClean(this.lastReason);
  }

  /** What is wrong with it, given that it is down. */
  get complaint(): string {
    const { name } = this.spec;
    if (this.lastReason === undefined) return `actor ${name} is down: it has not started yet`;
    const why = this.lastReason instanceof Error ? this.lastReason.message : this.lastReason;
    return `actor ${name} is down: ${why}`;
  }

  started(): void {
    this.#starts++;
    this.#isUp = true;
    this.#watch.started(this.spec.name);
  }

  ended(reason: Reason): void {
    this.lastReason = reason;
    this.#isUp = false;
    this.#watch.ended(this.spec.name, reason);
  }

  /** Nobody starts it again but the module. */
  down(reason: Reason): void {
    // Its end was told when it ended, unless it has never come up.
    if (this.#isUp || this.lastReason !== reason) this.#watch.ended(this.spec.name, reason);
    this.lastReason = reason;
    this.#isUp = false;
    this.#watch.down(this);
  }
}

/** Keeps one root: of several roots, the failures of one are not counted against the others. */
export class Root extends Supervisor {
  #record!: RootRecord;

  override init(record: RootRecord): SupervisorSpec {
    this.#record = record;
    const { name, actor, args, options, restart, intensity, periodMs } = record.spec;
    return { children: [{ name, actor, args, options }], strategy: restart, intensity, periodMs, handleChildren: true };
  }

  override handleChildStart(): void {
    this.#record.started();
  }

  override handleChildTerminate(_name: string, _pid: PID, reason: Reason): void {
    this.#record.ended(reason);
  }

  override terminate(reason: Reason): void {
    const { cause } = reason as { cause?: unknown };
    // Restarted too often says less than what it failed with.
    this.#record.down(cause instanceof Error && reason instanceof Error ? cause : reason);
  }
}
