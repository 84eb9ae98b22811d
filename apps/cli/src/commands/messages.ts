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

/** Commands that send messages, and what can be sent. */
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
];
