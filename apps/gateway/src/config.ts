import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { coreError } from "@metanode/core";
import { nearest } from "@metanode/core/internal";
import { checkActors } from "./actors.ts";
import { readConfigFile } from "./config/file.ts";
import { CONFIG_VARIABLE, OTHER_VARIABLES, SETTINGS, type Setting, settingOf, variableOf } from "./config/settings.ts";
import type { GatewayConfig, ResolvedConfig, ValueSource } from "./config/types.ts";
import { atPath, checkAuth, checkProcessors, rejectUnknownSettings } from "./config/values.ts";

export interface LoadConfigOptions {
  /** What was said on the command line; it comes before everything else. */
  options?: GatewayConfig;
  /** The file to read instead of looking for one. */
  file?: string;
  /** @default process.env */
  env?: Readonly<Record<string, string | undefined>>;
  /** Where files are looked for and where relative paths begin. @default the working directory */
  cwd?: string;
}

/** The files that are looked for, in this order. */
export const CONFIG_FILES = ["metanode.config.ts", "metanode.config.js", "metanode.yaml", "metanode.yml"] as const;

/** Gives a configuration its types, in `metanode.config.ts`: `export default defineConfig({ name: "eu" })`. */
export function defineConfig(config: GatewayConfig): GatewayConfig {
  return config;
}

/** Checks a configuration given in code and fills in the defaults; reads no file and no environment. @throws {MetanodeError} config.invalid */
export function resolveConfig(given: GatewayConfig, cwd: string = process.cwd()): ResolvedConfig {
  return merge({ options: given, env: {}, cwd }, undefined);
}

/**
 * The configuration from flags, environment and file.
 * @throws {MetanodeError} config.invalid – an unknown key or variable, or a wrong value: with its path, what was found,
 * what was expected and the variable of that name.
 */
export async function loadConfig(given: LoadConfigOptions = {}): Promise<ResolvedConfig> {
  const cwd = resolve(given.cwd ?? process.cwd());
  const env = given.env ?? process.env;
  rejectUnknownVariables(env);
  const file = given.file ?? (env[CONFIG_VARIABLE] || undefined) ?? CONFIG_FILES.find((name) => existsSync(join(cwd, name)));
  const read = file === undefined ? undefined : { path: resolve(cwd, file), config: await readConfigFile(resolve(cwd, file)) };
  return merge({ options: given.options ?? {}, env, cwd }, read);
}

interface Given {
  readonly options: GatewayConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

function merge(given: Given, file: { path: string; config: GatewayConfig } | undefined): ResolvedConfig {
  const values: Record<string, unknown> = {};
  const sources = new Map<string, ValueSource>();
  rejectUnknownSettings("", given.options);
  if (file !== undefined) rejectUnknownSettings("", file.config);
  for (const setting of SETTINGS) {
    const { value, source } = pick(setting, given, file);
    const isGiven = value !== undefined;
    const base = source.kind === "file" && file !== undefined ? resolve(file.path, "..") : given.cwd;
    values[setting.path] = isGiven ? setting.check(value, { setting, source, base }) : undefined;
    sources.set(setting.path, source);
  }
  values["nature.enabled"] ??= isNatureGiven(given.options, file?.config, sources);
  if (values["nature.enabled"] === true) readSharedVariables(values, sources, given);
  const merged = atPath(values);
  checkAuth(merged.auth);
  checkProcessors(merged.processors);
  checkActors(merged.actors);
  return Object.freeze({ values: merged, sources, file: file?.path });
}

function isNatureGiven(
  options: GatewayConfig,
  file: GatewayConfig | undefined,
  sources: ReadonlyMap<string, ValueSource>,
): boolean {
  if (options.nature !== undefined || file?.nature !== undefined) return true;
  return [...sources].some(([path, { kind }]) => path.startsWith("nature.") && kind === "environment");
}

/** Variables that other programs know as well: where nobody asked for what they are for, they may hold anything. */
function readSharedVariables(values: Record<string, unknown>, sources: Map<string, ValueSource>, { env, cwd }: Given): void {
  for (const setting of SETTINGS) {
    if (setting.alsoVariable === undefined || values[setting.path] !== undefined) continue;
    const found = inVariable(setting, env, setting.alsoVariable);
    if (found === undefined) continue;
    values[setting.path] = setting.check(found.value, { setting, source: found.source, base: cwd });
    sources.set(setting.path, found.source);
  }
}

function pick(
  setting: Setting,
  { options, env }: Given,
  file: { path: string; config: GatewayConfig } | undefined,
): { value: unknown; source: ValueSource } {
  const option = settingOf(options, setting.path);
  if (option !== undefined) return { value: option, source: { kind: "option", from: setting.path } };
  const found = inVariable(setting, env, variableOf(setting.path));
  if (found !== undefined) return found;
  const inFile = file === undefined ? undefined : settingOf(file.config, setting.path);
  // Null stands for a default that cannot be written down.
  const isSaid = inFile !== undefined && (inFile !== null || setting.defaultValue !== undefined);
  if (file !== undefined && isSaid) return { value: inFile, source: { kind: "file", from: file.path } };
  return { value: setting.defaultValue, source: { kind: "default" } };
}

function inVariable(setting: Setting, env: Given["env"], variable: string): { value: unknown; source: ValueSource } | undefined {
  const text = env[variable];
  // A variable that is set to nothing counts as not set: that is how compose files and shells clear one.
  if (text === undefined || text === "") return undefined;
  const source: ValueSource = { kind: "environment", from: variable };
  return { value: setting.parse(text, { setting, source, base: "" }), source };
}

function rejectUnknownVariables(env: Readonly<Record<string, string | undefined>>): void {
  const known = [...SETTINGS.map(({ path }) => variableOf(path)), ...OTHER_VARIABLES];
  for (const name of Object.keys(env)) {
    if (!name.startsWith("METANODE_") || known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
    throw coreError("config.invalid", `the environment variable ${name} is not a known setting; ${hint}`, {
      details: { path: name, variable: name, ...(near === undefined ? {} : { suggestion: near }) },
    });
  }
}
