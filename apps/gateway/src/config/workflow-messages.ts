import { rejectUnknownKeys, textOf } from "@metanode/core/internal";

/*
 * The form of what messages and workflows have to do with each other. Whether a meta is one is said by the workflows, at their start: what
 * knows that is not loaded for it.
 */

/** @throws {MetanodeError} config.invalid */
export function checkInputs(path: string, given: object): void {
  checkEach(path, given, "meta", ["meta", "description", "inputSchema"]);
}

/** @throws {MetanodeError} config.invalid */
export function checkOutputs(path: string, given: object): void {
  checkEach(path, given, "type", ["type", "selector", "pass"]);
}

/** Each is a name, or an object with that name and more about it. */
function checkEach(path: string, given: object, name: string, known: readonly string[]): void {
  for (const [key, one] of Object.entries(given) as [string, unknown][]) {
    const at = `${path}.${key}`;
    if (typeof one !== "object" || one === null || Array.isArray(one)) textOf(at, one);
    else {
      rejectUnknownKeys(at, one, known);
      textOf(`${at}.${name}`, (one as Record<string, unknown>)[name]);
    }
  }
}
