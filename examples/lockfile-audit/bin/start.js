// Starts the example. Plain JavaScript, so that what is TypeScript comes from the compile cache from the second start on,
// in this process and in its threads: that saves memory and time (npm run bench -- startup).
import { enableCompileCache } from "node:module";

const { directory } = enableCompileCache();
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory;
await import("../src/main.ts");
