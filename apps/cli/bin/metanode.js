#!/usr/bin/env node
// The entry of the command `metanode`. Plain JavaScript that also an older Node reads: it hands over to the Node that comes
// with the npm package `node` when the one that runs it is too old.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;
const here = fileURLToPath(import.meta.url);

/** The Node of the npm package `node`, as an absolute path. */
function pinnedNode() {
  try {
    const manifest = module.createRequire(here).resolve("node/package.json");
    const file = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined; // it is not installed, which the caller says better
  }
}

function runWith(node) {
  const child = spawn(node, [here, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"], // by its end the child sees that this process is gone
  });
  // Ctrl-C in a terminal reaches the child by itself; a second one would mean "at once".
  const isTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !isTerminal) child.kill(signal);
    });
  }
  child.on("error", (error) => refuse(`${node} does not start: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function refuse(text) {
  process.stderr.write(`error config.invalid: ${text}\n`);
  process.exitCode = 1;
}

if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
  const node = pinnedNode();
  if (node === undefined) {
    refuse(
      `metanode needs Node ${OLDEST_NODE} or later, and this is ${process.version}; install a newer one, or add it to this project: npm install --save-dev node@26`,
    );
  } else runWith(node);
} else {
  // Parsed sources are kept between runs: it halves the start.
  if (module.enableCompileCache) module.enableCompileCache();
  const source = new URL("../src/main.ts", import.meta.url);
  const { main } = await import(existsSync(source) ? source.href : new URL("../src/main.js", import.meta.url).href);
  await main();
}
