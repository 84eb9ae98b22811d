/**
 * Nodes that manage nodes, to any depth: adopt, release, hand on; messages by path, id and type; a message for all; maintenance.
 * Published as `@metanode/core/tree`.
 *
 * ```ts
 * await using root = await createNode({ name: "root", modules: [treeModule({ listen: "127.0.0.1:7400" })] });
 * const { text } = (await root.call({ type: "metanode.tree.token" })) as { text: string };
 * await using leaf = await createNode({ name: "leaf", modules: [treeModule({ join: text })] });
 * ```
 */

export type { AdoptOptions, Released, ReleaseOptions } from "./adoption.ts";
export type { AuditEntry } from "./audit.ts";
export type { Maintenance, NodeCard, NodeIdentity } from "./card.ts";
export type { Child, ChildState } from "./child.ts";
export type { ForAllOutcome } from "./collect.ts";
export { FOLDS, type Fold } from "./fold.ts";
export { type ForAll, type ForAllEvent, type ForAllRequest, type ForAllResult, policyNamed } from "./for-all.ts";
export type { VisitStatus } from "./frames.ts";
export type { MaintenanceHooks, MaintenanceRequest } from "./maintenance.ts";
export type { NodeTransport, TreeEvent, TreeTimes } from "./means.ts";
export { type TreeModule, type TreeModuleOptions, treeModule } from "./module.ts";
export { parseSelector, type Selector } from "./selector.ts";
export type { StandbyInfo } from "./standby.ts";
export { formatToken, parseToken, type TokenInfo, type TokenPurpose } from "./tokens.ts";
export { grpcTransport, withNats } from "./transports.ts";
export type { Tree } from "./tree.ts";
export type { UpgradeHook, UpgradeRequest } from "./upgrade.ts";
export { type ChildInfo, type NodeDescription, TREE } from "./verbs.ts";
