import type { Alias, PID } from "../identity/index.ts";
import type { LogLevel, RecordLevel } from "./level.ts";

/** Who logged. */
export type LogSource =
  | { readonly kind: "kernel"; readonly node: string }
  | { readonly kind: "application"; readonly node: string; readonly name: string }
  | { readonly kind: "process"; readonly pid: PID; readonly name: string | undefined; readonly behaviour: string }
  | { readonly kind: "meta"; readonly parent: PID; readonly alias: Alias; readonly behaviour: string };

/** Facts beside a text. `error` becomes the `error` of the record. */
export interface LogFields {
  readonly error?: unknown;
  readonly [name: string]: unknown;
}

/** What the kernel itself found worth telling. */
export type ReportKind =
  | "unhandled"
  | "ended"
  | "terminate_failed"
  | "stop_waits"
  | "stop_late"
  | "meta"
  | "meta_leaked"
  | "node_up"
  | "node_down"
  | "undelivered";

/** One entry of the log, as data. One object for all loggers. */
export interface LogRecord {
  /** Since the Unix epoch, of the kernel's clock. */
  readonly timeMs: number;
  readonly level: RecordLevel;
  readonly source: LogSource;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly error?: unknown;
  /** Set on what the kernel itself reports. */
  readonly report?: ReportKind;
}

/** Something that can log. */
export interface LogSubject {
  logLevel: LogLevel;
  /** The only logger that gets its records; undefined = all of them. */
  logger: string | undefined;
  readonly logSource: LogSource;
}
