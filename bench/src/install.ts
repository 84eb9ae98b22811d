import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));

/**
 * Installs the peers as bench/package-lock.json says, unless they stand there already. npm's talk goes to stderr. When it
 * fails, for example without a network, the bench goes on and leaves out who is missing.
 */
export function installPeers(say: (text: string) => void): void {
  const hash = createHash("sha256")
    .update(readFileSync(path.join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = path.join(folder, "node_modules", ".metanode-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say("installing what the bench compares with (once, about 270 MB in bench/node_modules)");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    env: { ...ownEnv(), SCARF_ANALYTICS: "false" },
    stdio: ["ignore", 2, 2],
  });
  if (status === 0) writeFileSync(stamp, hash);
  else say("npm ci failed in bench; peers that are not installed will be left out");
}

/** Without what `npm run` hands down about the repository's own package: it would install there. */
function ownEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:package|lifecycle|config_local)/.test(name)),
  );
}
