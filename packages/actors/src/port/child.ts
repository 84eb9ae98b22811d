import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Clock, Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";

/**
 * A program and its group: all that it started and that did not leave the group.
 *
 *  G1. The group gets the stop signal at most once, and SIGKILL when the grace is over.
 *  G2. `gone` comes once: the program has exited, and its pipes are read to the end or were closed because of G1.
 *  G3. When `gone` comes nobody of the group lives, and no timer is left.
 */

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to launch. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Record<string, string>;
  readonly clock: Clock;
  readonly stopSignal: NodeJS.Signals;
  readonly killGraceMs: number;
}

/** A program that was launched. */
export class Child {
  readonly process: ChildProcessWithoutNullStreams;
  readonly pid: number;
  readonly gone: Promise<Exit>;
  readonly #clock: Clock;
  readonly #stopSignal: NodeJS.Signals;
  readonly #killGraceMs: number;
  #timer: Timer | undefined;
  #state: "runs" | "stopping" | "killed" | "gone" = "runs";

  constructor(process: ChildProcessWithoutNullStreams, pid: number, { clock, stopSignal, killGraceMs }: Launch) {
    this.process = process;
    this.pid = pid;
    this.#clock = clock;
    this.#stopSignal = stopSignal;
    this.#killGraceMs = killGraceMs;
    keepTrack(pid);
    process.once("exit", () => {
      if (this.#state === "killed") this.#closePipes();
    });
    this.gone = new Promise((resolve) => {
      process.once("close", (code, signal) => {
        this.#timer?.cancel();
        this.#state = "gone";
        signalGroup(pid, "SIGKILL");
        loseTrack(pid);
        resolve({ code, signal });
      });
    });
  }

  /** Waits for its own end, and stops it after `lingerMs`. */
  linger(lingerMs: number): void {
    if (this.#state !== "runs") return;
    this.process.stdin.end();
    this.#timer ??= this.#clock.setTimer(lingerMs, () => this.stop());
  }

  /** Closes its stdin, sends the stop signal, and SIGKILL after the grace. */
  stop(): void {
    if (this.#state !== "runs") return;
    this.#state = "stopping";
    this.#timer?.cancel();
    this.process.stdin.end();
    signalGroup(this.pid, this.#stopSignal);
    this.#timer = this.#clock.setTimer(this.#killGraceMs, () => this.kill());
  }

  /** Ends it without asking. */
  kill(): void {
    if (this.#state === "killed" || this.#state === "gone") return;
    this.#state = "killed";
    this.#timer?.cancel();
    signalGroup(this.pid, "SIGKILL");
    // Who left the group may hold the pipes for ever.
    if (this.process.exitCode !== null || this.process.signalCode !== null) this.#closePipes();
  }

  #closePipes(): void {
    this.process.stdout.destroy();
    this.process.stderr.destroy();
  }
}

/** Launches a program in a group of its own. Rejects with actor.start_failed. */
export function launch(what: Launch): Child | Promise<never> {
  const { command, args, cwd, env } = what;
  let process: ChildProcessWithoutNullStreams;
  try {
    // A group of its own: what it starts ends with it, and a terminal's Ctrl-C does not reach it.
    process = spawn(command, args, { cwd, env, detached: true, windowsHide: true, stdio: ["pipe", "pipe", "pipe"] });
  } catch (cause) {
    return Promise.reject(notStarted(command, cause));
  }
  if (process.pid !== undefined) return new Child(process, process.pid, what);
  return new Promise((_, reject) => {
    process.once("error", (cause) => reject(notStarted(command, cause)));
  });
}

function notStarted(command: string, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  return actorError("actor.start_failed", `the program ${command} could not be started: ${text}`, { cause });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // Nobody of the group lives.
  }
}

/** The groups that live. They are killed when this process exits; one that is killed itself leaves them with a closed stdin. */
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
