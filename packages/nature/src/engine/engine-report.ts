import type { Instance } from "../instance/instance.ts";
import type { Mission } from "../relation/mission.ts";

/** A task that was given up. */
export interface FailedWork {
  /** What it worked on, and the meta that it was to make. */
  readonly name: string;
  readonly upstream: Instance;
  readonly code: string;
}

/** Something for people to see. */
export interface EngineReport {
  /**
   * `failed` a task was given up; `retry` a try failed; `relation` a mission could not be made; `loop` a loop is long; `lease` the work went
   * to another engine; `store` the database is away, or back; `hook` a listener threw.
   */
  readonly kind: "failed" | "retry" | "relation" | "loop" | "lease" | "store" | "hook";
  readonly text: string;
  readonly error?: unknown;
  /** What `failed`. */
  readonly failed?: FailedWork;
}

/** An executor that did not answer at once has answered, or failed: one try of a task. */
export interface ExecutorRun {
  readonly upstream: Instance;
  readonly mission: Pick<Mission, "to" | "executor">;
  readonly ms: number;
  /** Undefined where it answered. */
  readonly code: string | undefined;
}
