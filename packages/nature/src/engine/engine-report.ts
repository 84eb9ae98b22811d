import type { Instance } from "../instance/instance.ts";

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
