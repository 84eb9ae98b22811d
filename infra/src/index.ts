/**
 * Brings the nodes of a tree into being: as processes of this machine, on other hosts over ssh, as containers, on Kubernetes. However a node is
 * made, what it ends in is an adoption; however it goes, it is released first.
 *
 * ```ts
 * const shop = resolveTopology({
 *   name: "shop",
 *   groups: [{ name: "eu", provider: "process", replicas: 3, labels: { region: "eu" } }],
 * });
 * await using manager = await createNode({ name: "root", folder: ".metanode", modules: [treeModule()] });
 * await apply(shop, { manager });
 * ```
 */

export { apply, destroy, emptied, logs, plan, status } from "./deploy/deploy.ts";
export type { DeployOptions, NodeStatus } from "./deploy/deployment.ts";
export type { Manager } from "./deploy/manager.ts";
export type { Plan, Step, StepAction } from "./deploy/plan.ts";
export type { DeployProvider, MadeNode, NodeSpec, ProviderContext, ProviderKind } from "./deploy/provider.ts";
export {
  readTopology,
  resolveTopology,
  type Topology,
  type TopologyGroup,
  type TopologyInput,
  type TopologyOptions,
} from "./deploy/topology.ts";
