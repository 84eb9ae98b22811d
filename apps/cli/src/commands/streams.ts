import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";
import { WATCH } from "./watch.ts";

const GRAPH: ArgumentSpec = { usage: "<graph>", summary: "name of the graph" };
const DOCUMENT: ArgumentSpec = {
  usage: "<file>",
  summary: "JSON or YAML: a file, - for standard input, or the text itself",
  complete: "file",
};
const YES: OptionSpec = { flags: "-y, --yes", summary: "do not ask" };

const graphs = () => import("../run/graphs.ts");
const actions = () => import("../run/actions.ts");

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
  {
    path: "stream exec",
    summary: "run a graph here to its end, as one runs a pipe; needs no node",
    details:
      "Each --node gives a stage its command. Ends with status 8 when records were given up on, and with 1 when the graph failed.",
    arguments: [{ usage: "<expression>", summary: "the expression; @file for a whole graph in JSON or YAML" }],
    options: [
      { flags: "--node <name=command>", summary: "what a stage runs; once for each", kind: "pairs" },
      { flags: "--stats", summary: "say at the end what passed each stage" },
    ],
    examples: [
      { line: "stream exec 'n; odd' --node n='seq 1 9' --node odd='grep [13579]$'", does: "two programs in a row" },
      { line: "stream exec @graph.yaml --stats", does: "a graph out of a file" },
    ],
    load: () => import("../run/stream-exec.ts"),
  },
  {
    path: "stream ls",
    summary: "list the graphs of the node, and how they do",
    options: [
      { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
      { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
      WATCH,
    ],
    examples: [{ line: "stream ls", does: "which run, and why others do not" }],
    load: () => graphs().then(({ list }) => ({ run: list })),
  },
  {
    path: "stream get",
    summary: "show one graph",
    arguments: [GRAPH],
    examples: [{ line: "stream get numbers -o yaml", does: "with its document" }],
    load: () => graphs().then(({ get }) => ({ run: get })),
  },
  {
    path: "stream check",
    summary: "say everything that is wrong with a graph, and what it would come to; nothing is stored",
    arguments: [DOCUMENT],
    examples: [{ line: "stream check numbers.yaml", does: "faults, warnings, the order of starting" }],
    load: () => graphs().then(({ check }) => ({ run: check })),
  },
  {
    path: "stream apply",
    summary: "store a graph as its next version; one that runs goes on as the new one",
    details: "Where only what stages run has changed, they are swapped one by one, and no record is lost or comes twice.",
    arguments: [DOCUMENT],
    options: [
      { flags: "--name <name>", summary: "instead of the one in the document" },
      { flags: "--run", summary: "and run it" },
    ],
    examples: [{ line: "stream apply numbers.yaml --run", does: "store it, and run it" }],
    load: () => graphs().then(({ apply }) => ({ run: apply })),
  },
  {
    path: "stream run",
    summary: "run a graph; done when every stage is open",
    arguments: [GRAPH],
    options: [{ flags: "--from-start", summary: "forget how far it had come" }],
    examples: [{ line: "stream run numbers", does: "from where it had come to" }],
    load: () => graphs().then(({ runGraph }) => ({ run: runGraph })),
  },
  {
    path: "stream stop",
    summary: "stop a graph after what is under way",
    arguments: [GRAPH],
    options: [
      { flags: "--now", summary: "drop what is under way; it comes again with the next run" },
      { flags: "--grace <duration>", summary: "longest wait for what is under way (default 30s)", kind: "duration" },
    ],
    examples: [{ line: "stream stop numbers", does: "nothing is lost and nothing comes twice" }],
    load: () => graphs().then(({ stop }) => ({ run: stop })),
  },
  {
    path: "stream pause",
    summary: "let a graph read nothing more for now",
    arguments: [GRAPH],
    examples: [{ line: "stream pause numbers", does: "what is under way goes on" }],
    load: () => graphs().then(({ pause }) => ({ run: pause })),
  },
  {
    path: "stream resume",
    summary: "let a paused graph read on",
    arguments: [GRAPH],
    examples: [{ line: "stream resume numbers", does: "from where it stood" }],
    load: () => graphs().then(({ resume }) => ({ run: resume })),
  },
  {
    path: "stream status",
    summary: "show how each stage of a running graph does: rates, what waits, pressure, errors",
    arguments: [GRAPH],
    options: [{ flags: "-w, --watch", summary: "again every second, with rates" }],
    examples: [
      { line: "stream status numbers", does: "the numbers now" },
      { line: "stream status numbers -w", does: "and as they change" },
    ],
    load: () => graphs().then(({ status }) => ({ run: status })),
  },
  {
    path: "stream history",
    summary: "list the versions of a graph, the newest first",
    arguments: [GRAPH],
    examples: [{ line: "stream history numbers", does: "when each was applied" }],
    load: () => graphs().then(({ history }) => ({ run: history })),
  },
  {
    path: "stream rollback",
    summary: "apply an older version of a graph again",
    arguments: [GRAPH, { usage: "<version>", summary: "as the history shows it" }],
    examples: [{ line: "stream rollback numbers 3", does: "as a new version" }],
    load: () => graphs().then(({ rollback }) => ({ run: rollback })),
  },
  {
    path: "stream upgrade",
    summary: "give one stage other settings while the graph runs",
    arguments: [GRAPH, { usage: "<stage>", summary: "the stage" }, { ...DOCUMENT, usage: "<settings>" }],
    examples: [{ line: `stream upgrade numbers filter '{"command": "grep 7"}'`, does: "swapped between two records" }],
    load: () => graphs().then(({ upgrade }) => ({ run: upgrade })),
  },
  {
    path: "stream tap",
    summary: "show records that pass an edge, without slowing it",
    arguments: [GRAPH, { usage: "<from>", summary: "where the edge begins" }, { usage: "<to>", summary: "where it ends" }],
    options: [{ flags: "--limit <count>", summary: "end after so many (default 100)", kind: "count" }],
    examples: [{ line: "stream tap numbers gen filter --limit 5", does: "the next five" }],
    load: () => graphs().then(({ tap }) => ({ run: tap })),
  },
  {
    path: "stream logs",
    summary: "show what the stages of a graph wrote to standard error, and what was said about them",
    arguments: [GRAPH, { usage: "[stage]", summary: "only this one" }],
    options: [
      { flags: "-f, --follow", summary: "go on with every new line" },
      { flags: "--tail <count>", summary: "how many of the last lines (default 100)", kind: "count" },
    ],
    examples: [{ line: "stream logs numbers filter -f", does: "what it says, as it says it" }],
    load: () => graphs().then(({ logs }) => ({ run: logs })),
  },
  {
    path: "stream rm",
    summary: "forget a graph, its history and how far it has come",
    arguments: [GRAPH],
    options: [{ flags: "--force", summary: "also when it runs" }, YES],
    examples: [{ line: "stream rm numbers --yes", does: "for good" }],
    load: () => graphs().then(({ remove }) => ({ run: remove })),
  },
  {
    path: "action ls",
    summary: "list what stages can run besides commands: functions of the node, built-ins, uploaded programs",
    examples: [{ line: "action ls -o json", does: "with the schemas of their settings" }],
    load: () => graphs().then(({ actions }) => ({ run: actions })),
  },
  {
    path: "action upload",
    summary: "upload a program as the next version of its name",
    arguments: [
      { usage: "<name>", summary: "a letter, then letters, digits, dots, _ and -" },
      { usage: "<file>", summary: "a binary, or a script that begins with #!", complete: "file" },
    ],
    examples: [{ line: "action upload filter ./filter", does: "graphs that name it go on with the version that they have" }],
    load: () => actions().then(({ upload }) => ({ run: upload })),
  },
  {
    path: "action get",
    summary: "write an uploaded program to a file or to standard output",
    arguments: [{ usage: "<name>", summary: "the newest version; name@2 for another" }],
    options: [{ flags: "--out <file>", summary: "a file, which becomes executable", complete: "file" }],
    examples: [{ line: "action get filter@1 --out filter", does: "as it was uploaded" }],
    load: () => actions().then(({ download }) => ({ run: download })),
  },
  {
    path: "action rm",
    summary: "forget an uploaded program, or one version of it",
    arguments: [{ usage: "<name>", summary: "all versions; name@2 for one" }],
    options: [{ flags: "--force", summary: "also when a graph names it" }, YES],
    examples: [{ line: "action rm filter@1 --yes", does: "what runs goes on with its own copy" }],
    load: () => actions().then(({ remove }) => ({ run: remove })),
  },
];
