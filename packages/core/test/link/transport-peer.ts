/** A process that listens over the transport that its argument says, for the transport conformance suite. Not a test. */
import { natsTransport } from "../../src/link/nats.ts";
import type { LinkTransport } from "../../src/link/transport.ts";
import { serveTransportPeer } from "../../src/testing/transport-conformance.ts";
import { grpcTransport } from "../../src/tree/transports.ts";
import type { PeerSpec } from "./transports.ts";

function transportOf(spec: PeerSpec): LinkTransport {
  return spec.nats === undefined ? grpcTransport : natsTransport(spec.nats);
}

const spec = JSON.parse(process.argv[2] ?? "") as PeerSpec;
const peer = await serveTransportPeer(transportOf(spec), spec);
process.on("message", () => process.send?.({ open: peer.openChannels() }));
process.on("disconnect", () => process.exit());
process.send?.({ echo: peer.echo, session: peer.session });
