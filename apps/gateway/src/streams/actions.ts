import { pathToFileURL } from "node:url";
import { coreError } from "@metanode/core";
import type { GivenActions } from "@metanode/streaming";

/**
 * The actions that files export: functions that work on records, and whole actions, each under the name of its export.
 * @throws {MetanodeError} config.invalid – a file cannot be loaded, or two export the same name.
 */
export async function loadActions(files: readonly string[]): Promise<GivenActions> {
  const found: Record<string, GivenActions[string]> = {};
  for (const file of files) {
    for (const [name, value] of Object.entries(await load(file))) {
      if (!isAction(value)) continue;
      if (Object.hasOwn(found, name)) throw refused(file, `exports ${name}, which another file exports too`);
      found[name] = value;
    }
  }
  return found;
}

async function load(file: string): Promise<object> {
  try {
    return (await import(pathToFileURL(file).href)) as object;
  } catch (cause) {
    throw refused(file, `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function isAction(value: unknown): value is GivenActions[string] {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && ("stage" in value || "source" in value);
}

function refused(file: string, what: string, cause?: unknown): Error {
  return coreError("config.invalid", `streams.actions: ${file} ${what}`, { details: { path: "streams.actions", file }, cause });
}
