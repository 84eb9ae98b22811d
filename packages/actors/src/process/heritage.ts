import type { Reason } from "../identity/index.ts";
import type { LogLevel } from "../log/index.ts";

/** The application that a process belongs to. */
export interface Scope<P> {
  readonly name: string;
  /** Whether it takes no new processes any more. */
  readonly isClosed: boolean;
  /** A process was made in it, and begins. */
  joined(process: P): void;
  /** A process of it has ended; its `terminate` follows. */
  ended(process: P, reason: Reason): void;
  /** A process of it has finished its `terminate`, or never began. */
  left(process: P): void;
}

/**
 * What a process hands down to what it spawns. Most processes share one with their parent, so that an idle one pays a
 * single reference; nobody changes it: a change makes another one.
 */
export interface Heritage<P> {
  /** By upper-case names. */
  readonly env: ReadonlyMap<string, unknown> | undefined;
  readonly logLevel: LogLevel;
  readonly application: Scope<P> | undefined;
}

/** `changes` laid over `base`, whose maps stay as they are; undefined and null take a variable away. */
export function overlay(
  base: ReadonlyMap<string, unknown> | undefined,
  changes: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, unknown> {
  const merged = new Map(base);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null) merged.delete(name.toUpperCase());
    else merged.set(name.toUpperCase(), value);
  }
  return merged;
}
