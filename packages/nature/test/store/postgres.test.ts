import { storeConformance } from "../../src/testing/store-conformance.ts";
import { sharedPostgres } from "../postgres/database.ts";
import { postgresHarness } from "./postgres-harness.ts";

const server = await sharedPostgres();
storeConformance({
  name: "PostgreSQL",
  skip: "reason" in server ? server.reason : undefined,
  open: () => postgresHarness("url" in server ? server.url : ""),
});
