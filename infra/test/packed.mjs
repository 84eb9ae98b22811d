/**
 * Run by `npm run check:packages` in an empty folder where the packed package is installed, with plain Node: a node deployed from it finds the
 * agent's program there too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import * as path from "node:path";
import { createNode } from "@metanode/core";
import { TREE, treeModule } from "@metanode/core/tree";
import { apply, destroy, resolveTopology } from "@metanode/infra";

const folder = mkdtempSync(path.join(import.meta.dirname, "node-"));
const topology = resolveTopology({ name: "packed", groups: [{ name: "a", provider: "process" }] }, { folder });
const manager = await createNode({ name: "root", folder: path.join(folder, "root"), modules: [treeModule()] });
try {
  await apply(topology, { manager });
  const { children } = await manager.call({ type: TREE.describe });
  assert.deepEqual(
    children.map(({ name, state }) => `${name} ${state}`),
    ["packed-a-0 managed"],
  );
} finally {
  await destroy(topology, { manager });
  await manager.close();
  rmSync(folder, { recursive: true });
}
