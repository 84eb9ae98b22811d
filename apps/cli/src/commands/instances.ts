import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const KEY: ArgumentSpec = { usage: "<key>", summary: "meta|id|para|version, in quotes; without a version the last one" };
const PAGE: readonly OptionSpec[] = [
  { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
  { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
];

const instances = () => import("../run/instances.ts");

/** Commands about instances. */
export const instanceCommands: readonly CommandSpec[] = [
  {
    path: "instance put",
    summary: "put an instance in; the same again is stored once",
    details: "With --wait it ends with status 7 if the work was not done in time, and with 8 if some of it was given up.",
    arguments: [
      { usage: "<meta>", summary: "its meta-string", complete: "meta" },
      { usage: "[content]", summary: "any text, often JSON: the text itself, @file, or - for standard input" },
    ],
    options: [
      { flags: "--id <id>", summary: "its id, decimal digits (default: from what it says)" },
      { flags: "--para <para>", summary: "parts joined by /, for external data" },
      { flags: "--state <names>", summary: "its states, between commas" },
      { flags: "--state-version <count>", summary: "the version that it is (default: the next one)", kind: "count" },
      { flags: "--key <NAME=value>", summary: "an entry of its context; may be given again", kind: "pairs" },
      { flags: "--sys-key <NAME=value>", summary: "an entry of its system context; may be given again", kind: "pairs" },
      { flags: "--wait <duration>", summary: "wait for what comes of it", kind: "duration" },
      { flags: "--wait-for <meta>", summary: "wait for the first instance of this meta only", complete: "meta" },
    ],
    examples: [
      { line: `instance put B:sale/order:1 '{"price":1000}'`, does: "stored, with the work that follows from it" },
      { line: "instance put B:sale/order:1 @order.json --wait 5s", does: "and see what came of it" },
    ],
    load: () => instances().then(({ put }) => ({ run: put })),
  },
  {
    path: "instance get",
    summary: "show one instance",
    arguments: [KEY],
    examples: [
      { line: "instance get 'B:sale/state:1|17||2'", does: "this version" },
      { line: "instance get 'B:sale/state:1|17|'", does: "the last one" },
    ],
    load: () => instances().then(({ get }) => ({ run: get })),
  },
  {
    path: "instance ls",
    summary: "list instances, the youngest of a meta first, or a range of keys",
    arguments: [{ usage: "[meta]", summary: "only of this meta", complete: "meta" }],
    options: [
      { flags: "--key-gt <key>", summary: "only behind this key, or beginning of one" },
      { flags: "--key-ge <key>", summary: "only from this key on" },
      { flags: "--key-lt <key>", summary: "only before this key" },
      { flags: "--key-le <key>", summary: "only up to this key" },
      { flags: "--created-from <time>", summary: "only stored from this time on" },
      { flags: "--created-before <time>", summary: "only stored before this time" },
      ...PAGE,
    ],
    examples: [
      { line: "instance ls B:sale/order:1 --limit 20", does: "the last 20 orders" },
      { line: "instance ls --key-ge 'B:sale/order:1|17' --key-lt 'B:sale/order:1|18'", does: "a range of keys" },
    ],
    load: () => instances().then(({ list }) => ({ run: list })),
  },
  {
    path: "instance versions",
    summary: "list the versions of one instance, the last first",
    arguments: [{ usage: "<key>", summary: "meta|id|para, in quotes" }],
    options: PAGE,
    examples: [{ line: "instance versions 'B:sale/state:1|17|'", does: "the states that it went through" }],
    load: () => instances().then(({ versions }) => ({ run: versions })),
  },
  {
    path: "instance upstream",
    summary: "list what an instance was made from, step by step back to the input",
    arguments: [KEY],
    options: [PAGE[0] as OptionSpec],
    examples: [{ line: "instance upstream 'B:sale/state:1|17||2'", does: "why is it paid?" }],
    load: () => instances().then(({ upstream }) => ({ run: upstream })),
  },
  {
    path: "instance downstream",
    summary: "list what was made from an instance, one step down",
    arguments: [KEY],
    options: PAGE,
    examples: [{ line: "instance downstream 'B:sale/order:1|17||0'", does: "what came of this order?" }],
    load: () => instances().then(({ downstream }) => ({ run: downstream })),
  },
];
