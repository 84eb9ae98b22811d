import type { EventEntry } from "../events/event.ts";
import type { Alias } from "../identity/index.ts";
import type { Process } from "./process.ts";

/** Where mail goes that does not fit. */
export interface Fallback {
  /** A name registered on the same kernel. */
  readonly name: string;
  /** Tells the receiver which fallback this was. @default "" */
  readonly tag?: string;
}

/** What few processes have; an idle actor pays nothing for it. */
export class Extras {
  readonly aliases = new Set<Alias<never, never>>();
  readonly events = new Set<EventEntry<Process, Process>>();
  /** Called when the process has ended, before its `terminate`: repeating timers, metas. */
  readonly onEnd = new Set<(reason: unknown) => void>();
  env: ReadonlyMap<string, unknown> | undefined = undefined;
  fallback: Fallback | undefined = undefined;
}

/** The extras of `process`, made when first needed. */
export function extrasOf(process: Process): Extras {
  process.extras ??= new Extras();
  return process.extras;
}
