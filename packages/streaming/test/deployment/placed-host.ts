/**
 * A node of a tree in a process of its own, with graphs; says its token and then obeys: `drain` ends it, a list is put into the stream
 * `orders` of its log. With a folder it is the same node again after a restart. Not a test.
 */
import { createMessage, createNode } from "@metanode/core";
import { treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { streaming } from "../../src/module/index.ts";

const [name = "", labels = "{}", listen = "127.0.0.1:0", folder = ""] = process.argv.slice(2);
const tree = treeModule({ listen, heartbeatMs: 300, labels: JSON.parse(labels) as Record<string, string> });
const node = await createNode({
  name,
  modules: [streaming(), tree],
  logger: pino({ level: "silent" }),
  ...(folder === "" ? {} : { folder }),
});
const { text } = await tree.tree.token({ purpose: "adopt" });
process.send?.({ token: text, address: tree.tree.address });
process.once("disconnect", () => process.exit());
process.on("message", async (order: "drain" | readonly unknown[]) => {
  if (order === "drain") {
    await node.drain();
    process.exit();
  }
  const stream = await node.log.stream("orders");
  for (const data of order) await stream.append(createMessage({ type: "order", source: "/test", data }));
});
