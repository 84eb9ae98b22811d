/** What providers of one's own are tried with. */
export { type DeployConformanceOptions, deployConformance } from "./deploy-conformance.ts";
export { type DeployHarness, processesNaming } from "./deploy-harness.ts";
