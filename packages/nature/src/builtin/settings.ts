import { coreError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { Instance } from "../instance/instance.ts";
import { paraParts, pickPara } from "../instance/para.ts";
import { optionalList, optionalObject, refuse } from "../shape.ts";

/** The settings of a built-in: a JSON object with known members; no text at all has none. @throws config.invalid */
export function parseSettings(builtin: string, text: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (text.trim() === "") return {};
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw coreError("config.invalid", `the settings of ${builtin} are no JSON: ${(cause as Error).message}`, {
      details: { path: builtin },
      cause,
    });
  }
  const settings = optionalObject(builtin, given) ?? {};
  rejectUnknownKeys(builtin, settings, known);
  return settings;
}

/** Indexes of parts of a para; at least `min`. */
export function indexesOf(path: string, value: unknown, min: number): readonly number[] | undefined {
  const list = optionalList(path, value);
  if (list === undefined) return undefined;
  if (list.length < min) refuse(path, value, `a list of ${min} or more indexes`);
  return list.map((one, at) => intWithin(`${path}[${at}]`, one, 0, 255));
}

/** The window of time that two parts of a para tell, in milliseconds since the Unix epoch. */
export interface Window {
  readonly beginMs: number;
  readonly endMs: number;
}

/** Where a para tells a window: exactly two indexes. */
export function windowPartsOf(path: string, value: unknown): readonly [number, number] | undefined {
  const indexes = indexesOf(path, value, 2);
  if (indexes === undefined) return undefined;
  const [begin, end] = indexes;
  if (indexes.length !== 2 || begin === undefined || end === undefined)
    return refuse(path, value, "exactly two indexes: begin and end");
  return [begin, end];
}

/** Reads a window. @throws instance.invalid */
export function windowOf({ para }: Pick<Instance, "para">, parts: readonly [number, number]): Window {
  const [beginMs, endMs] = parts.map((part) => timePart(para, part)) as [number, number];
  return { beginMs, endMs };
}

const TIME = /^-?\d{1,16}$/;

/** A time in a part of a para, in milliseconds since the Unix epoch. @throws instance.invalid */
export function timePart(para: string, index: number): number {
  const { picked } = pickPara(para, [index]);
  if (TIME.test(picked)) return Number(picked);
  throw natureError(
    "instance.invalid",
    `part ${index} of para ${JSON.stringify(para)} is ${JSON.stringify(picked)}, expected a time in milliseconds since 1970`,
    { details: { para, index, parts: paraParts(para).length } },
  );
}
