import { actorError } from "../errors.ts";
import { RECORD_LEVELS, type RecordLevel } from "./level.ts";
import type { LogRecord, LogSource } from "./record.ts";

/**
 * Where records go.
 *
 *  L1. A record goes to every logger whose levels hold its own, or to the one that its source is routed to and no other. A
 *      logger whose name begins with a dot gets only what is routed to it.
 *  L2. A logger gets nothing that is logged while it writes, so that no two can feed each other for ever.
 *  L3. A logger that throws is removed, and the others are told; whoever logged does not notice.
 */

/** Gets records, at once and in order. What takes long it does later. */
export type Logger = (record: LogRecord) => void;

/** How a logger is added. */
export interface LoggerOptions {
  /** The levels that it gets. @default all */
  levels?: readonly RecordLevel[];
  /** Called once, when the logger is removed or the kernel has stopped. */
  close?: () => void;
}

/** One logger, as data. */
export interface LoggerInfo {
  readonly name: string;
  readonly levels: readonly RecordLevel[];
}

interface Entry extends LoggerInfo {
  readonly write: Logger;
  readonly close: (() => void) | undefined;
  isWriting: boolean;
}

/** The loggers of one kernel. */
export class Logging {
  readonly #loggers = new Map<string, Entry>();
  readonly #now: () => number;
  readonly #kernel: LogSource;

  constructor(now: () => number, kernel: LogSource) {
    this.#now = now;
    this.#kernel = kernel;
  }

  /** @throws actor.logger_taken, actor.incorrect */
  add(name: string, write: Logger, options: LoggerOptions = {}): void {
    if (name === "" || typeof write !== "function") throw actorError("actor.incorrect", "a logger has a name and a function");
    if (this.#loggers.has(name)) throw actorError("actor.logger_taken", `a logger ${name} exists already`);
    const levels = options.levels ?? RECORD_LEVELS;
    for (const level of levels) {
      if (!RECORD_LEVELS.includes(level)) throw actorError("actor.incorrect", `a logger cannot have the level ${String(level)}`);
    }
    this.#loggers.set(name, { name, levels: [...levels], write, close: options.close, isWriting: false });
  }

  /** @throws actor.logger_unknown */
  remove(name: string): void {
    const entry = this.#get(name);
    this.#loggers.delete(name);
    try {
      entry.close?.();
    } catch (error) {
      this.#tell(`the logger ${name} could not be closed`, error);
    }
  }

  /** @throws actor.logger_unknown */
  check(name: string): void {
    this.#get(name);
  }

  list(): LoggerInfo[] {
    return [...this.#loggers.values()].map(({ name, levels }) => ({ name, levels }));
  }

  /** Whether a record would reach anybody. */
  isHeard(level: RecordLevel, only: string | undefined): boolean {
    if (only !== undefined) return this.#loggers.get(only)?.levels.includes(level) === true;
    for (const entry of this.#loggers.values()) if (isOpen(entry) && entry.levels.includes(level)) return true;
    return false;
  }

  /** Gives a record to `only`, or to all. */
  write(record: LogRecord, only: string | undefined): void {
    if (only !== undefined) {
      const entry = this.#loggers.get(only);
      if (entry !== undefined) this.#give(entry, record);
      return;
    }
    for (const entry of this.#loggers.values()) if (isOpen(entry)) this.#give(entry, record);
  }

  /** Removes all loggers. */
  close(): void {
    for (const name of [...this.#loggers.keys()]) this.remove(name);
  }

  /** The time of a record that is made now. */
  now(): number {
    return this.#now();
  }

  #give(entry: Entry, record: LogRecord): void {
    if (entry.isWriting || !entry.levels.includes(record.level)) return;
    entry.isWriting = true;
    try {
      entry.write(record);
    } catch (error) {
      if (this.#loggers.get(entry.name) === entry) this.remove(entry.name);
      this.#tell(`the logger ${entry.name} threw and was removed`, error);
    }
    entry.isWriting = false;
  }

  #tell(text: string, error: unknown): void {
    this.write({ timeMs: this.#now(), level: "error", source: this.#kernel, text, fields: {}, error }, undefined);
  }

  #get(name: string): Entry {
    const entry = this.#loggers.get(name);
    if (entry === undefined) throw actorError("actor.logger_unknown", `there is no logger ${name}`);
    return entry;
  }
}

function isOpen({ name }: Entry): boolean {
  return !name.startsWith(".");
}
