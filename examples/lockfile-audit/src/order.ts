import compare from "semver/functions/compare.js";
import valid from "semver/functions/valid.js";

// Not by localeCompare: for that the first comparison loads the tables of a language, 3 MB.

/** By characters; names of packages have no language. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The older one first; what is no version stands by its characters. */
export function compareVersions(a: string, b: string): number {
  if (valid(a, true) && valid(b, true)) return compare(a, b, true) || compareNames(a, b);
  return compareNames(a, b);
}
