import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Finding, fail, info, ok, warn } from "./finding.ts";

/** The oldest Node that Metanode runs on. */
const OLDEST_NODE = 24;
/** The year of this release: a clock before it is wrong. */
const RELEASE_YEAR = 2026;
/** How long a foreign program may take to say its version. */
const VERSION_TIMEOUT_MS = 5_000;

/** The Node that runs this. */
export function checkNode(): Finding {
  const { node } = process.versions;
  if (Number(node.split(".")[0]) >= OLDEST_NODE) return ok("node", `Node ${node}`);
  return fail(
    "node",
    `Node ${node}`,
    `install Node ${OLDEST_NODE} or later, or add it to the project: npm install --save-dev node@26`,
  );
}

/** The Node that a project pins as the npm package `node`, which is the one that every machine of it should run. */
export function checkPinnedNode(): Finding {
  let pinned: string;
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json");
    pinned = String((JSON.parse(readFileSync(manifest, "utf8")) as { version: unknown }).version);
  } catch {
    return info("pinned node", "none: the Node of this machine runs the node");
  }
  if (pinned === process.versions.node) return ok("pinned node", `Node ${pinned}, and it runs`);
  return warn(
    "pinned node",
    `Node ${pinned} is pinned, Node ${process.versions.node} runs`,
    "start metanode with npx or an npm script, which put the pinned Node first",
  );
}

/** A clock that is far off makes deadlines, retries and certificates go wrong. */
export function checkClock(now: number): Finding {
  const date = new Date(now);
  if (date.getUTCFullYear() >= RELEASE_YEAR) return ok("clock", date.toISOString());
  return fail("clock", date.toISOString(), "set the clock of this machine, and keep it right with NTP");
}

/** Programs that some parts can use; nothing needs them. */
export async function checkPrograms(): Promise<Finding[]> {
  const nats = await versionOf("nats-server", ["--version"]);
  const python = await versionOf("python3", ["--version"]);
  return [
    info("nats-server", nats ?? "not installed; only a cluster on NATS needs it"),
    info("python3", python ?? "not installed; only processors in Python need it"),
  ];
}

function versionOf(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: VERSION_TIMEOUT_MS, encoding: "utf8" }, (error, stdout, stderr) => {
      resolve(error === null ? (stdout || stderr).trim().split("\n", 1)[0] : undefined);
    });
  });
}
