import type { ArgumentSpec, CommandSpec } from "../command.ts";

const NAME: ArgumentSpec = { usage: "<name>", summary: "name of the context", complete: "context" };

/** Commands about nodes known by name. */
export const contextCommands: readonly CommandSpec[] = [
  {
    path: "context ls",
    summary: "list the contexts",
    examples: [{ line: "context ls", does: "which nodes are known by name" }],
    load: () => import("../run/context-list.ts"),
  },
  {
    path: "context use",
    summary: "make a context the current one",
    arguments: [NAME],
    examples: [{ line: "context use eu", does: "speak to that node from now on" }],
    load: () => import("../run/context-use.ts"),
  },
  {
    path: "context set",
    summary: "make or change a context from --url, --token and --data",
    details: "With --token - the token is read from standard input, so that it stands in no history.",
    arguments: [NAME],
    examples: [
      { line: "context set eu --url https://eu.example:7400 --token - < token", does: "a node elsewhere" },
      { line: "context set here --data /var/lib/metanode", does: "a node on this machine, by its data folder" },
    ],
    load: () => import("../run/context-set.ts"),
  },
  {
    path: "context show",
    summary: "show which node is meant: each setting and where it comes from",
    details: "A flag comes before the environment, that before the context, that before the data folder on this machine.",
    examples: [{ line: "context show", does: "why this node and no other" }],
    load: () => import("../run/context-show.ts"),
  },
  {
    path: "context rm",
    summary: "forget a context",
    arguments: [NAME],
    examples: [{ line: "context rm eu", does: "the node itself is not touched" }],
    load: () => import("../run/context-remove.ts"),
  },
];
