import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const FILE: ArgumentSpec = { usage: "<file>", summary: "topology: YAML, or code whose default export it is", complete: "file" };
const UNDER: OptionSpec = {
  flags: "--under <node>",
  summary: "the node that is to manage them: a path or an id (default: the node itself)",
};
const CHANGES: readonly OptionSpec[] = [
  { flags: "--dry-run", summary: "only say what would be done" },
  { flags: "--timeout <duration>", summary: "longest wait for one node to come to its manager (default 1m)", kind: "duration" },
  { flags: "--drain <duration>", summary: "longest wait for one node to finish what it has (default 10s)", kind: "duration" },
  { flags: "--parallel <count>", summary: "so many nodes at a time (default 8)", kind: "count" },
  { flags: "--force", summary: "release also who cannot be reached or does not finish what it has" },
  { flags: "-y, --yes", summary: "do not ask" },
  UNDER,
];

/** Commands about the nodes that a file says there are to be. */
export const deployCommands: readonly CommandSpec[] = [
  {
    path: "deploy apply",
    summary: "make the nodes of a topology what the file says: make, adopt, renew, release and destroy",
    details:
      "Says what it is about to do before it asks. A node that does not come to its manager is taken away again, with the end of its log in the error. Done again, it does nothing.",
    arguments: [FILE],
    options: CHANGES,
    examples: [
      { line: "deploy apply shop.yaml --dry-run", does: "what would be done" },
      { line: "deploy apply shop.yaml --yes", does: "do it" },
    ],
    load: async () => ({ run: (await import("../run/deploy.ts")).apply }),
  },
  {
    path: "deploy status",
    summary: "list the nodes of a topology, as their providers and their manager see them",
    arguments: [FILE],
    options: [UNDER],
    examples: [{ line: "deploy status shop.yaml", does: "where each is, and what the next apply would do with it" }],
    load: async () => ({ run: (await import("../run/deploy.ts")).status }),
  },
  {
    path: "deploy destroy",
    summary: "release and destroy all nodes of a topology, with their data",
    arguments: [FILE],
    options: CHANGES,
    examples: [{ line: "deploy destroy shop.yaml --drain 1m", does: "when each has finished what it has" }],
    load: async () => ({ run: (await import("../run/deploy.ts")).destroy }),
  },
  {
    path: "deploy logs",
    summary: "print the end of what a node of a topology wrote",
    arguments: [FILE, { usage: "<node>", summary: "its name, as `metanode deploy status` says it" }],
    options: [{ flags: "--tail <count>", summary: "only the last lines (default 100)", kind: "count" }],
    examples: [{ line: "deploy logs shop.yaml shop-eu-0 --tail 20", does: "wherever it runs" }],
    load: async () => ({ run: (await import("../run/deploy.ts")).logs }),
  },
];
