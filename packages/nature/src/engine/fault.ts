/**
 * The moments in the life of an input and of a task at which a test lets an engine fail or die: behind each step of the
 * pipeline, in its order. An engine in use has no hook there.
 * @source spec of the workflow model, §4.3 (the numbers) and §8.5
 */
export const FAULT_POINTS = [
  /** An input is checked and has its identity. */
  "input.accepted",
  /** It is on the disk with its tasks; nobody knows yet. */
  "input.stored",
  /** Tasks that were due belong to this engine; their upstreams are not read. */
  "tasks.claimed",
  /** 1: where the outputs go is known. */
  "task.target",
  /** 2: the last version is read. */
  "task.last",
  /** 3: no executor, one empty output. */
  "task.auto",
  /** 4: the instance of the master is read. */
  "task.master",
  /** 5: the last version meets the condition. */
  "task.condition",
  /** 6: the filters before are done. */
  "task.before",
  /** 7: the executor has answered. */
  "task.executor",
  /** 7: the filters behind are done. */
  "task.after",
  /** 8, 9 and 12: outputs have meta, upstream, identity, and what is bridged. */
  "task.placed",
  /** 11: version and states are set. */
  "task.version",
  /** 13: a pass of a loop is rewritten. */
  "task.loop",
  /** 10: what is known as stored is dropped. */
  "task.cached",
  /** 14: the unit of work is ready; nothing of it is stored. */
  "task.ready",
  /** 14: it is on the disk; nobody knows yet. */
  "task.stored",
  /** 15: what follows is under way. */
  "task.followed",
  /** A failed try is about to be put back. */
  "task.retry",
  /** A task is about to be given up. */
  "task.fail",
  /** A callback has taken its task. */
  "callback.taken",
] as const;

/** One of {@link FAULT_POINTS}. */
export type FaultPoint = (typeof FAULT_POINTS)[number];

/** Called at each point; what it throws happens there. */
export type FaultHook = (point: FaultPoint) => void;
