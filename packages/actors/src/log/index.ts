export { type LogLevel, laterLevel, RECORD_LEVELS, type RecordLevel, startLevel } from "./level.ts";
export { Log } from "./log.ts";
export { type Logger, type LoggerInfo, type LoggerOptions, Logging } from "./logging.ts";
export type { LogFields, LogRecord, LogSource, LogSubject, ReportKind } from "./record.ts";
