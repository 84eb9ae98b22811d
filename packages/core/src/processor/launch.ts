import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import { createMemoryChannel } from "../link/channel.ts";
import type { Hello } from "../link/frames.ts";
import { MAX_BATCH_BYTES } from "../link/grpc.ts";
import { type Greeted, receive } from "../link/handshake.ts";
import { PROCESSOR_CONCURRENCY, type ProcessorDoor } from "./door.ts";
import { PASSED_ENVIRONMENT, type ResolvedProcessorSpec } from "./options.ts";
import { attachProcessor } from "./runtime.ts";
import { PROCESSOR_ENVIRONMENT } from "./serve.ts";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The program could not be started at all. */
  readonly error?: Error;
}

/** One line that a processor wrote. */
export interface LogLine {
  /** The process: `pool.index`. */
  readonly processor: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly atMs: number;
}

/** A processor that was started and has not necessarily come in yet. */
export interface Launched {
  readonly pid: number | undefined;
  readonly arrived: Promise<Greeted<Hello>>;
  readonly exited: Promise<Exit>;
  /** Ends it and everything it started, at once. */
  kill(): void;
  /** Resident memory in bytes; undefined where it cannot be known. */
  memoryBytes(): Promise<number | undefined>;
}

export interface LaunchContext {
  readonly door: ProcessorDoor;
  readonly clock: Clock;
  readonly node: string;
  /** Where compiled code is kept: a processor from source then starts quicker and smaller. */
  readonly cacheFolder: string;
  readonly onLine: (line: LogLine) => void;
}

/** Longest line of a log that is kept whole. */
const MAX_LINE_CHARS = 16_384;

/** Starts one process (or, in in-process mode, one attached definition) under `name`. */
export function launch(spec: ResolvedProcessorSpec, name: string, context: LaunchContext): Launched {
  return spec.definition === undefined ? launchProcess(spec, name, context) : launchInProcess(spec, name, context);
}

function launchProcess(spec: ResolvedProcessorSpec, name: string, context: LaunchContext): Launched {
  const [program = "", ...args] = spec.command;
  const invitation = context.door.invite(name);
  const env: Record<string, string> = {};
  for (const key of PASSED_ENVIRONMENT) {
    const value = process.env[key];
    if (value !== undefined) env[key] = value;
  }
  if (spec.isFile) env.NODE_COMPILE_CACHE = context.cacheFolder;
  Object.assign(env, spec.env, {
    [PROCESSOR_ENVIRONMENT.address]: context.door.address,
    [PROCESSOR_ENVIRONMENT.secret]: invitation.secret,
    [PROCESSOR_ENVIRONMENT.name]: name,
  });
  const [guarded, ...rest] = [...deathGuard(), program, ...args] as [string, ...string[]];
  // A group of its own: what the processor starts ends with it, and a terminal's Ctrl-C does not reach it.
  const child = spawn(guarded, rest, { cwd: spec.cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  captureLines(child.stdout, (text) => context.onLine({ processor: name, stream: "stdout", text, atMs: context.clock.now() }));
  captureLines(child.stderr, (text) => context.onLine({ processor: name, stream: "stderr", text, atMs: context.clock.now() }));
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const exited = exitOf(child);
  void exited.then((exit) => {
    invitation.cancel();
    failed.reject(coreError("processor.start", `process ${name} ended: ${describeExit(exit)}`));
  });
  return {
    pid: child.pid,
    arrived: Promise.race([invitation.arrived, failed.promise]),
    exited,
    kill: () => killGroup(child.pid),
    memoryBytes: () => residentBytes(child.pid),
  };
}

let guard: readonly string[] | undefined;

/**
 * A program in front of the processor's own, which makes the kernel end the process when its node dies, however that
 * happens and whatever the process does (M-25): it can hang in an endless loop, where no code of its own would notice.
 * Linux with util-linux has it; elsewhere a processor ends itself, and one that hangs is reaped by the next node.
 */
function deathGuard(): readonly string[] {
  if (guard === undefined) {
    const words = ["setpriv", "--pdeathsig", "KILL", "--"];
    const isThere =
      process.platform === "linux" && spawnSync("setpriv", [...words.slice(1), "true"], { stdio: "ignore" }).status === 0;
    guard = isThere ? words : [];
  }
  return guard;
}

/** With which {@link deathGuard} says that the program does not exist, as a shell does. */
const NO_PROGRAM = 127;

/** `exit code 3`, `signal SIGKILL`. */
export function describeExit(exit: Exit): string {
  if (exit.error) return `it could not be started: ${exit.error.message}`;
  if (exit.code === NO_PROGRAM) return "exit code 127: there is no such program, or something it needs is not there";
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it is gone already
  }
}

async function residentBytes(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined || process.platform !== "linux") return undefined;
  try {
    const statm = await readFile(`/proc/${pid}/statm`, "utf8");
    return Number(statm.split(" ")[1]) * 4_096;
  } catch {
    return undefined; // it has just ended
  }
}

function captureLines(stream: Readable, onLine: (text: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts)
      onLine(part.length > MAX_LINE_CHARS ? `${part.slice(0, MAX_LINE_CHARS)}…` : part.replace(/\r$/, ""));
    if (rest.length > MAX_LINE_CHARS) {
      onLine(`${rest.slice(0, MAX_LINE_CHARS)}…`);
      rest = "";
    }
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
  stream.on("error", () => undefined); // the pipe of a killed process
}

function launchInProcess(spec: ResolvedProcessorSpec, name: string, context: LaunchContext): Launched {
  const { promise: exited, resolve: exit } = Promise.withResolvers<Exit>();
  const [here, there] = createMemoryChannel();
  const greeting = receive(
    here,
    () => ({ concurrency: PROCESSOR_CONCURRENCY, maxBatchBytes: MAX_BATCH_BYTES, node: context.node }),
    {
      clock: context.clock,
      timeoutMs: spec.startTimeoutMs,
    },
  );
  const { definition } = spec;
  if (definition === undefined) throw coreError("core.internal", `${spec.name} has no definition`);
  const attached = attachProcessor(definition, there, { name });
  attached.then(
    ({ closed }) => closed.then(() => exit({ code: 0, signal: null })),
    () => exit({ code: 1, signal: null }),
  );
  return {
    pid: process.pid,
    arrived: greeting,
    exited,
    kill: () => here.close(),
    memoryBytes: async () => undefined,
  };
}
