import type { Transferable } from "node:worker_threads";

const lists = new WeakMap<object, readonly Transferable[]>();

/**
 * Marks `value`, and gives it back: when it is sent to a worker, or by one, what is in `list` moves to the other thread
 * instead of being copied, and is of no use here any more.
 */
export function transfer<T extends object>(value: T, list: readonly Transferable[]): T {
  lists.set(value, list);
  return value;
}

/** What of `value` is to be moved. */
export function transferOf(value: unknown): readonly Transferable[] {
  return (typeof value === "object" && value !== null ? lists.get(value) : undefined) ?? [];
}
