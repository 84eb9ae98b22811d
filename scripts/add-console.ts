/**
 * Puts the files of the web console into the built gateway: `node ../../scripts/add-console.ts` in its folder, behind the
 * build. They are made by `npm run site -w apps/console`, which npm's `prepare` runs.
 */
import { cpSync, existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "./lib/workspaces.ts";

const site = path.join(repositoryRoot, "apps", "console", "site");
const target = path.join(process.cwd(), "dist", "console");
if (!existsSync(path.join(site, "index.html"))) {
  console.error(`${site} is not there; make it with "npm run site -w apps/console"`);
  process.exit(1);
}
cpSync(site, target, { recursive: true });
console.error(`copied the console into ${path.relative(repositoryRoot, target)}`);
