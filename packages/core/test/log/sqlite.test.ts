import { logConformance } from "../../src/testing/log-conformance.ts";
import { sqliteHarness } from "./harness.ts";

logConformance({ name: "SQLite", open: () => sqliteHarness() });
logConformance({ name: "SQLite, made on use", open: () => sqliteHarness(true) });
