import { coreError, type ProcessorSpec, processors } from "@metanode/core";
import { rejectUnknownKeys } from "@metanode/core/internal";
import { SETTINGS } from "./settings.ts";
import type { ConfigValues } from "./types.ts";

/** Checks the keys of a configuration at every depth that has keys of ours. @throws {MetanodeError} config.invalid */
export function rejectUnknownSettings(path: string, given: unknown): void {
  if (given === undefined) return;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw coreError("config.invalid", `${path || "the configuration"} is ${JSON.stringify(given)}, expected an object`, {
      details: { path },
    });
  }
  const prefix = path === "" ? "" : `${path}.`;
  const below = SETTINGS.flatMap((setting) => (setting.path.startsWith(prefix) ? [setting.path.slice(prefix.length)] : []));
  rejectUnknownKeys(path, given, [...new Set(below.map((one) => one.split(".", 1)[0] ?? ""))]);
  for (const [key, value] of Object.entries(given)) {
    if (below.some((one) => one.startsWith(`${key}.`))) rejectUnknownSettings(prefix + key, value);
  }
}

/** The nested form of values by path. */
export function atPath(values: Readonly<Record<string, unknown>>): ConfigValues {
  const nested: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    const last = keys.pop() ?? path;
    let at = nested;
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[last] = value;
  }
  return nested as unknown as ConfigValues;
}

/** An issuer whose tokens may be meant for anybody is none. @throws {MetanodeError} config.invalid */
export function checkAuth({ oidc: { issuer, audience } }: ConfigValues["auth"]): void {
  if ((issuer === undefined) === (audience === undefined)) return;
  const path = issuer === undefined ? "auth.oidc.issuer" : "auth.oidc.audience";
  throw coreError("config.invalid", `${path} is not set; auth.oidc needs both an issuer and an audience`, { details: { path } });
}

/** Checks what can be checked of processors before anything is opened. @throws {MetanodeError} config.invalid */
export function checkProcessors(specs: readonly ProcessorSpec[]): void {
  processors(specs); // builds only; core names the path of what is wrong
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (seen.has(name)) {
      throw coreError("config.invalid", `processors names ${name} twice; give each processor a name of its own`, {
        details: { path: `processors.${name}` },
      });
    }
    seen.add(name);
  }
}
