/** What users and sibling packages test with. */

export { conformanceProcessor, conformanceProcessorFile } from "./conformance-processor.ts";
export { settle, VirtualClock } from "./virtual-clock.ts";
