import { logConformance } from "../../src/testing/log-conformance.ts";
import { memoryHarness } from "./harness.ts";

logConformance({ name: "memory", open: memoryHarness });
