import { Alias, type PID } from "../identity/index.ts";
import { Log, type Logger, type LoggerInfo, type LoggerOptions, type LogLevel, type LogSubject } from "../log/index.ts";
import { metaBehind } from "../meta/control.ts";
import { undeliverable } from "../runtime/deliver.ts";
import { addProcessLogger } from "../runtime/logs.ts";
import type { Tables } from "../runtime/tables.ts";

/** The log of a kernel: writes in its name, and holds the loggers that get what anybody logs. */
export class KernelLog extends Log {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    super(tables.logging, tables.subject);
    this.#tables = tables;
  }

  /**
   * Adds a logger. It gets every record of its levels, except what is routed to another logger; one whose name begins with a
   * dot gets only what is routed to it. One that throws is removed.
   * @throws actor.logger_taken, actor.incorrect
   */
  addLogger(name: string, write: Logger, options?: LoggerOptions): void {
    this.#tables.logging.add(name, write, options);
  }

  /**
   * Makes a process a logger: its `handleLog` gets the records when no other mail waits, and those that do not fit into its
   * mailbox are dropped. It logs nothing itself meanwhile. Its end removes the logger.
   * @throws actor.process_unknown, actor.logger_taken, actor.not_allowed – it is a logger already, or a pool or router
   */
  addProcess(name: string, pid: PID<never, never>, options?: LoggerOptions): void {
    addProcessLogger(this.#tables, pid, name, options);
  }

  /** @throws actor.logger_unknown */
  removeLogger(name: string): void {
    this.#tables.logging.remove(name);
  }

  loggers(): LoggerInfo[] {
    return this.#tables.logging.list();
  }

  /** The log of a process or meta-process: its level, and where it goes. @throws actor.process_unknown, actor.meta_unknown */
  of(target: PID<never, never> | Alias<never, never>): Log {
    return new Log(this.#tables.logging, this.#subject(target));
  }

  #subject(target: PID<never, never> | Alias<never, never>): LogSubject {
    if (target instanceof Alias) return metaBehind(this.#tables, target, "actor.process_unknown");
    const process = this.#tables.byPid(target);
    if (process === undefined) throw undeliverable("actor.process_unknown", target as PID);
    return process;
  }
}

/** What a kernel logs at its start. */
export interface KernelLogOptions {
  /** From which level on the kernel logs, and what it spawns from now on. @default "info" */
  level?: LogLevel;
  /** By their names; see `kernel.log.addLogger`. */
  loggers?: Readonly<Record<string, Logger>>;
}
