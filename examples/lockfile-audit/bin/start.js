// Starts the example: what `npm ci` has bundled, or the source where that was changed since. Plain JavaScript, so that all
// else comes from the compile cache from the second start on, in this process and in its threads: that saves memory and time
// (npm run bench -- startup).
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { isFresh } from "./fresh.js";

const { directory } = enableCompileCache();
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory;
const here = import.meta.dirname;
if (isFresh(join(here, "../dist"), join(here, "../../.."))) await import("../dist/main.js");
else {
  process.stderr.write("starting from source, which takes longer: `npm run prepare` makes the bundle again\n");
  await import("../src/main.ts");
}
