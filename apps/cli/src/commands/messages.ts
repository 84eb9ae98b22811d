import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const TYPE: ArgumentSpec = { usage: "<type>", summary: "type of the message, for example order.price", complete: "type" };
const DATA: ArgumentSpec = {
  usage: "[data]",
  summary: "JSON, @file, or - for standard input; none for a message without data",
};

const ENVELOPE: readonly OptionSpec[] = [
  { flags: "--subject <text>", summary: "what the message is about: the key of order and of sharding" },
  { flags: "--id <id>", summary: "id of the message (default: a new one)" },
  { flags: "--key <key>", summary: "idempotency key: sends with the same key are one" },
  { flags: "--type-version <version>", summary: "version of the type that is meant" },
  { flags: "--source <uri>", summary: "where the message comes from (default /cli)" },
  { flags: "--content-type <type>", summary: "media type of the data (default JSON)" },
];

/** Commands that send messages, what can be sent, and what became of it. */
export const messageCommands: readonly CommandSpec[] = [
  {
    path: "send",
    summary: "send a message one way: durably, or with --cast at most once",
    details:
      "A durable message is handled at least once, whatever process or node dies, once its acceptance was printed. With --ndjson each line " +
      "of the data (standard input, if none is named) is the data of one message; ends with status 8 if some of them failed.",
    arguments: [TYPE, DATA],
    options: [
      { flags: "--cast", summary: "at most once, without storing it" },
      { flags: "--ndjson", summary: "one message per line of JSON" },
      ...ENVELOPE,
    ],
    examples: [
      {
        line: `send order.placed '{"sku":"tea","amount":2}' --subject customer-7`,
        does: "one durable message, in order with others of its subject",
      },
      { line: "send report.made @report.pdf --content-type application/pdf", does: "a file" },
      { line: "send order.placed --ndjson < orders.ndjson", does: "many, one per line" },
    ],
    load: () => import("../run/send.ts"),
  },
  {
    path: "call",
    summary: "send a message and print the answer",
    details: "Ctrl-C withdraws the call.",
    arguments: [TYPE, DATA],
    options: [
      { flags: "--stream", summary: "print each item of a streamed answer as it comes, one line of JSON each" },
      {
        flags: "--timeout <duration>",
        summary: "longest wait for the answer, for example 5s (default: the node's)",
        kind: "duration",
      },
      ...ENVELOPE,
    ],
    examples: [
      { line: `call order.price '{"sku":"tea","amount":2}'`, does: "ask, and see the answer" },
      { line: "call report.rows --stream --timeout 1m", does: "an answer of many items" },
      { line: "call text.count - --content-type text/plain < letter.txt", does: "data from standard input" },
    ],
    load: () => import("../run/call.ts"),
  },
  {
    path: "types",
    summary: "list the message types that the node handles",
    details: "With a type: everything about it, with the schema of its data.",
    arguments: [{ usage: "[type]", summary: "only this type, with its schemas", complete: "type" }],
    examples: [
      { line: "types", does: "what can be sent" },
      { line: "types order.price", does: "what it wants and what it answers" },
    ],
    load: () => import("../run/types.ts"),
  },
  {
    path: "messages",
    summary: "list the messages that were dispatched lately, the newest first",
    options: [
      { flags: "--type <type>", summary: "only of this type", complete: "type" },
      { flags: "--member <part>", summary: "only those that somebody answered whose name has this part" },
      { flags: "--failed", summary: "only those that failed" },
      { flags: "--code <code>", summary: "only those that failed with this code" },
      { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
      { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
    ],
    examples: [
      { line: "messages --failed", does: "what went wrong lately" },
      { line: "messages --type order.price --limit 10", does: "the last ten of one type, with their traces" },
    ],
    load: () => import("../run/messages.ts"),
  },
  {
    path: "trace",
    summary: "show the way of one message through all models, with the time since its first step",
    arguments: [{ usage: "<traceId>", summary: "32 hexadecimal digits, as `messages` and `events` show them" }],
    examples: [{ line: "trace 4bf92f3577b34da6a3ce929d0e0e4736", does: "who handled it, what followed, and how long it took" }],
    load: () => import("../run/trace.ts"),
  },
  {
    path: "events",
    summary: "show what happened on the node lately, or with -f what happens, over all models",
    details:
      "A node remembers the last steps of this life in memory. With -f a broken connection is made again, and goes on after the last step that was shown.",
    options: [
      { flags: "-f, --follow", summary: "only what comes, until interrupted" },
      {
        flags: "--kind <kinds>",
        summary: "only some of message, processor, actor, instance, task, graph, tree; joined by commas",
      },
    ],
    examples: [
      { line: "events", does: "what happened lately, the oldest first" },
      { line: "events -f --kind message,graph -o json", does: "each new step as a line of JSON" },
    ],
    load: () => import("../run/events.ts"),
  },
];
