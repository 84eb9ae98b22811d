import type { Limits, NodeSettings, Placement } from "./form.ts";
import { isObject, type Reader } from "./reader.ts";

type Settings = { -readonly [Key in keyof NodeSettings]: NodeSettings[Key] };

const words = {
  codec: ["frames", "lines", "json", "netstrings", "metanode"],
  answers: ["one", "any"],
  settle: ["exit", "quiet", "end"],
  replay: ["journal", "rerun", "position", "none"],
  onError: ["dead-letter", "drop", "fail", "pause"],
  buffer: ["memory", "durable"],
} as const;

/** Whole numbers with the least that they may be. */
const numbers = { replicas: 1, concurrency: 1, attempts: 1, timeoutMs: 0, quietMs: 1, runBytes: 1, runMs: 1 } as const;
const limits = { memoryBytes: 1, cpuSeconds: 1, openFiles: 3, fileBytes: 0, processes: 1 } as const;

/** Every setting of a node. */
export const settingNames: readonly string[] = [
  ...["action", "args", "env", "placement", "on", "egress", "command", "key", "with", "backoffMs", "limits", "fuse"],
  ...Object.keys(words),
  ...Object.keys(numbers),
];

/** Reads the settings of a node out of a document of unknown shape; every fault goes to the reader. */
export function readSettings(reader: Reader, given: Readonly<Record<string, unknown>>): NodeSettings {
  const { action, args, env, placement, on, egress } = given;
  const settings: Settings = {};
  if (action !== undefined) settings.action = reader.at("action").text(action);
  if (args !== undefined) settings.args = reader.at("args").list(args, (one, item) => one.text(item));
  if (env !== undefined) settings.env = readEnv(reader.at("env"), env);
  if (placement !== undefined) settings.placement = reader.at("placement").list(placement, readPlacement);
  if (on !== undefined) settings.on = reader.at("on").text(on);
  if (egress === "all") settings.egress = "all";
  else if (egress !== undefined) settings.egress = reader.at("egress").list(egress, (one, item) => one.text(item));
  readCommand(reader, given, settings);
  readWords(reader, given, settings);
  readNumbers(reader, given, settings);
  return settings;
}

function readCommand(
  reader: Reader,
  { command, action, with: options, key }: Readonly<Record<string, unknown>>,
  settings: Settings,
): void {
  if (command !== undefined && action !== undefined)
    reader.at("command").fault("bad-form", command, "either `command` or `action`");
  else if (typeof command === "string") settings.command = reader.at("command").text(command);
  else if (command !== undefined) settings.command = reader.at("command").list(command, (one, item) => one.text(item));
  if (key !== undefined) settings.key = reader.at("key").text(key);
  if (isObject(options)) settings.with = options;
  else if (options !== undefined) reader.at("with").fault("bad-value", options, "an object of settings");
}

function readWords(reader: Reader, given: Readonly<Record<string, unknown>>, settings: Settings): void {
  for (const [name, known] of Object.entries(words)) {
    const value = given[name];
    if (value === undefined) continue;
    if ((known as readonly unknown[]).includes(value)) Object.assign(settings, { [name]: value });
    else reader.at(name).fault("bad-value", value, `one of ${known.join(", ")}`);
  }
}

function readNumbers(reader: Reader, given: Readonly<Record<string, unknown>>, settings: Settings): void {
  for (const [name, least] of Object.entries(numbers)) {
    if (given[name] !== undefined && isWhole(reader.at(name), given[name], least))
      Object.assign(settings, { [name]: given[name] });
  }
  const { backoffMs, limits: givenLimits, fuse } = given;
  if (typeof fuse === "boolean") settings.fuse = fuse;
  else if (fuse !== undefined) reader.at("fuse").fault("bad-value", fuse, "true or false");
  if (backoffMs !== undefined)
    settings.backoffMs = reader.at("backoffMs").list(backoffMs, (one, item) => (isWhole(one, item, 0) ? item : 0));
  if (givenLimits !== undefined) settings.limits = readLimits(reader.at("limits"), givenLimits);
}

function readLimits(reader: Reader, given: unknown): Limits {
  if (!isObject(given)) {
    reader.fault("bad-value", given, "an object of limits");
    return {};
  }
  const found: [string, number][] = [];
  for (const [name, value] of Object.entries(given)) {
    const least = Object.hasOwn(limits, name) ? limits[name as keyof Limits] : undefined;
    if (least === undefined) reader.at(name).fault("bad-form", name, `one of ${Object.keys(limits).join(", ")}`);
    else if (isWhole(reader.at(name), value, least)) found.push([name, value]);
  }
  return Object.fromEntries(found);
}

function isWhole(reader: Reader, value: unknown, least: number): value is number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return true;
  reader.fault("bad-value", value, `a whole number of ${least} or more`);
  return false;
}

/** Names to values; an empty value is one, an empty name is not. */
export function readEnv(reader: Reader, given: unknown): Record<string, string> {
  if (!isObject(given)) {
    reader.fault("bad-value", given, "an object of variables");
    return {};
  }
  const found: [string, string][] = [];
  for (const [name, value] of Object.entries(given)) {
    if (name === "" || /[=\0]/.test(name)) reader.fault("bad-value", name, "a variable name that is not empty and has no `=`");
    else if (typeof value !== "string" || value.includes("\0")) reader.at(name).fault("bad-value", value, "a text");
    else found.push([name, value]);
  }
  return Object.fromEntries(found);
}

/** A host with a port. A text of digits is taken as a port too: some files write it so. */
export function readPlacement(reader: Reader, given: unknown): Placement {
  if (!isObject(given)) {
    reader.fault("bad-value", given, "an object with `host` and `port`");
    return { host: "", port: 0 };
  }
  const { host, port } = given;
  const number = typeof port === "string" && /^\d{1,5}$/.test(port) ? Number(port) : port;
  const name = reader.at("host").text(host);
  const isPort = typeof number === "number" && Number.isInteger(number) && number >= 1 && number <= 65_535;
  if (!isPort) reader.at("port").fault("bad-value", port, "a port from 1 to 65535");
  return { host: name, port: isPort ? number : 0 };
}
