import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A program of `fixtures/` that runs, and the whole lines that it has said. */
export interface Child {
  readonly lines: readonly string[];
  /** Resolves when it has said `count` lines; rejects if it ends before. */
  said(count: number): Promise<void>;
  /** Resolves when it has said a line that fits; rejects if it ends before. */
  saw(fits: (line: string) => boolean): Promise<void>;
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
  const waiting: { isOver: () => boolean; resolve: () => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const one of waiting) if (one.isOver()) one.resolve();
  });
  const until = (isOver: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      if (isOver()) resolve();
      else waiting.push({ isOver, resolve, reject });
    });
  const ended = once(child, "close").then(([code]) => {
    for (const one of waiting) one.reject(new Error(`${name} ended after ${lines.length} lines`));
    return code as number | null;
  });
  return {
    lines,
    ended,
    said: (count) => until(() => lines.length >= count),
    saw: (fits) => until(() => lines.some(fits)),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A folder for one test, removed with its `await using` block. */
export async function testFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "metanode-log-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
