import { z } from "zod";
import { functionAction } from "../flow/function-action.ts";
import { hashOf } from "../record/key.ts";
import { readValue, textOf } from "../record/value.ts";
import { many, type RecordContext } from "../stage/answer.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { pathReader } from "./paths.ts";
import { Path } from "./settings.ts";
import { templateWriter } from "./template.ts";

const Scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const filter = defineBuiltIn({
  name: "filter",
  summary: "Lets records pass whose value fits: every condition that is given has to hold.",
  settings: z.object({
    path: Path.optional().describe("What is looked at. @default the record itself"),
    equals: Scalar.optional(),
    oneOf: z.array(Scalar).optional(),
    matches: z.string().refine(isPattern, "is no regular expression").optional().describe("A regular expression."),
    above: z.number().optional().describe("A number is looked for, also one that is written as text."),
    below: z.number().optional(),
    exists: z.boolean().optional().describe("null counts as nothing."),
    not: z.boolean().optional().describe("Lets pass what does not fit instead. @default false"),
  }),
  make: ({ path = "", not = false, ...conditions }) => {
    const read = pathReader(path);
    const fits = conditionOf(conditions);
    return functionAction((record: unknown) => (fits(read(readValue(record))) === not ? undefined : record));
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
  if (above !== undefined) tests.push((value) => numberOf(value) > above);
  if (below !== undefined) tests.push((value) => numberOf(value) < below);
  if (exists !== undefined) tests.push((value) => (value !== undefined && value !== null) === exists);
  return (value) => tests.every((test) => test(value));
}

/** What is no number compares with none. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
}

const map = defineBuiltIn({
  name: "map",
  summary: "Makes a new value out of each record: parts of it under other names, or a text.",
  settings: z.object({
    pick: z
      .union([Path, z.record(z.string(), Path)])
      .optional()
      .describe("One path, or names with the paths of what they shall hold."),
    set: z.record(z.string(), z.unknown()).optional().describe("Further members with fixed values."),
    text: z
      .string()
      .optional()
      .describe("A text with paths in braces: `{user.name} paid {sum}`; `{{` is a brace. Instead of pick."),
  }),
  make: ({ pick, set = {}, text }) => {
    if (text !== undefined) {
      const write = templateWriter(text);
      return functionAction((record: unknown) => write(readValue(record)));
    }
    if (typeof pick === "string") {
      const read = pathReader(pick);
      return functionAction((record: unknown) => read(readValue(record)));
    }
    // Without a choice the members that there are stay.
    const readers =
      pick === undefined ? undefined : Object.entries(pick).map(([name, path]) => [name, pathReader(path)] as const);
    return functionAction((record: unknown) => {
      const value = readValue(record);
      if (readers === undefined) return typeof value === "object" && value !== null ? { ...value, ...set } : value;
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
      const found = read(readValue(record));
      if (Array.isArray(found)) return many(found as unknown[]);
      return typeof found === "string" ? many<unknown>(found.split(separator)) : found;
    });
  },
});

const sample = defineBuiltIn({
  name: "sample",
  summary: "Lets every n-th record pass, or a share of them.",
  settings: z.object({
    every: z.int().min(1).optional().describe("Every so manyth that comes. @default 1"),
    share: z.number().min(0).max(1).optional().describe("About this share, chosen by id: the same ones when they come again."),
  }),
  make: ({ every = 1, share = 1 }) => {
    let number = 0;
    const limit = share * 2 ** 32;
    if (share === 1) return functionAction((record: unknown) => (number++ % every === 0 ? record : undefined));
    return functionAction((record: unknown, { id }: RecordContext) =>
      spread(hashOf(id)) < limit && number++ % every === 0 ? record : undefined,
    );
  },
});

/**
 * Texts that differ in their last letters only have hashes that are close: this takes them apart.
 * @source the finalizer of MurmurHash3, public domain
 */
function spread(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const pass = defineBuiltIn({
  name: "pass",
  summary: "Gives every record on as it is: where edges meet, and around a stage.",
  settings: z.object({}),
  make: () => functionAction((record: unknown) => record),
});

/** Operators that look at one record at a time. */
export const stateless: readonly BuiltIn[] = [filter, map, pass, sample, split];
