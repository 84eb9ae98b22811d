import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock, Timer } from "../clock.ts";
import { coreError } from "../errors.ts";
import { findInPath } from "./target.ts";

/*
 * A program and its group: all that it started and that did not leave the group.
 *
 *  G1. The group gets SIGTERM at most once, and SIGKILL when the grace is over.
 *  G2. `gone` comes once: the program has exited, and its pipes are read to the end or were closed because nobody of the
 *      group is left to write.
 *  G3. When `gone` comes nobody of the group lives, and no timer is left. What a program leaves behind in its group ends
 *      with it; whoever still holds its pipes gets the grace.
 */

/** How a program ended. */
export interface Exit {
  /** Absent where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What the operating system is to hold a program to. */
export interface HostLimits {
  /** Of processor time; then SIGXCPU, and SIGKILL a second later. */
  readonly cpuSeconds?: number;
  /** Of address space. */
  readonly memoryBytes?: number;
  readonly openFiles?: number;
}

/** What to start. */
export interface Launch {
  /** The program's path. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly limits?: HostLimits | undefined;
  /** Without one the program reads nothing. */
  readonly stdin?: Uint8Array | undefined;
  readonly graceMs: number;
  readonly clock: Clock;
}

const MIN_CLOSE_MS = 50;

/** What a program sees of the node's environment; the rest may hold the node's own secrets. */
const PASSED_ENVIRONMENT = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** The environment of a program: little of the node's, and what is given. */
export function environmentOf(given: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of PASSED_ENVIRONMENT) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...given };
}

export class ProcessGroup {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Of the program itself; others of its group may still live. */
  readonly exited: Promise<Exit>;
  readonly gone: Promise<Exit>;
  readonly #clock: Clock;
  readonly #graceMs: number;
  #timer: Timer | undefined;
  #state: "runs" | "stopping" | "killed" | "gone" = "runs";

  constructor(child: Started, { clock, graceMs }: Launch) {
    this.pid = child.pid;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.#clock = clock;
    this.#graceMs = graceMs;
    keepTrack(this.pid);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        resolve({ code, signal });
        this.#waitForPipes();
      });
    });
    this.gone = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#timer?.cancel();
        this.#state = "gone";
        signalGroup(this.pid, "SIGKILL");
        loseTrack(this.pid);
        resolve({ code, signal });
      });
    });
  }

  /** Asks the group to end, and makes it after the grace. */
  end(): void {
    if (this.#state !== "runs") return;
    this.#state = "stopping";
    signalGroup(this.pid, "SIGTERM");
    this.#arm(() => this.kill());
  }

  /** Ends it without asking. */
  kill(): void {
    if (this.#state === "killed" || this.#state === "gone") return;
    this.#state = "killed";
    signalGroup(this.pid, "SIGKILL");
    this.#armToClose();
  }

  #waitForPipes(): void {
    if (this.#state === "runs") this.#arm(() => this.kill());
  }

  /** Who left the group may hold the pipes for ever. What is in them already is still read. */
  #closeIdlePipes(): void {
    for (const pipe of [this.stdout, this.stderr])
      if (pipe.readableFlowing !== false && pipe.readableLength === 0) pipe.destroy();
    this.#armToClose();
  }

  /** Looks again and again, so never without a pause. */
  #armToClose(): void {
    this.#arm(() => this.#closeIdlePipes(), Math.max(MIN_CLOSE_MS, this.#graceMs));
  }

  #arm(callback: () => void, delayMs = this.#graceMs): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(delayMs, callback);
  }
}

type Started = ChildProcess & { readonly pid: number; readonly stdout: Readable; readonly stderr: Readable };

/**
 * Starts a program in a group of its own.
 * @throws {MetanodeError} processor.start – it could not be started; call.unsupported – a limit or a platform
 */
export async function launch(what: Launch): Promise<ProcessGroup> {
  const { file, args, cwd, env, limits, stdin } = what;
  if (process.platform === "win32") {
    throw coreError("call.unsupported", "programs are run by host control on Unix systems only: Windows has no process groups");
  }
  const [first, ...rest] = [...deathGuard(), ...(await limiter(limits)), file, ...args] as [string, ...string[]];
  // A group of its own: what it starts ends with it, and a terminal's Ctrl-C does not reach it.
  const child = spawn(first, rest, {
    cwd,
    env,
    detached: true,
    stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.on("error", () => undefined); // told of below
  if (child.pid === undefined) {
    const cause = await new Promise<Error>((resolve) => child.once("error", resolve));
    // Not as the cause: Node's error holds all the arguments.
    throw coreError("processor.start", `${file} could not be started in ${cwd}: ${cause.message}`);
  }
  child.stdin?.on("error", () => undefined); // it does not want to read it all
  child.stdin?.end(stdin);
  return new ProcessGroup(child as Started, what);
}

let guard: readonly string[] | undefined;

/** A program in front, which makes the kernel end the program when its node dies. Linux with util-linux has it. */
function deathGuard(): readonly string[] {
  if (guard === undefined) {
    const words = ["setpriv", "--pdeathsig", "KILL", "--"];
    const isThere =
      process.platform === "linux" && spawnSync("setpriv", [...words.slice(1), "true"], { stdio: "ignore" }).status === 0;
    guard = isThere ? words : [];
  }
  return guard;
}

async function limiter(limits: HostLimits = {}): Promise<readonly string[]> {
  const { cpuSeconds, memoryBytes, openFiles } = limits;
  const words: string[] = [];
  if (cpuSeconds !== undefined) words.push(`--cpu=${cpuSeconds}:${cpuSeconds + 1}`);
  if (memoryBytes !== undefined) words.push(`--as=${memoryBytes}`);
  if (openFiles !== undefined) words.push(`--nofile=${openFiles}`);
  if (words.length === 0) return [];
  const prlimit = await findInPath("prlimit");
  if (prlimit !== undefined) return [prlimit, ...words, "--"];
  throw coreError(
    "call.unsupported",
    "limits need the program prlimit (util-linux) on the node's PATH; install it, or ask for none",
  );
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody of the group lives.
  }
}

/** The groups that live. They are killed when this process exits. */
const live = new Set<number>();

function killLive(): void {
  for (const pid of live) signalGroup(pid, "SIGKILL");
}

function keepTrack(pid: number): void {
  if (live.size === 0) process.on("exit", killLive);
  live.add(pid);
}

function loseTrack(pid: number): void {
  live.delete(pid);
  if (live.size === 0) process.off("exit", killLive);
}
