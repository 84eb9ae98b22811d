import type { EventEntry } from "../events/event.ts";
import type { Alias } from "../identity/index.ts";
import type { Consumer } from "../relations/watch-list.ts";

/** Where mail goes that does not fit. */
export interface Fallback {
  /** A name registered on the same kernel. */
  readonly name: string;
  /** Tells the receiver which fallback this was. @default "" */
  readonly tag?: string;
}

/** How large messages to other nodes are made smaller. */
export interface Compression {
  /** @default "gzip" */
  readonly type?: "gzip" | "zlib";
  /** 1 = fast to 9 = small. @default that of zlib */
  readonly level?: number;
  /** Messages from this size on are compressed; at least 1_024. @default 1_024 */
  readonly thresholdBytes?: number;
}

/** What few processes have; an idle actor pays nothing for it. */
export class Extras<P extends Consumer> {
  readonly aliases = new Set<Alias<never, never>>();
  readonly events = new Set<EventEntry<Consumer, P>>();
  /** Its meta-processes whose main activity has not come back. */
  readonly metas = new Set<P>();
  /** Called when the process has ended, before its `terminate`: repeating timers. */
  readonly onEnd = new Set<(reason: unknown) => void>();
  fallback: Fallback | undefined = undefined;
  /** The only logger that gets its records. */
  logger: string | undefined = undefined;
  /** The name by which it is a logger itself. */
  loggerName: string | undefined = undefined;
  /** How what it sends to other nodes is made smaller. */
  compression: Compression | undefined = undefined;
  /** Whether it wants to know when its mail to other nodes does not arrive. */
  isImportant = false;
  /** Whether the reason of an end that was not intended keeps the mail that waited. */
  preservesMailbox = false;
}

/** The extras of `process`, made when first needed. */
export function extrasOf<P extends Consumer>(process: P & { extras: Extras<P> | undefined }): Extras<P> {
  process.extras ??= new Extras<P>();
  return process.extras;
}
