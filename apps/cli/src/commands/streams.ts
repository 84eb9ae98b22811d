import type { CommandSpec } from "../command.ts";

/** Commands about graphs of stages. */
export const streamCommands: readonly CommandSpec[] = [
  {
    path: "stream plan",
    summary: "show what an expression comes to: tree, sources, sinks, edges and start order; needs no node",
    details:
      "`a; b` feeds a into b, `a || b` puts them side by side, `+` does too and binds less. `;` and `||` bind alike, from the left: to fan out, write `a; (b || c)`. Each mistake is shown with its line, its column and a caret.",
    arguments: [{ usage: "<expression>", summary: "the expression; @file reads it from a file, - from standard input" }],
    options: [
      { flags: "--names <a,b,c>", summary: "the nodes that there are; any other name is an error" },
      { flags: "--mermaid", summary: "print the graph as Mermaid text instead" },
    ],
    examples: [
      { line: "stream plan 'numgen; filter; (printer || counter)'", does: "who feeds whom" },
      { line: "stream plan 'a; b' --names a,b,c -o json", does: "for programs, and with names checked" },
      { line: "stream plan 'a; (b || c)' --mermaid", does: "a drawing, as text" },
    ],
    load: () => import("../run/stream-plan.ts"),
  },
  {
    path: "stream import",
    summary: "turn a GoStreaming scheme into a graph, with every fault named; needs no node",
    arguments: [{ usage: "<file>", summary: "the scheme in JSON or YAML, or - for standard input", complete: "file" }],
    examples: [
      { line: "stream import scheme.yaml", does: "what is in it" },
      { line: "stream import scheme.yaml -o json > graph.json", does: "the graph, for programs" },
    ],
    load: () => import("../run/stream-import.ts"),
  },
];
