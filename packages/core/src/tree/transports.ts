import { coreError, type MetanodeError } from "../errors.ts";
import { endedChannel } from "../link/channel.ts";
import { dialLink, openLinkServer } from "../link/grpc.ts";
import { requiresTls } from "../link/tls.ts";
import type { LinkAddress, LinkTransport } from "../link/transport.ts";
import { meet } from "../trust/meet.ts";
import type { NodeTransport } from "./means.ts";

/** Links over gRPC: plain, or with certificates. */
export const grpcTransport: NodeTransport = {
  async listen(address, onChannel, tls) {
    if (isNatsAddress(address)) throw withoutBus(address);
    return openLinkServer(address, onChannel, tls);
  },
  dial: (address, trust) => (isNatsAddress(address) ? endedChannel(withoutBus(address)) : dialLink(address, trust)),
  meet,
  requiresTls,
};

/**
 * Links by the form of the address: `nats:<name>` over NATS, everything else over gRPC. Links over NATS have no certificates of a
 * tree: who may use the bus, and whether what passes there can be read, is for the accounts and the TLS of its server.
 */
export function withNats(nats: LinkTransport): NodeTransport {
  return {
    async listen(address, onChannel, tls) {
      if (!isNatsAddress(address)) return grpcTransport.listen(address, onChannel, tls);
      if (tls !== undefined) throw withoutCertificates(address);
      return nats.listen(address, onChannel);
    },
    dial: (address, trust) => (isNatsAddress(address) ? nats.dial(address) : grpcTransport.dial(address, trust)),
    async meet(address, acquaintance, timeoutMs) {
      if (isNatsAddress(address)) throw withoutCertificates(address);
      return meet(address, acquaintance, timeoutMs);
    },
    requiresTls: (address) => !isNatsAddress(address) && requiresTls(address),
  };
}

function isNatsAddress(address: LinkAddress): boolean {
  return address.startsWith("nats:");
}

function withoutBus(address: LinkAddress): MetanodeError {
  return coreError("config.invalid", `${address} is a name on NATS, and this node has no server of it; set tree.nats`, {
    details: { path: "tree.nats" },
  });
}

function withoutCertificates(address: string): MetanodeError {
  return coreError(
    "config.invalid",
    `${address} is a name on NATS, and links there have no certificates of a tree; set tree.tls to "auto"`,
    {
      details: { path: "tree.tls" },
    },
  );
}
