import { fromWire, toWire, type WireError } from "@metanode/core/errors";
import { isReason, type Reason } from "../identity/index.ts";

/** What crosses between a worker and its thread. A structured clone would take code and class from an error. */

/** A value as it crosses: an error in its wire form. */
export type WireValue = { readonly value: unknown } | { readonly error: WireError };

/** Why the worker is to end. */
export type WireReason = Exclude<Reason, Error> | { readonly error: WireError };

/** To the thread. */
export type ToThread =
  | { readonly kind: "message"; readonly payload: WireValue }
  | { readonly kind: "call"; readonly call: number; readonly payload: WireValue };

/** From the thread. `call` names the call that is through; without it a message is. */
export type FromThread =
  | { readonly kind: "ready" }
  | { readonly kind: "send"; readonly payload: WireValue }
  | { readonly kind: "done" }
  | { readonly kind: "answer"; readonly call: number; readonly payload: WireValue }
  | { readonly kind: "refuse"; readonly call: number; readonly error: WireError }
  | { readonly kind: "unhandled" }
  | { readonly kind: "end"; readonly reason: WireReason };

/** What the thread gets to begin with, as its `workerData`. */
export interface ThreadStart {
  readonly metanodeWorker: true;
  readonly start: unknown;
}

export function wrap(value: unknown): WireValue {
  return value instanceof Error ? { error: toWire(value) } : { value };
}

export function unwrap(payload: WireValue): unknown {
  return "error" in payload ? fromWire(payload.error) : payload.value;
}

export function wrapReason(reason: Reason): WireReason {
  return reason instanceof Error ? { error: toWire(reason) } : reason;
}

export function unwrapReason(wire: WireReason): Reason {
  if (typeof wire === "object") return fromWire(wire.error);
  return isReason(wire) ? wire : "normal";
}
