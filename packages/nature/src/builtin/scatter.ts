import { natureError } from "../errors.ts";
import { shown } from "../executor/answer.ts";
import type { ConvertRequest, ConvertResult, Output } from "../executor/executor.ts";
import { parseLossless } from "../executor/lossless-json.ts";
import { PARA_SEPARATOR } from "../instance/instance.ts";
import { optionalText, refuse } from "../shape.ts";
import { parseSettings } from "./settings.ts";

/**
 * One instance for each `{"key": …, "value": …}` in the upstream's content, in their order: the key becomes the para, the value the
 * content. Numbers keep all their digits.
 * @throws config.invalid; executor.logic – the content is no such list
 */
export function scatter({ from, settings }: ConvertRequest): ConvertResult {
  const { dimension_separator } = parseSettings("scatter", settings, ["dimension_separator"]);
  const separator = optionalText("scatter.dimension_separator", dimension_separator) ?? PARA_SEPARATOR;
  if (separator === "") return refuse("scatter.dimension_separator", separator, "text that parts the parts of a key");
  return { type: "instances", instances: entriesOf(from.content).map((entry, at) => outputOf(entry, at, separator)) };
}

function entriesOf(content: string): readonly unknown[] {
  let given: unknown;
  try {
    given = parseLossless(content);
  } catch (cause) {
    throw natureError("executor.logic", `scatter: the content is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (Array.isArray(given)) return given;
  throw natureError("executor.logic", `scatter: the content is ${shown(given)}, expected a list like [{"key":"a","value":1}]`);
}

function outputOf(entry: unknown, at: number, separator: string): Output {
  const { key, value } = (typeof entry === "object" && entry !== null ? entry : {}) as { key?: unknown; value?: unknown };
  if (typeof key !== "string" || value === undefined) {
    throw natureError("executor.logic", `scatter: entry ${at} is ${shown(entry)}, expected {"key": text, "value": …}`);
  }
  return { para: key.replaceAll(separator, PARA_SEPARATOR), content: JSON.stringify(value) };
}
