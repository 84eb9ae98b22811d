import { setTimeout } from "node:timers/promises";
import { systemClock } from "@metanode/core/clock";

export interface UntilOptions {
  /** How often it is looked, in milliseconds. */
  readonly everyMs: number;
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Looks again and again; gives whether it became so in time. What keeps the process alive is that it waits. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  { everyMs, limitMs, signal }: UntilOptions,
): Promise<boolean> {
  const untilMs = systemClock.now() + limitMs;
  while (!(await isSo())) {
    if (systemClock.now() >= untilMs) return false;
    await setTimeout(everyMs, undefined, signal === undefined ? {} : { signal });
  }
  return true;
}
