import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";
import { WATCH } from "./watch.ts";

const NAME: ArgumentSpec = { usage: "<name>", summary: "name of the processor", complete: "processor" };
const COMMAND: ArgumentSpec = { usage: "[command...]", summary: "the program and its arguments, after --" };

const SPEC: readonly OptionSpec[] = [
  {
    flags: "--file <file>",
    summary: "a TypeScript or JavaScript file that serves a processor, instead of a command",
    complete: "file",
  },
  { flags: "--processes <count>", summary: "processes that share the work (default 1)", kind: "count" },
  { flags: "--cwd <folder>", summary: "working directory (default: this one, if the node is on this machine)", complete: "file" },
  { flags: "--env <NAME=value>", summary: "an environment variable for it; may be given again", kind: "pairs" },
  { flags: "--max-memory <size>", summary: "memory at which a process is replaced, for example 512MiB", kind: "bytes" },
];

/** Commands about processors. */
export const processorCommands: readonly CommandSpec[] = [
  {
    path: "processor ls",
    summary: "list the processors of the node",
    options: [WATCH],
    examples: [
      { line: "processor ls", does: "what runs, and how it does" },
      { line: "processor ls -w 1s", does: "and how that changes" },
    ],
    load: () => import("../run/processor-list.ts"),
  },
  {
    path: "processor get",
    summary: "show one processor with its processes and types",
    arguments: [NAME],
    examples: [{ line: "processor get pricing", does: "its processes, memory, restarts and types" }],
    load: () => import("../run/processor-get.ts"),
  },
  {
    path: "processor logs",
    summary: "print what the processes of a processor wrote",
    arguments: [NAME],
    options: [
      { flags: "-f, --follow", summary: "go on with new lines until interrupted" },
      { flags: "--tail <count>", summary: "only the last lines (default 100)", kind: "count" },
    ],
    examples: [
      { line: "processor logs pricing --tail 20", does: "its last 20 lines" },
      { line: "processor logs pricing -f", does: "follow it" },
    ],
    load: () => import("../run/processor-logs.ts"),
  },
  {
    path: "processor add",
    summary: "add a processor to the running node, until the node's next start",
    arguments: [{ usage: "<name>", summary: "a name of your own" }, COMMAND],
    options: SPEC,
    examples: [
      { line: "processor add pricing --file pricing.ts --processes 2", does: "a file, two processes" },
      { line: "processor add stats -- python3 main.py", does: "any program that speaks the processor protocol" },
    ],
    load: () => import("../run/processor-add.ts"),
  },
  {
    path: "processor replace",
    summary: "put a new version of a processor in the place of the running one, without an error for any caller",
    arguments: [NAME, COMMAND],
    options: SPEC,
    examples: [
      { line: "processor replace pricing --file pricing-v2.ts", does: "if the new one does not come up, the old one stays" },
    ],
    load: () => import("../run/processor-replace.ts"),
  },
  {
    path: "processor remove",
    summary: "take a processor out: calls in flight finish, its types become unknown",
    arguments: [NAME],
    examples: [{ line: "processor remove pricing", does: "stop it for good" }],
    load: () => import("../run/processor-remove.ts"),
  },
  {
    path: "processor restart",
    summary: "restart each process in turn, its calls finished first; lifts a quarantine",
    arguments: [NAME],
    examples: [{ line: "processor restart pricing", does: "fresh processes, no call lost" }],
    load: () => import("../run/processor-restart.ts"),
  },
  {
    path: "processor scale",
    summary: "bring a processor to a number of processes",
    arguments: [NAME, { usage: "<processes>", summary: "1 to 1024" }],
    examples: [{ line: "processor scale pricing 4", does: "four processes share its work" }],
    load: () => import("../run/processor-scale.ts"),
  },
  {
    path: "processor check",
    summary: "put any processor command through the conformance kit; needs no node",
    details: "Ends with status 1 if a check fails.",
    arguments: [{ usage: "<command...>", summary: "the program and its arguments, after --" }],
    options: [
      { flags: "--full", summary: "also require the conformance.* types and check them" },
      { flags: "--sample <type=json>", summary: "send this too and want an answer; may be given again", kind: "pairs" },
      { flags: "--cwd <folder>", summary: "working directory", complete: "file" },
      { flags: "--env <NAME=value>", summary: "an environment variable for it; may be given again", kind: "pairs" },
    ],
    examples: [
      { line: "processor check -- node pricing.ts", does: "does it keep the protocol?" },
      { line: "processor check --full -- python3 main.py", does: "the whole kit, for a new language" },
    ],
    load: () => import("../run/processor-check.ts"),
  },
];
