/**
 * The log: append-only streams with named durable consumers, at least once, in memory or on SQLite.
 *
 * ```ts
 * await using log = await openSqliteLog({ folder: "data" });
 * const orders = await log.stream("orders");
 * await orders.append(createMessage({ type: "order.placed", data: { sku: "tea" } }));
 * ```
 */

export type {
  Appended,
  Consumer,
  ConsumerInfo,
  ConsumerOptions,
  DeadLetter,
  DeadLetters,
  Delivery,
  Log,
  LogStream,
  Stored,
  StreamInfo,
  StreamOptions,
} from "./log.ts";
export { createMemoryLog, type MemoryLogOptions } from "./memory.ts";
export { openSqliteLog, type SqliteLogOptions } from "./sqlite.ts";
