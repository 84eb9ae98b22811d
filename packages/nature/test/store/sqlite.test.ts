import { storeConformance } from "../../src/testing/store-conformance.ts";
import { sqliteHarness } from "./sqlite-harness.ts";

storeConformance({ name: "SQLite", open: sqliteHarness });
