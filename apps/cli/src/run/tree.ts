import { paths } from "../api/paths.ts";
import type { TreeNodeView, TreeView } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { showOrWatch } from "../watch.ts";

/** `metanode tree` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const query = { where: invocation.text("where"), depth: invocation.number("depth"), under: invocation.text("under") };
  await showOrWatch<TreeView>(invocation, {
    look: () => client.json<TreeView>({ path: paths.tree, query }),
    text: (view) => treeText(output, view),
  });
}

const COLOURS: Readonly<Record<string, "green" | "yellow" | "red" | "cyan">> = {
  managed: "green",
  free: "green",
  owned: "green",
  pending: "cyan",
  offered: "cyan",
  maintenance: "yellow",
  suspect: "yellow",
  releasing: "yellow",
  moving: "yellow",
  orphaned: "red",
  unreachable: "red",
  quarantined: "red",
};

function treeText(output: Output, { nodes, missing, truncated, total }: TreeView): string {
  const depths = new Map(nodes.map(({ path }) => [path, path.split("/").length] as const));
  const top = Math.min(...depths.values());
  const rows = nodes.map((node) => ({ node, indent: "  ".repeat((depths.get(node.path) ?? top) - top) }));
  const table = output.table(
    rows,
    [
      { title: "NODE", value: ({ node, indent }) => indent + (indent === "" ? node.path : node.name) },
      {
        title: "STATE",
        value: ({ node }) => node.state,
        paint: (text, { node }) => output.paint(COLOURS[node.state] ?? "dim", text),
      },
      { title: "EPOCH", value: ({ node }) => node.epoch, align: "right" },
      { title: "VERSION", value: ({ node }) => node.version },
      { title: "LABELS", value: ({ node }) => labelsText(node) },
      { title: "TYPES", value: ({ node }) => node.types.join(" ") },
    ],
    "no node fits",
  );
  const notes = missing.map(({ path, status }) => `${path} did not answer: ${status}`);
  if (truncated) notes.push(`the first ${nodes.length} of ${total}; --under and --where show less`);
  return [table, ...notes].join("\n");
}

function labelsText({ labels }: TreeNodeView): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
