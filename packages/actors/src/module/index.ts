/** How actors plug into a node. */
export { findMeta, findProcess, listMetas, listProcesses, type ProcessNode, type ProcessTree, processTree } from "./directory.ts";
export { type ActorsModule, actors } from "./module.ts";
export { following, type NodeCalls, type NodeMail, nodeRouter } from "./node-actor.ts";
export type { ActorsOptions, HandleSpec, RootRules, RootSpec } from "./options.ts";
export type { RootInfo } from "./root.ts";
