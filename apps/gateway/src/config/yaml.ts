import { createRequire } from "node:module";

let loaded: typeof import("yaml") | undefined;

/** The library for YAML, loaded when it is first needed: most nodes read no such file and print no configuration. */
export function yaml(): typeof import("yaml") {
  loaded ??= createRequire(import.meta.url)("yaml") as typeof import("yaml");
  return loaded;
}
