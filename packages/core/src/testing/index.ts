/** What users and sibling packages test with. */

export { type CheckProcessorOptions, type CheckResult, checkProcessor, type KitReport } from "../processor/kit.ts";
export { conformanceProcessor, conformanceProcessorFile } from "./conformance-processor.ts";
export { settle, VirtualClock } from "./virtual-clock.ts";
