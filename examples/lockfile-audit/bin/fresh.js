import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether every source of a bundle is as it was when it was made.
 *
 * @param {string} bundle its folder; `sources.json` in it names each source with its size in bytes and its last change in whole seconds
 * @param {string} root what the sources are named from
 */
export function isFresh(bundle, root) {
  let sources;
  try {
    sources = JSON.parse(readFileSync(join(bundle, "sources.json"), "utf8"));
  } catch {
    return false;
  }
  return Object.entries(sources).every(([file, [bytes, seconds]]) => {
    const found = statSync(join(root, file), { throwIfNoEntry: false });
    return found?.size === bytes && Math.floor(found.mtimeMs / 1_000) === seconds;
  });
}
