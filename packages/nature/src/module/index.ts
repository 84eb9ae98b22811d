/** How workflows plug into a node. */
export type { InputAnswer } from "./inputs.ts";
export { type NatureModule, nature } from "./module.ts";
export type { InputSpec, NatureModuleOptions, OutputSpec } from "./options.ts";
