import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ProcessorSpec } from "@metanode/core";
import { coreError } from "@metanode/core/errors";
import type { HostControlOptions } from "@metanode/core/host";
import { rejectUnknownKeys } from "@metanode/core/internal/options";
import { parseDocument } from "yaml";

/** What an agent is started with. Flags come before the file, the file before the defaults. */
export interface AgentConfig {
  /** @default the name of the host, as far as a node may be called so */
  name?: string;
  /** The data folder. @default ".metanode-agent" */
  data?: string;
  /** A token of the node that is to manage it; of no meaning once it does. */
  token?: string;
  /** That node's address, `host:port` or `nats:<name>`. @default the one in the token; without a token the agent waits there for approval */
  join?: string;
  labels?: Readonly<Record<string, string>>;
  /** What the node runs, for selectors. @default "0" */
  version?: string;
  /** Where to listen for nodes below this one: `host:port`, or `nats:<name>`. @default from the first token on, on loopback */
  listen?: string;
  advertise?: string;
  /** A server of NATS, `nats://host:port`, for addresses of the form `nats:<name>`. */
  nats?: string;
  /** Started with the node. In a file, relative `file` and `cwd` are meant from the folder of that file. */
  processors?: readonly ProcessorSpec[];
  /** What may be done to the host; without rules nothing but looking at its facts. */
  host?: HostControlOptions;
}

const KEYS: readonly string[] = [
  "name",
  "data",
  "token",
  "join",
  "labels",
  "version",
  "listen",
  "advertise",
  "nats",
  "processors",
  "host",
];

/** The name of the host as a node's: lower case, digits and `-`. */
export function nameOfHost(name: string = hostname()): string {
  const clean = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
  return clean === "" ? "agent" : clean;
}

/** Checks what was given. @throws {MetanodeError} config.invalid */
export function checkConfig(config: AgentConfig): AgentConfig {
  rejectUnknownKeys("", config, KEYS);
  for (const key of ["name", "data", "token", "join", "version", "listen", "advertise", "nats"] as const) {
    const value: unknown = config[key];
    if (value !== undefined && (typeof value !== "string" || value === "")) throw invalid(key, value, "a text");
  }
  const { labels = {} } = config;
  const isLabels = typeof labels === "object" && Object.values(labels).every((one) => typeof one === "string");
  if (!isLabels) throw invalid("labels", labels, "an object of texts");
  return config;
}

/** Reads a configuration: code whose default export it is, or YAML (so also JSON). @throws {MetanodeError} config.invalid */
export async function readConfig(file: string): Promise<AgentConfig> {
  const config = checkConfig((await readSettings(file)) as AgentConfig);
  return config.processors === undefined ? config : { ...config, processors: placed(config.processors, dirname(resolve(file))) };
}

/** Reads a file of settings, in code or in YAML; nothing in it is checked but that it is an object. @throws {MetanodeError} config.invalid */
export async function readSettings(file: string): Promise<object> {
  const path = resolve(file);
  const found = /^\.[cm]?[jt]s$/.test(extname(path)) ? await readCode(path) : await readYaml(path);
  if (typeof found !== "object" || found === null || Array.isArray(found)) throw invalid(file, found, "an object of settings");
  return found;
}

async function readCode(path: string): Promise<unknown> {
  try {
    return ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw coreError("config.invalid", `the configuration ${path} cannot be loaded: ${(cause as Error).message}`, { cause });
  }
}

async function readYaml(path: string): Promise<unknown> {
  try {
    const document = parseDocument(await readFile(path, "utf8"));
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.contents === null ? {} : (document.toJS({ maxAliasCount: 100 }) as unknown);
  } catch (cause) {
    throw coreError("config.invalid", `the configuration ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Processors whose relative paths are meant from `base`. */
export function placed(specs: readonly ProcessorSpec[], base: string): ProcessorSpec[] {
  return specs.map((spec) => ({
    ...spec,
    ...(spec.file === undefined ? {} : { file: resolve(base, spec.file) }),
    ...(spec.cwd === undefined ? {} : { cwd: resolve(base, spec.cwd) }),
  }));
}

function invalid(path: string, found: unknown, expected: string): Error {
  return coreError("config.invalid", `${path} is ${JSON.stringify(found)}, expected ${expected}`, {
    details: { path, expected },
  });
}
