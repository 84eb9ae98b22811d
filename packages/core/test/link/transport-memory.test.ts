import { describe } from "vitest";
import { transportConformance } from "../../src/testing/transport-conformance.ts";
import { memoryHarness } from "./transports.ts";

describe("memory links keep the contract of transports", () => {
  transportConformance({ name: "memory", open: memoryHarness });
});
