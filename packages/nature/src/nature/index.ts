/** Workflows on their own: without a node. */
export { Nature, openNature, openStore } from "./nature.ts";
export type { NatureOptions } from "./options.ts";
