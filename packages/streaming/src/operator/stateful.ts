import { z } from "zod";
import { keyReader } from "../record/key.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { batchAction } from "./batch.ts";
import { dedupeAction } from "./dedupe.ts";
import { timeReader } from "./event-time.ts";
import { joinAction } from "./join.ts";
import { mergeAction } from "./merge.ts";
import { Disorder, given, Milliseconds, Path } from "./settings.ts";
import { throttleAction } from "./throttle.ts";

/** Operators over several records. */
export const stateful: readonly BuiltIn[] = [
  defineBuiltIn({
    name: "batch",
    summary: "Gathers records into lists.",
    settings: z.object({
      count: z.int().min(1).optional().describe("Records in a list at most. @default as many as come in time"),
      maxBytes: z.int().min(1).optional().describe("About how large a list may be. @default no limit"),
      afterMs: Milliseconds.optional().describe("Longest time for which a record waits. @default 1000"),
    }),
    make: (settings) => batchAction(given(settings)),
  }),
  defineBuiltIn({
    name: "dedupe",
    summary: "Lets the first record of each key pass.",
    settings: z.object({
      key: Path.optional().describe("@default the whole record"),
      by: z.enum(["key", "id"]).optional().describe("id: by the identity of the record, whatever it holds. @default key"),
      withinMs: Milliseconds.optional().describe("How long a key is remembered. @default for ever"),
      max: z.int().min(1).optional().describe("Keys that are remembered. @default 1000000"),
    }),
    make: ({ key, by = "key", ...others }) =>
      dedupeAction({ ...given(others), ...(by === "id" ? {} : { keyOf: keyReader(key) }) }),
  }),
  defineBuiltIn({
    name: "join",
    summary: "Brings together records of all upstreams with the same key that are close in time.",
    settings: z.object({
      key: Path,
      time: Path.optional().describe("Where the time of a record stands. @default when it is handled"),
      withinMs: Milliseconds,
      disorderMs: Disorder,
      outer: z.string().optional().describe("An upstream whose records are given on also without partners."),
    }),
    make: ({ key, time, withinMs, ...others }) =>
      joinAction({
        keyOf: keyReader(key),
        withinMs,
        ...(time === undefined ? {} : { timeOf: timeReader(time) }),
        ...given(others),
      }),
  }),
  defineBuiltIn({
    name: "merge",
    summary: "Puts the records of all upstreams into the order of their times.",
    settings: z.object({ time: Path, disorderMs: Disorder }),
    make: ({ time, ...others }) => mergeAction({ timeOf: timeReader(time), ...given(others) }),
  }),
  defineBuiltIn({
    name: "throttle",
    summary: "Lets so many records pass in a second; the others wait.",
    settings: z.object({
      perSecond: z.number().positive(),
      burst: z.int().min(1).optional().describe("Records that may pass at once after a pause. @default 1"),
      excess: z.enum(["wait", "drop"]).optional().describe("drop: what would have to wait is dropped and counted. @default wait"),
    }),
    make: ({ perSecond, ...others }) => throttleAction({ perSecond, ...given(others) }),
  }),
];
