import { natureError } from "../errors.ts";
import type { BeforeFilter } from "../executor/executor.ts";
import { pickPara } from "../instance/para.ts";
import { optionalFlag, refuse } from "../shape.ts";
import { indexesOf, parseSettings } from "./settings.ts";

/**
 * Makes the content `["<parts of the para>",<content>]`: what `merge` with the key `Content` takes. The content is text there, or, with
 * `plain`, the JSON that it is.
 * @throws config.invalid; instance.invalid – the para has no such part; executor.logic – `plain`, and the content is no JSON
 */
export const paraAsKey: BeforeFilter = (instance, { settings }) => {
  const given = parseSettings("para_as_key", settings, ["part", "plain"]);
  const part = indexesOf("para_as_key.part", given.part, 1) ?? refuse("para_as_key.part", given.part, "a list of indexes");
  const plain = optionalFlag("para_as_key.plain", given.plain) ?? false;
  const key = pickPara(instance.para, part).picked;
  const value = plain ? jsonOf(instance.content) : JSON.stringify(instance.content);
  return { ...instance, content: `[${JSON.stringify(key)},${value}]` };
};

function jsonOf(content: string): string {
  try {
    JSON.parse(content);
    return content;
  } catch (cause) {
    throw natureError(
      "executor.logic",
      `para_as_key: the content is no JSON, which plain asks for: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}
