import { coreError } from "@metanode/core/errors";
import type { FoundNode } from "./plan.ts";
import type { DeployProvider } from "./provider.ts";
import type { Topology } from "./topology.ts";

/** The providers of a topology, by the names of its groups. */
export type Providers = ReadonlyMap<string, DeployProvider>;

/** @throws {MetanodeError} call.unsupported – what a provider needs is not installed */
export async function openProviders({ name, folder, groups }: Topology): Promise<Providers> {
  const opened = groups.map(async ({ name: group, kind, options }) => {
    return [group, await kind.open(options, { topology: name, folder })] as const;
  });
  return new Map(await Promise.all(opened));
}

/** All nodes that the providers of a topology see, by name. */
export async function findNodes(topology: Topology, providers: Providers): Promise<ReadonlyMap<string, FoundNode>> {
  const lists = await Promise.all(
    topology.groups.map(async (by) => ({ by, nodes: await (providers.get(by.name) as DeployProvider).list() })),
  );
  const found = new Map<string, FoundNode>();
  for (const { by, nodes } of lists) {
    for (const node of nodes) {
      // Several groups may see it; the provider of its own comes first.
      if (!found.has(node.name) || by.name === node.group) found.set(node.name, { ...node, by });
    }
  }
  return found;
}

/** @throws {MetanodeError} resource.not_found */
export async function logOf(
  topology: Topology,
  providers: Providers,
  { node, lines }: { readonly node: string; readonly lines: number },
): Promise<readonly string[]> {
  const nodes = await findNodes(topology, providers);
  const found = nodes.get(node);
  if (found !== undefined) return (providers.get(found.by.name) as DeployProvider).log(node, lines);
  const known = [...nodes.keys()].join(", ") || "none";
  throw coreError("resource.not_found", `${topology.name} has no node ${node}; it has ${known}`);
}
