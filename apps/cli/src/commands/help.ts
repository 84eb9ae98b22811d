import type { CommandSpec } from "../command.ts";

/** Commands about the command line itself. */
export const helpCommands: readonly CommandSpec[] = [
  {
    path: "explain",
    summary: "say what an error code means and what it does to exit status and HTTP status",
    arguments: [{ usage: "[code]", summary: "for example processor.down; without one, all codes", complete: "code" }],
    examples: [
      { line: "explain processor.down", does: "one code" },
      { line: "explain -o json", does: "the whole table" },
    ],
    load: () => import("../run/explain.ts"),
  },
  {
    path: "completion",
    summary: "print a completion script for a shell",
    arguments: [{ usage: "<shell>", summary: "bash, zsh or fish", choices: ["bash", "zsh", "fish"] }],
    examples: [
      { line: "completion bash > ~/.local/share/bash-completion/completions/metanode", does: "for bash" },
      { line: "completion fish > ~/.config/fish/completions/metanode.fish", does: "for fish" },
      { line: "completion zsh > ~/.zfunc/_metanode", does: "for zsh, with ~/.zfunc in fpath" },
    ],
    load: () => import("../run/completion.ts"),
  },
  {
    path: "version",
    summary: "print the versions of metanode and of the Node that runs it",
    examples: [{ line: "version -o json", does: "for programs" }],
    load: () => import("../run/version.ts"),
  },
];

/** What the completion scripts ask. */
export const hiddenCommands: readonly CommandSpec[] = [
  {
    path: "__complete",
    summary: "print names for a completion script",
    arguments: [
      { usage: "<kind>", summary: "what is wanted", choices: ["processor", "actor", "meta", "type", "context", "code"] },
    ],
    examples: [{ line: "__complete type", does: "the types of the node, within 300 ms" }],
    load: () => import("../run/complete.ts"),
  },
];
