import { fileURLToPath } from "node:url";
import { createNode, processors } from "@metanode/core";
import type { Echo } from "../echo.ts";

/** A node with one processor process: the way of a call through router, group and pool, as any user of a node has it. */
export async function openOurProcessors(): Promise<Echo> {
  const file = fileURLToPath(new URL("./echo-processor.ts", import.meta.url));
  const node = await createNode({ name: "bench", modules: [processors([{ name: "echo", file }])] });
  return {
    call: (payload) => node.call({ type: "bench.echo", data: payload }),
    note: "a whole node: router, deadline, tracing and metrics as by default, one process",
    close: () => node.close(),
  };
}
