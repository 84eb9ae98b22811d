import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Contender } from "../contender.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** What `npm start` runs, without npm. */
const START = ["--max-semi-space-size=4", "examples/lockfile-audit/bin/start.js"];
/** Longest wait for a node, in milliseconds. */
const LIMIT_MS = 30_000;
/** How long a node has nothing to do before its memory is read. */
const IDLE_MS = 10_000;

interface Launch {
  readonly command: readonly [string, ...string[]];
  /** Where it answers once it is ready. */
  readonly path: string;
}

/** `npm start` from nothing to ready, and what the node weighs when it has been idle for a while. */
export const ourStartup: Contender = {
  name: "ours",
  open: async () => {
    const data = mkdtempSync(join(tmpdir(), "bench-startup-"));
    const args = (port: number): string[] => ["--port", String(port), "--data", data];
    const withNpm = (port: number): Launch => ({ command: ["npm", "start", "--silent", "--", ...args(port)], path: "/readyz" });
    const alone = (port: number): Launch => ({ command: [process.execPath, ...START, ...args(port)], path: "/readyz" });
    return {
      samplers: {
        ready: async () => (await run(withNpm)).readyMs,
        "ready.node": async () => (await run(alone)).readyMs,
        "idle.rss": async () => (await run(alone, () => pidOf(data))).megabytes,
      },
      note: "the main example: a pool of processors, actors, workflows and graphs; the first start of a machine, which compiles, is the warm-up",
      close: async () => rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
    };
  },
};

const BARE = "require('node:http').createServer((q, a) => a.end('ok')).listen(process.argv[1], '127.0.0.1')";

/** A server of `node:http` that says ok: what the runtime itself takes. */
export const bareNode: Contender = {
  name: "node:http",
  open: async () => {
    const bare = (port: number): Launch => ({ command: [process.execPath, "-e", BARE, String(port)], path: "/" });
    return {
      samplers: {
        "ready.node": async () => (await run(bare)).readyMs,
        "idle.rss": async () => (await run(bare, (pid) => pid)).megabytes,
      },
      close: async () => undefined,
    };
  },
};

/** Starts it, and with `weighed` reads the memory of that process when it has been idle. */
async function run(
  launch: (port: number) => Launch,
  weighed?: (pid: number) => number,
): Promise<{ readyMs: number; megabytes: number }> {
  const port = await freePort();
  const { command, path } = launch(port);
  const [program, ...args] = command;
  const beganMs = performance.now();
  const child = spawn(program, args, { cwd: ROOT, stdio: "ignore", detached: true });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    await answered(`http://127.0.0.1:${port}${path}`, beganMs);
    const readyMs = performance.now() - beganMs;
    if (weighed === undefined) return { readyMs, megabytes: Number.NaN };
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    return { readyMs, megabytes: megabytesOf(weighed(Number(child.pid))) };
  } finally {
    // The whole group: npm has a shell between itself and the node.
    process.kill(-Number(child.pid), "SIGTERM");
    await ended;
  }
}

async function answered(url: string, beganMs: number): Promise<void> {
  while (performance.now() - beganMs < LIMIT_MS) {
    const response = await fetch(url, { headers: { connection: "close" } }).catch(() => undefined);
    await response?.text();
    if (response?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`nothing answers at ${url} after ${LIMIT_MS} ms`);
}

/** The process of the node itself, as it says in its data folder. */
function pidOf(data: string): number {
  return (JSON.parse(readFileSync(join(data, "gateway.json"), "utf8")) as { pid: number }).pid;
}

/** Resident memory, shared pages of the runtime's program included. */
function megabytesOf(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) throw new Error("resident memory is read from /proc, which this system has not");
  return (Number(/VmRSS:\s*(\d+) kB/.exec(readFileSync(file, "utf8"))?.[1]) * 1_024) / 1e6;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
