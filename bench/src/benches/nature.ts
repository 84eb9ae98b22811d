import type { Bench } from "../contender.ts";
import { flowMeasures } from "../flows.ts";
import { ourFlows } from "../ours/flow-contender.ts";
import { dbos } from "../peers/dbos.ts";
import { restate } from "../peers/restate.ts";

/** Durable workflows. */
export const natureBench: Bench = {
  name: "nature",
  question: "How many durable workflows of three steps end per second, and what does a stored instance cost?",
  measures: flowMeasures,
  ours: ourFlows,
  peers: [restate, dbos],
};
