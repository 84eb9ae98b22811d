import type { Instance, Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";

/**
 * Where everything durable lives. Two implementations, SQLite and PostgreSQL, pass one conformance suite.
 *
 *  S1. A unit of work is stored whole or not at all: its instances, the tasks that follow from them, the end of its own task.
 *  S2. What `commit` resolved is on the disk.
 *  S3. Versions of one line (meta, id, para) have no gaps and no forks: a version is stored once, by whoever is first, and after the
 *      one before it.
 *  S4. An instance made from an upstream is stored once per (upstream, meta, id, para), however often the work is repeated.
 *  S5. Only the engine that owns a task can end it. An engine whose lease ran out owns nothing any more.
 *  S6. Text is compared by its bytes; ids by their number; time is in milliseconds since the Unix epoch.
 *  S7. No task stays with an engine that does not know of it. When a write fails and nobody can tell what of it happened (a connection that
 *      breaks, a task that could not be put back), the store sets that right as soon as the database is there again.
 */

/** A task: one mission on one stored instance, from its acceptance to its end. */
export interface Task {
  /** Rises; unique in the database. */
  readonly id: number;
  /** The upstream's. */
  readonly upstream: Locator;
  /** The meta that the relation leads to. */
  readonly to: MetaString;
  /** The mission as JSON. */
  readonly mission: string;
  readonly createdMs: number;
  /** Not before. */
  readonly dueMs: number;
  /** Tries that failed so far. */
  readonly attempts: number;
}

/** A task to be stored. */
export interface NewTask extends Task {
  /** Whether the engine that stores it goes on with it at once; else whoever claims it when it is due. */
  readonly mine: boolean;
}

/** An instance to be stored, with what follows from it. */
export interface NewInstance {
  readonly instance: Instance;
  readonly tasks: readonly NewTask[];
}

/** One unit of work. It holds at most one version of a line. */
export interface Unit {
  /** The task that is ended by it; absent for input from outside. */
  readonly taskId?: number;
  readonly instances: readonly NewInstance[];
}

/** What became of a unit. */
export type UnitResult =
  /** Stored. `stored` says for each instance whether it is new; one that is not was stored before, with its tasks. */
  | { readonly status: "done"; readonly stored: readonly boolean[] }
  /** A version is taken by another writer, or the one before it is not stored. Nothing was stored, the task stands. */
  | { readonly status: "conflict" }
  /** The task belongs to another engine by now, or is gone. Nothing was stored. */
  | { readonly status: "lost" };

/** A failed try. */
export interface Retry {
  readonly taskId: number;
  readonly dueMs: number;
  /** Why, for people. */
  readonly error: string;
  /** Whether the try counts. Waiting for a callback or a condition does, a stop of the engine does not. */
  readonly counts: boolean;
}

/** A try that was the last. */
export interface Failure {
  readonly taskId: number;
  readonly code: string;
  readonly error: string;
  readonly failedMs: number;
  /** Whether it is one more than the task says: not where an earlier one came to nothing, such as a callback that nobody answered. */
  readonly counts: boolean;
}

/** A task that will not be tried again by itself. */
export interface FailedTask extends Task {
  readonly code: string;
  readonly error: string;
  readonly failedMs: number;
}

/** The part of a store that the engine works with; every method takes many at once. */
export interface WorkStore {
  /** Whether other engines may work with the same data at the same time: what one has read may be old then. */
  readonly isShared: boolean;
  /**
   * Stores units of work, all in one transaction, as if one after the other.
   * @throws store.unavailable – most likely nothing of them is stored; if the connection broke while it answered, all may be. To repeat it is
   * safe either way (S3, S4)
   */
  commit(units: readonly Unit[]): Promise<UnitResult[]>;
  /** The highest version of each line. */
  latest(lines: readonly Omit<Locator, "version">[]): Promise<(Instance | undefined)[]>;
  /** Instances by their whole keys. */
  load(keys: readonly Locator[]): Promise<(Instance | undefined)[]>;
  /** Due tasks that nobody owns, the oldest first; they belong to this engine from now on. */
  claim(nowMs: number, limit: number): Promise<Task[]>;
  /** When the next task that nobody owns is due; undefined = there is none. */
  nextDueMs(): Promise<number | undefined>;
  /** Puts tasks back until they are due again. */
  retry(retries: readonly Retry[]): Promise<void>;
  /** Moves tasks to those that failed. */
  fail(failures: readonly Failure[]): Promise<void>;
  /** One unfinished task, owned or not. */
  task(id: number): Promise<Task | undefined>;
  /** Takes a task over from whoever owns it, for a callback. Undefined if it is gone. */
  take(id: number): Promise<Task | undefined>;
  /** What has come of each of these instances so far, one step down. */
  outcomes(keys: readonly Locator[]): Promise<Outcome[]>;
  /** How many unfinished tasks there are in a range, for the built-in `task-checker`. Bounds as in {@link RangeQuery}. */
  countTasks(query: TaskRange): Promise<number>;
  /** A page of a range of keys, in ascending order of (meta, id, para, version). */
  range(query: RangeQuery): Promise<Instance[]>;
  /** Says that this engine lives, for so long; frees the tasks of those that do not. A store that was just opened has 30 s. */
  renewLease(leaseMs: number): Promise<LeaseRenewal>;
  /** An id for a new task, never given before. @throws store.unavailable – the database was away for a million ids */
  newTaskId(): number;
}

/** What has come of an instance so far. */
export interface Outcome {
  /** Made from it, in ascending order of keys. */
  readonly instances: readonly Instance[];
  /** Its tasks that are not finished. */
  readonly open: number;
  /** Its tasks that failed. */
  readonly failed: number;
}

/** Which tasks are counted: their upstream lies strictly between two bounds. */
export interface TaskRange {
  readonly keyGt: string;
  readonly keyLt: string;
  readonly dueGeMs?: number;
  readonly createdLtMs?: number;
}

/** What a renewal of the lease found. */
export interface LeaseRenewal {
  /** Tasks that belong to nobody now and did before. */
  readonly freed: number;
  /** Whether this engine had lost its own tasks, because its lease had run out. It goes on under a new one. */
  readonly fenced: boolean;
}

/**
 * A range of instances. Bounds are whole keys or their beginnings: `meta`, `meta|id`, `meta|id|para`, `meta|id|para|version`. A beginning is
 * compared with the same part of a key: `B:a:1|5` is passed by what has another meta after `B:a:1`, or `B:a:1` and an id over 5. An
 * empty bound is none.
 */
export interface RangeQuery {
  readonly meta?: MetaString;
  readonly keyGt?: string;
  readonly keyGe?: string;
  readonly keyLt?: string;
  readonly keyLe?: string;
  readonly createdGeMs?: number;
  readonly createdLtMs?: number;
  readonly limit: number;
}
