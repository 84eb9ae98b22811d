/** What reads, writes, compares and draws declarations is published by `@metanode/nature/declare`. */

export { defineFlow, type Flow, type JoinedFlows, joinFlows, type LeafStates, meta } from "./declare/index.ts";
export type { NatureErrorCode } from "./errors.ts";
export {
  applyChanges,
  type Edit,
  type EditOptions,
  type EditResult,
  type MetaUses,
  openRegistry,
  type Registry,
  type RegistryParts,
} from "./registry/index.ts";
