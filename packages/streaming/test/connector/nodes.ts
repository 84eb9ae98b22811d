import { createNode, type ModuleHost, type NodeModule } from "@metanode/core";
import { pino } from "pino";
import type { Services } from "../../src/index.ts";

/** A real node without anything on it, and what it lends to graphs. */
export async function testNode(): Promise<{ readonly services: Required<Services> } & AsyncDisposable> {
  let lent: ModuleHost | undefined;
  const module: NodeModule = {
    name: "test",
    start: async (host) => {
      lent = host;
    },
    health: () => ({ status: "ok", reasons: [] }),
    drain: async () => undefined,
    stop: async () => undefined,
  };
  const node = await createNode({ name: "test", modules: [module], logger: pino({ level: "silent" }) });
  const { log, router } = lent as ModuleHost;
  return { services: { log, router }, [Symbol.asyncDispose]: () => node.close() };
}
