import { describe } from "vitest";
import { transportConformance } from "../../src/testing/transport-conformance.ts";
import { grpcTcpHarness, grpcUnixHarness } from "./transports.ts";

describe("gRPC links keep the contract of transports", () => {
  transportConformance({ name: "gRPC over a unix socket", open: grpcUnixHarness });
  transportConformance({ name: "gRPC over 127.0.0.1", open: grpcTcpHarness });
});
