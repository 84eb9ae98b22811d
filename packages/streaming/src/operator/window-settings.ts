import { z } from "zod";
import { keyReader } from "../record/key.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { aggregateOf } from "./aggregate.ts";
import { timeReader } from "./event-time.ts";
import { given, Milliseconds, Path } from "./settings.ts";
import { windowAction } from "./window.ts";
import type { WindowShape } from "./window-options.ts";

const common = {
  key: Path.optional().describe("Windows of each key by themselves. @default all records have one key"),
  aggregate: z
    .enum(["count", "sum", "min", "max", "mean", "list", "first", "last"])
    .optional()
    .describe("What a window comes to. @default count"),
  of: Path.optional().describe("Of what stands here in each record. @default the record itself"),
};

const timed = {
  ...common,
  time: Path.optional().describe("Where the time of a record stands, in milliseconds or as a date. @default when it is handled"),
  disorderMs: z.number().min(0).optional().describe("How much out of order records may come. @default 0"),
  idleMs: Milliseconds.optional().describe(
    "An upstream silent for so long holds up no other; when all are, time goes on by the clock. @default neither",
  ),
};

const late = z.enum(["drop", "emit"]).optional().describe("What becomes of records whose window was given. @default drop");

const updatable = {
  ...timed,
  late: z
    .enum(["drop", "emit", "update"])
    .optional()
    .describe("What becomes of records whose window was given; update: it is given again. @default drop"),
  keepMs: Milliseconds.optional().describe("With late: update, how long windows are kept for them. @default 60000"),
};

interface Common {
  readonly key?: string | undefined;
  readonly aggregate?: z.infer<typeof common.aggregate>;
  readonly of?: string | undefined;
  readonly time?: string | undefined;
  readonly disorderMs?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly late?: "drop" | "emit" | "update" | undefined;
  readonly keepMs?: number | undefined;
}

function windowOf(shape: WindowShape, { key, time, aggregate = "count", of, ...others }: Common) {
  return windowAction({
    shape,
    aggregate: aggregateOf(aggregate, of),
    ...(key === undefined ? {} : { keyOf: keyReader(key) }),
    ...(time === undefined ? {} : { timeOf: timeReader(time) }),
    ...given(others),
  });
}

export const windows: readonly BuiltIn[] = [
  defineBuiltIn({
    name: "window.count",
    summary: "Gathers so many records of a key at a time.",
    settings: z.object({ count: z.int().min(1), ...common }),
    make: ({ count, ...rest }) => windowOf({ kind: "count", count }, rest),
  }),
  defineBuiltIn({
    name: "window.session",
    summary: "Gathers the records of a key that follow each other closely.",
    settings: z.object({ gapMs: Milliseconds, ...timed, late }),
    make: ({ gapMs, ...rest }) => windowOf({ kind: "session", gapMs }, rest),
  }),
  defineBuiltIn({
    name: "window.sliding",
    summary: "Gathers records in windows of event time that overlap.",
    settings: z.object({ sizeMs: Milliseconds, everyMs: Milliseconds, ...updatable }),
    make: ({ sizeMs, everyMs, ...rest }) => windowOf({ kind: "sliding", sizeMs, everyMs }, rest),
  }),
  defineBuiltIn({
    name: "window.tumbling",
    summary: "Gathers records in windows of event time, one after the other.",
    settings: z.object({ sizeMs: Milliseconds, ...updatable }),
    make: ({ sizeMs, ...rest }) => windowOf({ kind: "tumbling", sizeMs }, rest),
  }),
];
