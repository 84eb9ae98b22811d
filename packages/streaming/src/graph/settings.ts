import type { NodeSettings, Placement } from "./form.ts";
import { isObject, type Reader } from "./reader.ts";

/** Reads the settings of a node out of a document of unknown shape; every fault goes to the reader. */
export function readSettings(reader: Reader, given: Readonly<Record<string, unknown>>): NodeSettings {
  const { action, args, env, placement, egress } = given;
  const settings: { -readonly [Key in keyof NodeSettings]: NodeSettings[Key] } = {};
  if (action !== undefined) settings.action = reader.at("action").text(action);
  if (args !== undefined) settings.args = reader.at("args").list(args, (one, item) => one.text(item));
  if (env !== undefined) settings.env = readEnv(reader.at("env"), env);
  if (placement !== undefined) settings.placement = reader.at("placement").list(placement, readPlacement);
  if (egress === "all") settings.egress = "all";
  else if (egress !== undefined) settings.egress = reader.at("egress").list(egress, (one, item) => one.text(item));
  return settings;
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
