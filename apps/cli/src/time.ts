/** The one place where the command line reads time. Unlike core's clock, a pause here keeps the process alive. */

/** Milliseconds since the Unix epoch. */
export function nowMs(): number {
  return Date.now();
}

/** Resolves after `delayMs`. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Milliseconds since the process began, with a fraction: for measuring, never for wall time. */
export function uptimeMs(): number {
  return performance.now();
}
