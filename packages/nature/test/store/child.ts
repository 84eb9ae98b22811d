import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A program of `fixtures/` that runs, and the whole lines that it has said. */
export interface Child {
  readonly lines: readonly string[];
  /** Resolves when it has said `count` lines; rejects if it ends before. */
  said(count: number): Promise<void>;
  /** Kills it with SIGKILL and resolves when it is gone, and all that it said has come. */
  kill(): Promise<void>;
  /** Resolves with its exit code when it has ended by itself. */
  readonly ended: Promise<number | null>;
}

/** Runs a program of `fixtures/` with this same Node. */
export function runFixture(name: string, ...args: string[]): Child {
  const file = fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  const waiting: { count: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const one of waiting) if (lines.length >= one.count) one.resolve();
  });
  const ended = once(child, "close").then(([code]) => {
    for (const one of waiting) one.reject(new Error(`${name} ended after ${lines.length} lines`));
    return code as number | null;
  });
  return {
    lines,
    ended,
    said: (count) =>
      new Promise((resolve, reject) => {
        if (lines.length >= count) resolve();
        else waiting.push({ count, resolve, reject });
      }),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
