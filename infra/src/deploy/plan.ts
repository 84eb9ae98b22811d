import type { Member } from "./manager.ts";
import type { MadeNode } from "./provider.ts";
import type { Topology, TopologyGroup, WantedNode } from "./topology.ts";

/**
 * What is done with one node. `create`: it is made, and adopted. `start`: it is there and does not run, or has no manager; it keeps its data.
 * `update`: what it is made from has changed; it is drained and made to run anew. `replace`: its group has another provider now; it is removed,
 * then created. `remove`: it is released, then destroyed. `release`: nobody wants it, and none of the providers has it.
 */
export type StepAction = "create" | "start" | "update" | "replace" | "remove" | "release";

/** Why a node is in maintenance that a deployment has put there. */
export const MAINTENANCE_REASON = "it is deployed anew";

/** Whether a deployment was cut off before it could end the maintenance that it began. */
export function isLeftInMaintenance({ card }: Member): boolean {
  return card?.maintenance?.reason === MAINTENANCE_REASON;
}

/** Whether its manager has a child; that it hands nothing to it just now is its own affair. */
export function isManaged({ state }: Member): boolean {
  return state === "managed" || state === "maintenance" || state === "quarantined";
}

/** One node that is not as it is to be. */
export interface Step {
  readonly action: StepAction;
  readonly node: string;
  readonly group: string;
  /** Absent where no provider has the node. */
  readonly provider?: string;
  readonly reason: string;
}

/** What there is to do until all is as the topology says; nothing, when it is. */
export interface Plan {
  readonly topology: string;
  /** In the order in which they are taken. */
  readonly steps: readonly Step[];
  /** Nodes that are as they are to be. */
  readonly unchanged: number;
}

/** A node that was made, and the group whose provider has it. */
export interface FoundNode extends MadeNode {
  readonly by: TopologyGroup;
}

/** All that a plan is made from: what is wanted, what was made, and who is managed. */
export interface Situation {
  readonly topology: Topology;
  readonly made: ReadonlyMap<string, FoundNode>;
  readonly members: ReadonlyMap<string, Member>;
}

const ORDER: readonly StepAction[] = ["create", "start", "update", "replace", "remove", "release"];

/** Compares what is wanted with what is there. */
export function planOf({ topology, made, members }: Situation): Plan {
  const wanted = new Map(topology.groups.flatMap((group) => group.nodes.map((node) => [node.name, { node, group }] as const)));
  const steps: Step[] = [];
  for (const { node, group } of wanted.values()) {
    const step = stepFor({ node, group }, made.get(node.name), members.get(node.name));
    if (step !== undefined) steps.push({ ...step, node: node.name, group: group.name, provider: group.provider });
  }
  const unchanged = wanted.size - steps.length;
  for (const { name, group, by } of made.values()) {
    if (wanted.has(name)) continue;
    steps.push({ action: "remove", node: name, group, provider: by.provider, reason: "nobody wants it" });
  }
  for (const { name, card } of members.values()) {
    if (card?.labels.topology !== topology.name || wanted.has(name) || made.has(name)) continue;
    steps.push({
      action: "release",
      node: name,
      group: card.labels.group ?? "",
      reason: "nobody wants it, and no provider has it",
    });
  }
  const rank = ({ action }: Step): number => ORDER.indexOf(action);
  return { topology: topology.name, steps: steps.sort((a, b) => rank(a) - rank(b)), unchanged };
}

function stepFor(
  { node, group }: { readonly node: WantedNode; readonly group: TopologyGroup },
  made: FoundNode | undefined,
  member: Member | undefined,
): Pick<Step, "action" | "reason"> | undefined {
  if (made === undefined) {
    const wasThere = member === undefined ? "" : ", and what its manager knows of it is lost";
    return { action: "create", reason: `it is not there${wasThere}` };
  }
  if (made.by.provider !== group.provider) return { action: "replace", reason: `it is with ${made.by.provider} as yet` };
  if (made.state === "ended") return { action: "start", reason: "it does not run" };
  if (member === undefined) return { action: "start", reason: "it has no manager" };
  if (made.digest !== node.digest) return { action: "update", reason: "what it is made from has changed" };
  if (isLeftInMaintenance(member)) return { action: "start", reason: "an update of it was cut off" };
  if (isManaged(member)) return undefined;
  return { action: "start", reason: `its manager says that it is ${member.state}` };
}
