import { systemClock } from "@metanode/core/clock";
import { z } from "zod";
import { functionAction } from "../flow/function-action.ts";
import { keyReader } from "../record/key.ts";
import { readValue, textOf } from "../record/value.ts";
import { many } from "../stage/answer.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { type AggregateName, aggregateOf } from "./aggregate.ts";
import { dedupeAction } from "./dedupe.ts";
import { timeReader } from "./event-time.ts";
import { joinAction } from "./join.ts";
import { batchAction, throttleAction } from "./pacing.ts";
import { pathReader } from "./paths.ts";
import { type WindowShape, windowAction } from "./window.ts";

const Path = z.string().describe("A path into the value of a record: `user.id`.");
const Milliseconds = z.number().positive();

const windowSettings = {
  key: Path.optional().describe("Windows of each key by themselves. @default all records have one key"),
  time: Path.optional().describe("Where the time of a record stands, in milliseconds or as a date. @default when it is handled"),
  disorderMs: z.number().min(0).optional().describe("How much out of order records may come. @default 0"),
  late: z.enum(["drop", "emit"]).optional().describe("What becomes of records whose window has been given. @default drop"),
  idleMs: Milliseconds.optional().describe("After so long without records time goes on by the clock. @default it does not"),
  aggregate: z
    .enum(["count", "sum", "min", "max", "mean", "list", "first", "last"])
    .optional()
    .describe("What a window comes to. @default count"),
  of: Path.optional().describe("Of what stands here in each record. @default the record itself"),
};

type WindowSettings = z.infer<z.ZodObject<typeof windowSettings>>;

function windowOf(shape: WindowShape, given: WindowSettings) {
  const { key, time, aggregate = "count", of, disorderMs, late, idleMs } = given;
  return windowAction({
    shape,
    aggregate: aggregateOf(aggregate satisfies AggregateName, of),
    ...(key === undefined ? {} : { keyOf: keyReader(key) }),
    ...(time === undefined ? {} : { timeOf: timeReader(time, systemClock.now) }),
    ...(disorderMs === undefined ? {} : { disorderMs }),
    ...(late === undefined ? {} : { late }),
    ...(idleMs === undefined ? {} : { idleMs }),
  });
}

const tumbling = defineBuiltIn({
  name: "window.tumbling",
  summary: "Gathers records in windows of event time, one after the other.",
  settings: z.object({ sizeMs: Milliseconds, ...windowSettings }),
  make: ({ sizeMs, ...rest }) => windowOf({ kind: "tumbling", sizeMs }, rest),
});

const sliding = defineBuiltIn({
  name: "window.sliding",
  summary: "Gathers records in windows of event time that overlap.",
  settings: z.object({ sizeMs: Milliseconds, everyMs: Milliseconds, ...windowSettings }),
  make: ({ sizeMs, everyMs, ...rest }) => windowOf({ kind: "sliding", sizeMs, everyMs }, rest),
});

const session = defineBuiltIn({
  name: "window.session",
  summary: "Gathers the records of a key that follow each other closely.",
  settings: z.object({ gapMs: Milliseconds, ...windowSettings }),
  make: ({ gapMs, ...rest }) => windowOf({ kind: "session", gapMs }, rest),
});

const counting = defineBuiltIn({
  name: "window.count",
  summary: "Gathers so many records of a key at a time.",
  settings: z.object({ count: z.int().min(1), ...windowSettings }),
  make: ({ count, ...rest }) => windowOf({ kind: "count", count }, rest),
});

const join = defineBuiltIn({
  name: "join",
  summary: "Brings together records of several upstreams with the same key that are close in time.",
  settings: z.object({
    key: Path,
    time: Path.optional(),
    withinMs: Milliseconds,
    disorderMs: z.number().min(0).optional(),
    outer: z.string().optional().describe("An upstream whose records are given on also without a partner."),
  }),
  make: ({ key, time, withinMs, disorderMs, outer }) =>
    joinAction({
      keyOf: keyReader(key),
      withinMs,
      ...(time === undefined ? {} : { timeOf: timeReader(time, systemClock.now) }),
      ...(disorderMs === undefined ? {} : { disorderMs }),
      ...(outer === undefined ? {} : { outer }),
    }),
});

const dedupe = defineBuiltIn({
  name: "dedupe",
  summary: "Lets the first record of each key pass.",
  settings: z.object({
    key: Path.optional().describe("@default the whole record"),
    withinMs: Milliseconds.optional().describe("How long a key is remembered. @default for ever"),
    max: z.int().min(1).optional().describe("Keys that are remembered. @default 1000000"),
  }),
  make: ({ key, withinMs, max }) =>
    dedupeAction({
      keyOf: keyReader(key),
      ...(withinMs === undefined ? {} : { withinMs }),
      ...(max === undefined ? {} : { max }),
    }),
});

const batch = defineBuiltIn({
  name: "batch",
  summary: "Gathers records into lists.",
  settings: z.object({ count: z.int().min(1), afterMs: Milliseconds.optional().describe("@default 1000") }),
  make: ({ count, afterMs }) => batchAction({ count, ...(afterMs === undefined ? {} : { afterMs }) }),
});

const throttle = defineBuiltIn({
  name: "throttle",
  summary: "Lets so many records pass in a second; the others wait.",
  settings: z.object({ perSecond: z.number().positive(), burst: z.int().min(1).optional().describe("@default 1") }),
  make: ({ perSecond, burst }) => throttleAction({ perSecond, ...(burst === undefined ? {} : { burst }) }),
});

const Scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const filter = defineBuiltIn({
  name: "filter",
  summary: "Lets records pass whose value fits: every condition that is given has to hold.",
  settings: z.object({
    path: Path.optional().describe("What is looked at. @default the record itself"),
    equals: Scalar.optional(),
    oneOf: z.array(Scalar).optional(),
    matches: z.string().optional().describe("A regular expression."),
    above: z.number().optional(),
    below: z.number().optional(),
    exists: z.boolean().optional(),
    not: z.boolean().optional().describe("Lets pass what does not fit instead. @default false"),
  }),
  make: ({ path = "", not = false, ...conditions }) => {
    const read = pathReader(path);
    const fits = conditionOf(conditions);
    return functionAction((record: unknown) =>
      fits(path === "" ? readValue(record) : read(readValue(record))) === not ? undefined : record,
    );
  },
});

interface Conditions {
  readonly equals?: unknown;
  readonly oneOf?: readonly unknown[] | undefined;
  readonly matches?: string | undefined;
  readonly above?: number | undefined;
  readonly below?: number | undefined;
  readonly exists?: boolean | undefined;
}

function conditionOf({ equals, oneOf, matches, above, below, exists }: Conditions): (value: unknown) => boolean {
  const pattern = matches === undefined ? undefined : new RegExp(matches);
  const tests: ((value: unknown) => boolean)[] = [];
  if (equals !== undefined) tests.push((value) => value === equals);
  if (oneOf !== undefined) tests.push((value) => oneOf.includes(value));
  if (pattern !== undefined) tests.push((value) => value !== undefined && pattern.test(textOf(value)));
  if (above !== undefined) tests.push((value) => Number(value) > above);
  if (below !== undefined) tests.push((value) => Number(value) < below);
  if (exists !== undefined) tests.push((value) => (value !== undefined && value !== null) === exists);
  return (value) => tests.every((test) => test(value));
}

const map = defineBuiltIn({
  name: "map",
  summary: "Makes a new value out of each record: parts of it, under other names.",
  settings: z.object({
    pick: z.union([Path, z.record(z.string(), Path)]).describe("One path, or names with the paths of what they shall hold."),
    set: z.record(z.string(), z.unknown()).optional().describe("Further members with fixed values."),
  }),
  make: ({ pick, set = {} }) => {
    if (typeof pick === "string") {
      const read = pathReader(pick);
      return functionAction((record: unknown) => read(readValue(record)));
    }
    const readers = Object.entries(pick).map(([name, path]) => [name, pathReader(path)] as const);
    return functionAction((record: unknown) => {
      const value = readValue(record);
      return { ...Object.fromEntries(readers.map(([name, read]) => [name, read(value)])), ...set };
    });
  },
});

const split = defineBuiltIn({
  name: "split",
  summary: "Makes several records of one: of a list its items, of a text its parts.",
  settings: z.object({
    path: Path.optional().describe("Where the list or the text stands. @default the record itself"),
    separator: z.string().optional().describe("Between the parts of a text. @default a newline"),
  }),
  make: ({ path = "", separator = "\n" }) => {
    const read = pathReader(path);
    return functionAction((record: unknown) => {
      const found = path === "" ? readValue(record) : read(readValue(record));
      if (Array.isArray(found)) return many(found as unknown[]);
      return typeof found === "string" ? many<unknown>(found.split(separator)) : found;
    });
  },
});

const sample = defineBuiltIn({
  name: "sample",
  summary: "Lets every n-th record pass.",
  settings: z.object({ every: z.int().min(1) }),
  make: ({ every }) => {
    let number = 0;
    return functionAction((record: unknown) => (number++ % every === 0 ? record : undefined));
  },
});

const pass = defineBuiltIn({
  name: "pass",
  summary: "Gives every record on as it is: where edges meet, and around a stage.",
  settings: z.object({}),
  make: () => functionAction((record: unknown) => record),
});

/** The operators that come with the platform, by name. */
export const operators: readonly BuiltIn[] = [
  batch,
  counting,
  dedupe,
  filter,
  join,
  map,
  pass,
  sample,
  session,
  sliding,
  split,
  throttle,
  tumbling,
];
