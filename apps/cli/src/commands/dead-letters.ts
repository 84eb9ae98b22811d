import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const ID: ArgumentSpec = { usage: "<id>", summary: "id of the dead letter, as `dead-letter ls` shows it" };
const FILTER: readonly OptionSpec[] = [
  { flags: "--log-stream <name>", summary: "only of this stream of the log, for example send.order.placed" },
  { flags: "--consumer <name>", summary: "only of this consumer" },
];
const YES: OptionSpec = { flags: "-y, --yes", summary: "do not ask" };

/** Commands about messages that were given up on. */
export const deadLetterCommands: readonly CommandSpec[] = [
  {
    path: "dead-letter ls",
    summary: "list dead letters, the oldest first",
    options: [
      ...FILTER,
      { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
      { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
    ],
    examples: [
      { line: "dead-letter ls", does: "what was given up on, and why" },
      { line: "dead-letter ls --log-stream send.order.placed -o json", does: "those of one type, for programs" },
    ],
    load: () => import("../run/dead-letter-list.ts"),
  },
  {
    path: "dead-letter get",
    summary: "show one dead letter with its message and its error",
    arguments: [ID],
    examples: [{ line: "dead-letter get 12", does: "everything about it" }],
    load: () => import("../run/dead-letter-get.ts"),
  },
  {
    path: "dead-letter edit",
    summary: "change the message of a dead letter before it is replayed; its id stays",
    arguments: [ID, { usage: "[data]", summary: "the new data: JSON, @file, or - for standard input" }],
    options: [
      { flags: "--content-type <type>", summary: "media type of the new data (default JSON)" },
      { flags: "--subject <text>", summary: "another subject" },
      { flags: "--type-version <version>", summary: "another version of the type" },
    ],
    examples: [{ line: `dead-letter edit 12 '{"sku":"tea","amount":2}'`, does: "mend its data" }],
    load: () => import("../run/dead-letter-edit.ts"),
  },
  {
    path: "dead-letter replay",
    summary: "give a message back to the consumer that gave up on it",
    details: "With --all every dead letter, or every one of a filter; ends with status 8 if some of them failed.",
    arguments: [{ ...ID, usage: "[id]" }],
    options: [{ flags: "--all", summary: "all of them, as far as --log-stream and --consumer say" }, ...FILTER, YES],
    examples: [
      { line: "dead-letter replay 12", does: "try this one again" },
      { line: "dead-letter replay --all --log-stream send.order.placed --yes", does: "try all of one type again" },
    ],
    load: () => import("../run/dead-letter-replay.ts"),
  },
  {
    path: "dead-letter drop",
    summary: "forget a message for good",
    arguments: [ID],
    options: [YES],
    examples: [{ line: "dead-letter drop 12 --yes", does: "nobody will see it again" }],
    load: () => import("../run/dead-letter-drop.ts"),
  },
];
