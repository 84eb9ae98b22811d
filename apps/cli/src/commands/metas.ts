import type { ArgumentSpec, CommandSpec } from "../command.ts";

const FILE: ArgumentSpec = {
  usage: "<file>",
  summary: "TypeScript that exports flows, JSON, or Nature's rows as JSON or SQL; - for standard input",
  complete: "file",
};

/** Commands about metas, relations and their states. These need no node. */
export const metaCommands: readonly CommandSpec[] = [
  {
    path: "meta check",
    summary: "check a meta-string and show its parts; needs no node",
    arguments: [{ usage: "<meta-string>", summary: "TYPE:key:version, for example B:sale/order:1" }],
    examples: [
      { line: "meta check B:sale/order:1", does: "is it one, and what is its one spelling?" },
      { line: "meta check B:/sale/order/:01 -o json", does: "the same for programs" },
    ],
    load: () => import("../run/meta-check.ts"),
  },
  {
    path: "meta states",
    summary: "show what a state expression allows, and what becomes of states when some are added; needs no node",
    details:
      "`,` lists independent states, `|` makes alternatives that exclude each other, `name[...]` groups. States are taken in their order: " +
      "those of --from without those of --remove, then those of --add. Of two that exclude each other the later one stays.",
    arguments: [{ usage: "<expression>", summary: "for example 'new|paid[cash,card],flagged'" }],
    options: [
      { flags: "--from <states>", summary: "states that an instance has, between commas" },
      { flags: "--add <states>", summary: "states that are added" },
      { flags: "--remove <states>", summary: "states that are taken away" },
    ],
    examples: [
      { line: "meta states 'new|paid|package'", does: "which states are there?" },
      { line: "meta states 'a|b[c|d,e]' --from c,e --add a -o json", does: "a takes the place of c and of e" },
    ],
    load: () => import("../run/meta-states.ts"),
  },
  {
    path: "meta mermaid",
    summary: "draw the metas and relations of a file as a Mermaid flowchart; needs no node",
    arguments: [FILE],
    options: [
      {
        flags: "--view <view>",
        summary: "who leads to whom, what belongs to which domain, or who does which work (default relation)",
        choices: ["relation", "domain", "flow"],
      },
    ],
    examples: [
      { line: "meta mermaid shop.flow.ts", does: "metas, and an arrow for each relation" },
      { line: "meta mermaid shop.json --view flow > shop.mmd", does: "with the work between the data" },
    ],
    load: () => import("../run/meta-mermaid.ts"),
  },
  {
    path: "meta export",
    summary: "print the metas and relations of a file as Nature's rows or as JSON; needs no node",
    details: "What Nature does not understand is told on standard error, and the exit status is 8 then.",
    arguments: [FILE],
    options: [
      {
        flags: "--as <form>",
        summary: "INSERT statements, the rows as JSON, or a file of declarations (default sql)",
        choices: ["sql", "rows", "json"],
      },
    ],
    examples: [
      { line: "meta export shop.flow.ts > shop.sql", does: "for Nature's database" },
      { line: "meta export shop.flow.ts --as json > shop.json", does: "code as data" },
    ],
    load: () => import("../run/meta-export.ts"),
  },
  {
    path: "meta import",
    summary: "print Nature's rows, SQL or JSON, as a file of declarations; needs no node",
    details:
      "Old spellings are brought up to date where it is certain what they mean. That, and everything that is left out, is told on standard " +
      "error; the exit status is 8 if something is left out.",
    arguments: [FILE],
    examples: [
      { line: "meta import nature.sql > shop.json", does: "from a dump of Nature's tables" },
      { line: "meta import - -o yaml < rows.json", does: "from rows as JSON, to read them" },
    ],
    load: () => import("../run/meta-import.ts"),
  },
];
