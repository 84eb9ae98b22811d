import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TempFolder } from "./harness.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** The gateway as a program of its own. Killed, if need be, at the end of the block that holds it. */
export interface Program extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the line that says where it is; rejects if it ends first. */
  readonly ready: Promise<string>;
  /** Exit status, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
}

/** Starts `main.ts` in `folder`, its data there too. Nothing of the tests' own environment with our prefix gets in. */
export function startProgram(folder: TempFolder, args: readonly string[] = [], env: Record<string, string> = {}): Program {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("METANODE_")));
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder.path,
    env: { ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const ready = Promise.withResolvers<string>();
  ready.promise.catch(() => undefined); // not every test waits for it
  const exited = Promise.withResolvers<number | NodeJS.Signals | null>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (stdout.includes("\n")) ready.resolve(stdout);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.once("close", (code, signal) => {
    exited.resolve(signal ?? code);
    ready.reject(new Error(`it ended with ${signal ?? code}: ${stderr}`));
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ready: ready.promise,
    exited: exited.promise,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited.promise;
    },
  };
}

/** A client of a program, from what it left in its data folder. */
export function clientOf(folder: TempFolder): (path: string, init?: RequestInit) => Promise<Response> {
  const { url } = JSON.parse(readFileSync(folder.file(".metanode/gateway.json"), "utf8")) as { url: string };
  const token = readFileSync(folder.file(".metanode/token"), "utf8").trim();
  return (path, init = {}) =>
    fetch(`${url}/api/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
}
