import type { Reason } from "../identity/index.ts";
import type { Tables } from "./tables.ts";
import { registerEvent, sendEvent } from "./watch.ts";

/** The event that every kernel has of its own. Subscribe to it like to any other. */
export const CORE_EVENT = "core";
/** How many of its last messages a new subscriber gets. */
const KEPT = 1_000;

/** What the kernel publishes by the event `core`: what comes and goes on its node and around it. */
export type CoreMessage =
  | { readonly kind: "application_started"; readonly name: string }
  | { readonly kind: "application_stopped"; readonly name: string; readonly reason: Reason }
  | { readonly kind: "node_connected" | "node_disconnected"; readonly node: string };

/** Registers the event `core`. */
export function openBus(tables: Tables): void {
  registerEvent(tables, undefined, CORE_EVENT, { bufferLimit: KEPT });
}

/** Publishes by the event `core`; does nothing once the kernel has stopped. */
export function publishCore(tables: Tables, message: CoreMessage): void {
  const entry = tables.events.get(CORE_EVENT);
  if (entry !== undefined && tables.state !== "stopped") sendEvent(tables, undefined, CORE_EVENT, entry.token, message);
}
