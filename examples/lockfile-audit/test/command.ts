import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** What a run of the command left behind. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const START = fileURLToPath(new URL("../bin/start.js", import.meta.url));
/** What a start says where a source has changed since `npm ci`, as while somebody works on it. */
const FROM_SOURCE = /^starting from source.*\n/;

/** The path of a fixture lockfile. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}.package-lock.json`, import.meta.url));
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lockfile-audit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A command under way. */
export class Command {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  /** Starts the command as `npm start` does, ended with the test at the latest. */
  constructor(...args: string[]) {
    const child = spawn(process.execPath, [START, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => {
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr.replace(FROM_SOURCE, "") });
      });
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }

  /** What a reader such as `head` does when it has enough. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until standard error matches, and gives the match. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stderr);
      if (match) return match;
      const next = new Promise((resolve) => this.#child.stderr?.once("data", resolve));
      const ended = await Promise.race([next, this.#ended]);
      if (typeof ended === "object") throw new Error(`the command ended before it said ${pattern}: ${this.#stderr}`);
    }
  }
}

/** Runs the command to its end. */
export function run(...args: string[]): Promise<Ended> {
  return new Command(...args).ended();
}
