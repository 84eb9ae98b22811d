import { actorError } from "../errors.ts";

/** Of one record, from the least to the most severe. `panic` is for callbacks that threw. */
export type RecordLevel = "trace" | "debug" | "info" | "warning" | "error" | "panic";

/** From which level on something is logged; `disabled` = nothing. */
export type LogLevel = RecordLevel | "disabled";

/** All levels of records, the least severe first. */
export const RECORD_LEVELS: readonly RecordLevel[] = ["trace", "debug", "info", "warning", "error", "panic"];

const RANK: Readonly<Record<LogLevel, number>> = { trace: 0, debug: 1, info: 2, warning: 3, error: 4, panic: 5, disabled: 6 };

/** Whether a record of `level` passes a `threshold`. */
export function passes(level: RecordLevel, threshold: LogLevel): boolean {
  return RANK[level] >= RANK[threshold];
}

/** A level that something can be started with. @throws actor.incorrect */
export function startLevel(level: LogLevel): LogLevel {
  if (Object.hasOwn(RANK, level)) return level;
  throw actorError("actor.incorrect", `the log level is ${String(level)}, expected one of ${Object.keys(RANK).join(", ")}`);
}

/** A level that can be set later: all but `trace`, which would flood by accident. @throws actor.incorrect */
export function laterLevel(level: LogLevel): LogLevel {
  if (level !== "trace") return startLevel(level);
  throw actorError("actor.incorrect", "the log level trace can only be given at the start, as an option of the kernel or spawn");
}
