/** A node of a tree in a process of its own, with graphs; says its token and then obeys. Not a test. */
import { createNode } from "@metanode/core";
import { treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { streaming } from "../../src/module/index.ts";

const [name = "", labels = "{}"] = process.argv.slice(2);
const tree = treeModule({ listen: "127.0.0.1:0", heartbeatMs: 300, labels: JSON.parse(labels) as Record<string, string> });
const node = await createNode({ name, modules: [streaming(), tree], logger: pino({ level: "silent" }) });
const { text } = await tree.tree.token({ purpose: "adopt" });
process.send?.(text);
process.once("disconnect", () => process.exit());
process.on("message", () => void node.drain().then(() => process.exit()));
