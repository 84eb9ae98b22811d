import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryLinks, type Link } from "../../src/index.ts";
import { dialGrpc, openGrpcServer } from "../../src/remote/grpc.ts";
import { type LinkHarness, linkConformance } from "../../src/testing/link-conformance.ts";

async function openGrpc(address: string): Promise<LinkHarness> {
  const arrived = Promise.withResolvers<Link>();
  const server = await openGrpcServer({ connect: async (link) => arrived.resolve(link) }, { address });
  const dialled = await dialGrpc(server.address);
  const ends = [dialled, await arrived.promise] as const;
  return {
    ends,
    async dispose() {
      for (const end of ends) end.close();
      await server.close();
    },
  };
}

linkConformance({ name: "memory", open: async () => ({ ends: createMemoryLinks(), dispose: async () => undefined }) });
linkConformance({ name: "gRPC over TCP", open: () => openGrpc("127.0.0.1:0") });
linkConformance({
  name: "gRPC over a unix socket",
  async open() {
    const folder = await mkdtemp(join(tmpdir(), "metanode-link-"));
    const harness = await openGrpc(`unix:${join(folder, "s")}`);
    return {
      ends: harness.ends,
      async dispose() {
        await harness.dispose();
        await rm(folder, { recursive: true });
      },
    };
  },
});
