import type { Bench } from "../contender.ts";
import { actorsBench } from "./actors.ts";
import { consoleBench } from "./console.ts";
import { logBench } from "./log.ts";
import { natureBench } from "./nature.ts";
import { processorsBench } from "./processors.ts";
import { startupBench } from "./startup.ts";
import { streamingBench, tenGigabytesBench } from "./streaming.ts";
import { treeBench, treeStreamBench } from "./tree.ts";

/** Every bench that `npm run bench` knows, in the order in which they are listed. */
export const benches: readonly Bench[] = [
  processorsBench,
  logBench,
  actorsBench,
  natureBench,
  streamingBench,
  tenGigabytesBench,
  treeBench,
  treeStreamBench,
  startupBench,
  consoleBench,
];
