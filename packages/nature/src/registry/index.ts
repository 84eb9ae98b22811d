export { applyChanges } from "./apply.ts";
export type { Edit } from "./edit.ts";
export { type EditOptions, type EditResult, openRegistry, type Registry, type RegistryParts } from "./registry.ts";
export type { MetaUses } from "./rules.ts";
