import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { coreError, type MetanodeError } from "@metanode/core";
import type { GatewayConfig } from "./types.ts";
import { yaml } from "./yaml.ts";

/**
 * Reads a configuration file: code whose default export is the configuration, or YAML (so also JSON).
 * @throws {MetanodeError} config.invalid – missing, unreadable, or no configuration in it.
 */
export async function readConfigFile(path: string): Promise<GatewayConfig> {
  const found = /^\.[cm]?[jt]s$/.test(extname(path)) ? await readCode(path) : await readYaml(path);
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found as GatewayConfig;
  throw invalid(path, `holds ${found === null ? "nothing" : typeof found}, expected an object of settings`);
}

async function readCode(path: string): Promise<unknown> {
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (cause) {
    throw invalid(path, `cannot be loaded: ${(cause as Error).message}`, cause);
  }
  if (loaded.default !== undefined) return loaded.default;
  throw invalid(path, "has no default export; end it with `export default defineConfig({ … })`");
}

async function readYaml(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw invalid(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
  const document = yaml().parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw invalid(path, `is no YAML: ${error.message.split("\n", 1)[0]}`, error);
  try {
    // An empty file says nothing, and that is a valid thing to say.
    return document.contents === null ? {} : (document.toJS({ maxAliasCount: 100 }) as unknown);
  } catch (cause) {
    throw invalid(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

function invalid(path: string, what: string, cause?: unknown): MetanodeError {
  return coreError("config.invalid", `the configuration file ${path} ${what}`, { details: { path }, cause });
}
