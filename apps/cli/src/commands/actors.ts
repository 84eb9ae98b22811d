import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";
import { WATCH } from "./watch.ts";

const ACTOR: ArgumentSpec = {
  usage: "<actor>",
  summary: "name, id or PID; meta:<id> or an alias for a meta-process",
  complete: "actor",
};
const PRIORITY: OptionSpec = {
  flags: "--priority <priority>",
  summary: "queue of the mailbox (default normal)",
  choices: ["normal", "high", "max"],
};
const PAGE: readonly OptionSpec[] = [
  { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
  { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
];

/** Commands about actors and their meta-processes. */
export const actorCommands: readonly CommandSpec[] = [
  {
    path: "actor ls",
    summary: "list the actors of the node, the oldest first",
    options: [...PAGE, WATCH],
    examples: [
      { line: "actor ls", does: "what lives, and how much mail waits for it" },
      { line: "actor ls --limit 1000 -o json", does: "the first thousand, for programs" },
    ],
    load: () => import("../run/actor-list.ts"),
  },
  {
    path: "actor tree",
    summary: "show actors below those that spawned them, with their meta-processes",
    options: [{ flags: "--limit <count>", summary: "at most this many, the oldest (default 1000)", kind: "count" }],
    examples: [{ line: "actor tree", does: "who supervises whom" }],
    load: () => import("../run/actor-tree.ts"),
  },
  {
    path: "actor kernel",
    summary: "show the actor kernel, and the configured actors with those that are down",
    examples: [{ line: "actor kernel", does: "its name, its counts, its roots" }],
    load: () => import("../run/actor-kernel.ts"),
  },
  {
    path: "actor metas",
    summary: "list meta-processes, all or those of one actor",
    arguments: [{ ...ACTOR, usage: "[actor]", summary: "only those of this actor" }],
    options: PAGE,
    examples: [{ line: "actor metas tally", does: "the servers and programs that belong to it" }],
    load: () => import("../run/actor-metas.ts"),
  },
  {
    path: "actor events",
    summary: "list the events that actors have registered, with their counters",
    examples: [{ line: "actor events", does: "who publishes what, and to how many" }],
    load: () => import("../run/actor-events.ts"),
  },
  {
    path: "actor apps",
    summary: "list applications: groups of actors that start in order and end together",
    examples: [{ line: "actor apps", does: "which run, and what they depend on" }],
    load: () => import("../run/actor-apps.ts"),
  },
  {
    path: "actor start",
    summary: "start an application, after those that it depends on",
    arguments: [{ usage: "<application>", summary: "its name, as `actor apps` shows it" }],
    options: [
      {
        flags: "--mode <mode>",
        summary: "what the end of a member does to it, for this start",
        choices: ["temporary", "transient", "permanent"],
      },
    ],
    examples: [{ line: "actor start shop", does: "done when all its members run" }],
    load: () => import("../run/actor-start.ts"),
  },
  {
    path: "actor stop",
    summary: "stop an application with all its actors",
    arguments: [{ usage: "<application>", summary: "its name, as `actor apps` shows it" }],
    options: [
      { flags: "--timeout <duration>", summary: "longest wait for its end (default 5s)", kind: "duration" },
      { flags: "--force", summary: "kill its actors instead of asking them" },
    ],
    examples: [{ line: "actor stop shop", does: "done when all its actors have ended" }],
    load: () => import("../run/actor-stop.ts"),
  },
  {
    path: "actor get",
    summary: "show one actor or meta-process with its counters and relations",
    arguments: [ACTOR],
    examples: [
      { line: "actor get tally", does: "state, mailbox, links and monitors" },
      { line: "actor get meta:17", does: "the same of a meta-process" },
    ],
    load: () => import("../run/actor-get.ts"),
  },
  {
    path: "actor inspect",
    summary: "ask an actor or meta-process about itself",
    arguments: [ACTOR, { usage: "[item...]", summary: "what to tell about; what it means is up to the actor" }],
    examples: [{ line: "actor inspect tally", does: "what its author has it tell" }],
    load: () => import("../run/actor-inspect.ts"),
  },
  {
    path: "actor send",
    summary: "put a message into the mailbox of an actor or meta-process",
    arguments: [ACTOR, { usage: "<message>", summary: "JSON, @file, or - for standard input" }],
    options: [PRIORITY],
    examples: [{ line: `actor send tally '{"add":1}'`, does: "done when it is in the mailbox" }],
    load: () => import("../run/actor-send.ts"),
  },
  {
    path: "actor call",
    summary: "ask an actor or meta-process, and print the answer",
    arguments: [ACTOR, { usage: "<request>", summary: "JSON, @file, or - for standard input" }],
    options: [{ flags: "--timeout <duration>", summary: "longest wait for the answer (default 5s)", kind: "duration" }, PRIORITY],
    examples: [{ line: `actor call tally '"total"'`, does: "ask, and see the answer" }],
    load: () => import("../run/actor-call.ts"),
  },
  {
    path: "actor exit",
    summary: "ask an actor or meta-process to end, after the message that it handles",
    arguments: [ACTOR],
    options: [{ flags: "--reason <text>", summary: "normal, shutdown (default), or the text of an error" }],
    examples: [
      { line: "actor exit tally", does: "an intended end" },
      { line: "actor exit tally --reason 'out of date'", does: "an error, after which a supervisor starts it again" },
    ],
    load: () => import("../run/actor-exit.ts"),
  },
  {
    path: "actor kill",
    summary: "end an actor without asking it",
    arguments: [ACTOR],
    examples: [{ line: "actor kill tally", does: "at once, or when its callback returns" }],
    load: () => import("../run/actor-kill.ts"),
  },
];
