/**
 * Builds the workspace in the current folder: `node ../../scripts/build.ts`, the `build` script of every publishable
 * workspace. `npm run build` in the root folder runs them in the order of their dependencies, cached by turbo.
 */
import * as path from "node:path";
import { buildPackage } from "./lib/build-package.ts";
import { readWorkspaces, repositoryRoot } from "./lib/workspaces.ts";

const workspaces = readWorkspaces(repositoryRoot);
const here = path.resolve(process.cwd());
const workspace = workspaces.find(({ folder }) => folder === here);
if (workspace === undefined) {
  console.error(`${here} is no workspace of ${repositoryRoot}; run "npm run build" in the root folder`);
  process.exit(2);
}
try {
  buildPackage(workspace, { root: repositoryRoot, workspaces });
  console.error(`built ${workspace.name} into ${workspace.location}/dist`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
