import type { ModuleHost } from "@metanode/core";
import type { LogLevel, LogRecord, LogSource, RecordLevel } from "../log/index.ts";

type NodeLogger = ModuleHost["logger"];

/** From which level on a kernel logs, whose node logs from `level` on. */
export function levelOf(level: string): LogLevel {
  switch (level) {
    case "trace":
    case "debug":
    case "info":
    case "error":
      return level;
    case "warn":
      return "warning";
    case "fatal":
      return "panic";
    default:
      return level === "silent" ? "disabled" : "info";
  }
}

/** A panic is the end of a process, not of the node: no record of a kernel is fatal. */
const LEVELS: Readonly<Record<RecordLevel, "trace" | "debug" | "info" | "warn" | "error">> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  panic: "error",
};

/** Writes a record of a kernel as a line of the node's log. */
export function writeRecord(logger: NodeLogger, { level, source, text, fields, error, report }: LogRecord): void {
  const facts: Record<string, unknown> = { ...fields, ...sourceOf(source) };
  if (report !== undefined) facts.kind = report;
  // What an unhandled message holds is the users' own, and may be anything.
  if (error !== undefined && report !== "unhandled") facts.err = error;
  logger[LEVELS[level]](facts, text);
}

function sourceOf(source: LogSource): Record<string, unknown> {
  switch (source.kind) {
    case "process":
      return { process: String(source.pid), actor: source.name, behaviour: source.behaviour };
    case "meta":
      return { process: String(source.parent), meta: String(source.alias), behaviour: source.behaviour };
    case "application":
      return { application: source.name };
    default:
      return { kernel: source.node };
  }
}
