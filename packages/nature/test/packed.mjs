/**
 * Run by `npm run check:packages` in an empty folder where the packed package is installed, with plain Node: the parts that name files at
 * run time (the store's thread, its migrations, Prisma's generated client) find them there too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import * as path from "node:path";
import { keyOf, openSqliteStore } from "@metanode/nature";

const folder = mkdtempSync(path.join(import.meta.dirname, "store-"));
const store = await openSqliteStore({ folder });
try {
  const data = { content: "A", context: {}, sysContext: {}, states: [], from: undefined, createdMs: 1 };
  const order = { meta: "B:shop/order:1", id: "7", para: "", version: 0, ...data };
  assert.deepEqual(await store.commit([{ instances: [{ instance: order, tasks: [] }] }]), [{ status: "done", stored: [true] }]);
  assert.deepEqual(await store.load([order]), [order]);
  const { items } = await store.reads.recent(order.meta);
  assert.deepEqual(items.map(keyOf), ["B:shop/order:1|7||0"]);
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}
