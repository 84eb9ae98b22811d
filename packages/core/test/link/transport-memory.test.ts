import { transportConformance } from "../../src/testing/transport-conformance.ts";
import { memoryHarness } from "./transports.ts";

transportConformance({ name: "memory", open: memoryHarness });
