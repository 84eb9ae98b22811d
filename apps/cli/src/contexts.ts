import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { coreError } from "@metanode/core/errors";

/** A node that is known by name. */
export interface Context {
  readonly url?: string;
  readonly token?: string;
  readonly data?: string;
}

/** What the file of contexts holds. */
export interface Contexts {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const FIELDS = ["url", "token", "data"] as const;

/** `$XDG_CONFIG_HOME/metanode/config.yaml`, by default below `~/.config`. */
export function contextsFile(): string {
  const { XDG_CONFIG_HOME } = process.env;
  return join(XDG_CONFIG_HOME || join(homedir(), ".config"), "metanode", "config.yaml");
}

/**
 * The contexts of this user; none where there is no file.
 * @throws {MetanodeError} config.invalid – the file is not what it should be.
 */
export async function readContexts(): Promise<Contexts> {
  const file = contextsFile();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { contexts: {} };
    throw coreError("config.invalid", `${file} cannot be read: ${message}`, { cause });
  }
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw coreError("config.invalid", `${file} is no YAML: ${(cause as Error).message}`, { cause });
  }
  return checkContexts(value ?? {}, file);
}

/** Writes the contexts, readable for this user only, since they hold tokens. */
export async function writeContexts(contexts: Contexts): Promise<void> {
  const file = contextsFile();
  const { stringify } = await import("yaml");
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, stringify(contexts), { mode: 0o600 });
    renameSync(draft, file);
  } catch (cause) {
    throw coreError("config.invalid", `${file} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** A context by name. @throws {MetanodeError} resource.not_found */
export function contextOf({ contexts }: Contexts, name: string): Context {
  const found = contexts[name];
  if (found !== undefined) return found;
  throw coreError("resource.not_found", `there is no context ${name}; there are ${Object.keys(contexts).join(", ") || "none"}`);
}

function checkContexts(value: unknown, file: string): Contexts {
  const refuse = (path: string, expected: string): never => {
    throw coreError("config.invalid", `${path} in ${file} is wrong, expected ${expected}`, { details: { path } });
  };
  if (!isRecord(value)) return refuse("the whole", "a map with `current` and `contexts`");
  const { current, contexts = {} } = value;
  if (current !== undefined && typeof current !== "string") refuse("current", "the name of a context");
  if (!isRecord(contexts)) return refuse("contexts", "a map of names");
  for (const [name, context] of Object.entries(contexts)) {
    if (!isRecord(context)) return refuse(`contexts.${name}`, "a map with url, token or data");
    for (const [field, text] of Object.entries(context)) {
      if (!(FIELDS as readonly string[]).includes(field)) refuse(`contexts.${name}.${field}`, `one of ${FIELDS.join(", ")}`);
      if (typeof text !== "string") refuse(`contexts.${name}.${field}`, "a text");
    }
  }
  return { ...(typeof current === "string" ? { current } : {}), contexts: contexts as Record<string, Context> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
