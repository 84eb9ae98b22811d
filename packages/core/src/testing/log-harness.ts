import type { Log } from "../log/log.ts";

/** A log under test, and the means to move its time and to restart it. */
export interface LogHarness {
  /** The log: empty at first; after `reopen` the new one. */
  readonly log: Log;
  /**
   * Lets `ms` of the log's time pass, and what falls due in it happen: virtual time is moved, real time is waited for.
   * The suite asks for a second at most, and is content if a little more passes.
   */
  tick(ms: number): Promise<void>;
  /** Closes the log and opens it again on the same data. Absent where nothing survives. */
  reopen?(): Promise<Log>;
  /** Closes the log and removes its data. */
  dispose(): Promise<void>;
}

/** One promise of the contract, as a test. */
export interface LogPromise {
  readonly title: string;
  /** Whether it is about what survives a restart: left out for logs of which nothing does. */
  readonly needsReopen?: boolean;
  run(harness: LogHarness): Promise<void>;
}
