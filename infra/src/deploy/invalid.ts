import { coreError, type MetanodeError } from "@metanode/core/errors";
import { nearest } from "@metanode/core/internal/options";
import type { z } from "zod";

/** Where something stands: `["groups", 0, "name"]`. */
export type SettingPath = readonly (string | number)[];

/** `groups[0].name` */
export function textOfPath(path: SettingPath): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
}

/** A setting that is not what it should be. */
export function invalidSetting(path: SettingPath, found: unknown, expected: string): MetanodeError {
  const where = textOfPath(path);
  const what = found === undefined ? "is missing" : `is ${JSON.stringify(found)}`;
  return coreError("config.invalid", `${where === "" ? "the whole" : where} ${what}, expected ${expected}`, {
    details: { path: where, expected },
  });
}

/** What a schema says of a value: the value as the schema gives it, or the first mistake in our words. @throws {MetanodeError} config.invalid */
export function checked<T>(schema: z.ZodType<T>, given: unknown, path: SettingPath = []): T {
  const { data, error } = schema.safeParse(given, { reportInput: true });
  if (error === undefined) return data as T;
  throw mistake(error.issues[0] as z.core.$ZodIssue, schema, path);
}

function mistake(issue: z.core.$ZodIssue, schema: z.ZodType, path: SettingPath): MetanodeError {
  const at = [...path, ...(issue.path as (string | number)[])];
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const known = issue.path.length === 0 && "shape" in schema ? Object.keys(schema.shape as object) : [];
    const near = nearest(key, known);
    const hint = near !== undefined ? `; did you mean ${near}?` : known.length > 0 ? `; known are ${known.join(", ")}` : "";
    const where = textOfPath([...at, key]);
    return coreError("config.invalid", `${where} is not a known setting${hint}`, { details: { path: where } });
  }
  return invalidSetting(at, issue.input, expectedBy(issue));
}

function expectedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : `${/^[aeio]/.test(issue.expected) ? "an" : "a"} ${issue.expected}`;
    case "invalid_value":
      return `one of ${issue.values.join(", ")}`;
    case "too_small":
      return `${issue.minimum} or more${issue.origin === "string" ? " letters" : issue.origin === "array" ? " of them" : ""}`;
    case "too_big":
      return `${issue.maximum} or less`;
    default:
      return issue.message.replace(/^Invalid input: expected /, "");
  }
}
