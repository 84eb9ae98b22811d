/** How graphs plug into a node. */
export { type StreamingModule, type StreamingModuleOptions, streaming } from "./module.ts";
