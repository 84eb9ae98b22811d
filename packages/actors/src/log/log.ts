import { type LogLevel, laterLevel, passes, type RecordLevel } from "./level.ts";
import type { Logging } from "./logging.ts";
import type { LogFields, LogRecord, LogSubject, ReportKind } from "./record.ts";

const NONE: LogFields = Object.freeze({});

/**
 * Writes to the log in the name of a kernel, application, process or meta-process. A text is fixed, what differs stands in
 * the fields. Below the level of its owner, or with no logger that wants it, a record is not made.
 */
export class Log {
  readonly #logging: Logging;
  readonly #subject: LogSubject;
  readonly #fields: LogFields;

  constructor(logging: Logging, subject: LogSubject, fields: LogFields = NONE) {
    this.#logging = logging;
    this.#subject = subject;
    this.#fields = fields;
  }

  trace(text: string, fields?: LogFields): void {
    this.write("trace", text, fields);
  }

  debug(text: string, fields?: LogFields): void {
    this.write("debug", text, fields);
  }

  info(text: string, fields?: LogFields): void {
    this.write("info", text, fields);
  }

  warning(text: string, fields?: LogFields): void {
    this.write("warning", text, fields);
  }

  error(text: string, fields?: LogFields): void {
    this.write("error", text, fields);
  }

  panic(text: string, fields?: LogFields): void {
    this.write("panic", text, fields);
  }

  /** Logs at a level chosen by the caller. `report` is for the kernel. */
  write(level: RecordLevel, text: string, fields: LogFields = NONE, report?: ReportKind): void {
    const { logLevel, logger } = this.#subject;
    if (!passes(level, logLevel) || !this.#logging.isHeard(level, logger)) return;
    const { error, ...facts } = this.#fields === NONE ? fields : { ...this.#fields, ...fields };
    const record: LogRecord = {
      timeMs: this.#logging.now(),
      level,
      source: this.#subject.logSource,
      text,
      fields: facts,
      ...(error === undefined ? {} : { error }),
      ...(report === undefined ? {} : { report }),
    };
    this.#logging.write(record, logger);
  }

  /** The same log, which adds `fields` to every record; those of a record itself win. */
  with(fields: LogFields): Log {
    return new Log(this.#logging, this.#subject, { ...this.#fields, ...fields });
  }

  /** From which level on its owner logs. A process takes it from its parent when it is spawned. */
  get level(): LogLevel {
    return this.#subject.logLevel;
  }

  /** @throws actor.incorrect – no such level; `trace` can only be given at the start */
  setLevel(level: LogLevel): void {
    this.#subject.logLevel = laterLevel(level);
  }

  /** The only logger that gets the records of its owner; undefined = all. */
  get logger(): string | undefined {
    return this.#subject.logger;
  }

  /** Sends all records of its owner to one logger, or with `undefined` to all again. @throws actor.logger_unknown */
  setLogger(name: string | undefined): void {
    if (name !== undefined) this.#logging.check(name);
    this.#subject.logger = name;
  }
}
