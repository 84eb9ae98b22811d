import { Deployment, type DeployOptions, type NodeStatus } from "./deployment.ts";
import { logOf, openProviders } from "./found.ts";
import type { Plan } from "./plan.ts";
import type { Topology } from "./topology.ts";

/** What {@link apply} would do. */
export async function plan(topology: Topology, options: DeployOptions): Promise<Plan> {
  return (await Deployment.open(topology, options)).plan();
}

/**
 * Makes what is there into what the topology says: nodes that are missing are made and adopted, those that have changed are drained and made anew,
 * those that are too many are released and destroyed. Done again, it does nothing. Gives the plan that it followed.
 * @throws {MetanodeError} processor.start – a node did not start or did not come to its manager, and is taken away again; call.deadline – one
 * did not drain in time, and stays; and what providers say. `details.failures` names each.
 */
export async function apply(topology: Topology, options: DeployOptions): Promise<Plan> {
  return (await Deployment.open(topology, options)).apply();
}

/** Releases and destroys every node of the topology. @throws {MetanodeError} as {@link apply} */
export function destroy(topology: Topology, options: DeployOptions): Promise<Plan> {
  return apply(emptied(topology), options);
}

/** The topology without its nodes; its providers stay, to find them. */
export function emptied(topology: Topology): Topology {
  return { ...topology, groups: topology.groups.map((group) => ({ ...group, nodes: [] })) };
}

/** Every node of the topology, as it is now. */
export async function status(topology: Topology, options: DeployOptions): Promise<NodeStatus[]> {
  return (await Deployment.open(topology, options)).status();
}

/** The last lines that a node wrote. Needs no manager. @throws {MetanodeError} resource.not_found */
export async function logs(topology: Topology, node: string, lines: number): Promise<readonly string[]> {
  return logOf(topology, await openProviders(topology), { node, lines });
}
