import { describe } from "vitest";
import { transportConformance } from "../../src/testing/transport-conformance.ts";
import { NO_NATS } from "./nats-server.ts";
import { natsHarness } from "./transports.ts";

describe.skipIf(NO_NATS !== undefined)("NATS links keep the contract of transports", () => {
  transportConformance({ name: "NATS", open: natsHarness });
  transportConformance({
    name: "NATS with messages of 4 KiB and a window of 8",
    open: () => natsHarness("max_payload: 4096", { windowBytes: 8_192 }),
  });
});
