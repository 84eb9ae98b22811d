/**
 * Run by `npm run check:packages` in an empty folder where the packed package is installed, with plain Node: the parts that
 * name files at run time (the log's worker, the protocol's proto, a processor's own process) find them there too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { createNode, hasCode, processors } from "@metanode/core";

const folder = mkdtempSync(path.join(import.meta.dirname, "node-"));
const file = path.join(import.meta.dirname, "greeter.mjs");
writeFileSync(
  file,
  `import { defineProcessor, serve } from "@metanode/core/processor";
   await serve(defineProcessor({ name: "greeter", types: { "greet.person": { handle: ({ name }) => "Hello, " + name } } }));`,
);

const node = await createNode({ name: "packed", folder, modules: [processors([{ name: "greeter", file }])] });
try {
  assert.equal(await node.call({ type: "greet.person", data: { name: "Ada" } }), "Hello, Ada");
  await node.send({ type: "greet.person", data: { name: "Grace" } });
  await assert.rejects(node.call({ type: "greet.nobody" }), (error) => hasCode(error, "message.unknown_type"));
} finally {
  await node.close();
  rmSync(folder, { recursive: true });
}
