import { constants } from "node:os";
import { actorError } from "../errors.ts";
import type { Address } from "../identity/index.ts";
import { type ChunkOptions, createChunker } from "../splitting/chunk.ts";
import { createLineSplitter, type LineOptions } from "../splitting/lines.ts";
import { knownOptions, wholeNumber } from "../splitting/splitting.ts";
import type { PortMessage } from "./messages.ts";

/** Which program a port runs, and how. */
export interface PortOptions {
  /** The program: a path, or a name that is looked for on PATH. No shell reads it. */
  command: string;
  args?: readonly string[];
  /** The folder that it runs in. @default that of the node */
  cwd?: string;
  /**
   * Laid over the rest of its environment; `undefined` takes a variable away. Of the node's own environment the program
   * gets, as a processor does, `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ`, `TMPDIR` and `SSL_CERT_FILE`, and no secrets.
   */
  env?: Readonly<Record<string, string | undefined>>;
  /** Gives it the whole environment of the node. @default false */
  osEnv?: boolean;
  /** Gives it the environment of the actor that the port belongs to, as it is at the launch: texts, numbers and booleans. @default false */
  parentEnv?: boolean;
  /** Stands in every message of the port, for who has several. @default "" */
  tag?: string;
  /** Who gets its messages. @default the process that it belongs to */
  process?: Address<PortMessage, never>;
  /** How stdout is cut into tokens, in text mode. @default lines of at most 65_536 bytes */
  stdout?: LineOptions;
  /** How stderr is cut into tokens, in both modes. @default lines of at most 65_536 bytes */
  stderr?: LineOptions;
  /** Turns binary mode on: stdout comes as bytes. @default text mode */
  binary?: PortBinaryOptions;
  /** What the program and all that it started get at the end. @default "SIGTERM" */
  stopSignal?: NodeJS.Signals;
  /** From there to SIGKILL, in milliseconds. @default 5_000 */
  killGraceMs?: number;
}

/** Binary mode. */
export interface PortBinaryOptions {
  /** Cuts stdout into chunks. @default one message per read, of at most 64 KiB */
  chunk?: ChunkOptions;
  /** Written to stdin at the launch, and whenever nothing was written for the period. @default nothing is */
  keepAlive?: { bytes: Uint8Array; periodMs: number };
}

type Optional = "cwd" | "process" | "binary";

/** Options of which every part that has a default is there. */
export type ResolvedPortOptions = Readonly<Required<Omit<PortOptions, Optional>> & Pick<PortOptions, Optional>>;

const KNOWN = [
  "command",
  "args",
  "cwd",
  "env",
  "osEnv",
  "parentEnv",
  "tag",
  "process",
  "stdout",
  "stderr",
  "binary",
  "stopSignal",
  "killGraceMs",
] as const satisfies readonly (keyof PortOptions)[];

/** Checks the options, and fills in what was left out. @throws actor.incorrect */
export function resolvePortOptions(given: PortOptions): ResolvedPortOptions {
  knownOptions("port", given, KNOWN);
  if (typeof given.command !== "string" || given.command === "") {
    throw actorError("actor.incorrect", "port.command is empty, expected a program");
  }
  const { stopSignal = "SIGTERM", binary } = given;
  if (!(stopSignal in constants.signals)) {
    throw actorError("actor.incorrect", `port.stopSignal is ${stopSignal}, expected the name of a signal, such as SIGTERM`);
  }
  if (binary !== undefined) checkBinary(binary);
  createLineSplitter(given.stdout);
  createLineSplitter(given.stderr);
  return Object.freeze({
    ...given,
    args: [...(given.args ?? [])],
    env: { ...given.env },
    osEnv: given.osEnv ?? false,
    parentEnv: given.parentEnv ?? false,
    tag: given.tag ?? "",
    stdout: given.stdout ?? {},
    stderr: given.stderr ?? {},
    stopSignal,
    killGraceMs: wholeNumber("port.killGraceMs", given.killGraceMs ?? 5_000, 0),
  });
}

function checkBinary({ chunk, keepAlive, ...rest }: PortBinaryOptions): void {
  knownOptions("port.binary", rest, []);
  if (chunk !== undefined) createChunker(chunk);
  if (keepAlive === undefined) return;
  knownOptions("port.binary.keepAlive", keepAlive, ["bytes", "periodMs"]);
  if (!(keepAlive.periodMs > 0 && Number.isFinite(keepAlive.periodMs))) {
    throw actorError("actor.incorrect", `port.binary.keepAlive.periodMs is ${keepAlive.periodMs}, expected more than 0`);
  }
  if (!(keepAlive.bytes?.length > 0)) {
    throw actorError("actor.incorrect", "port.binary.keepAlive.bytes is empty, expected at least one byte");
  }
}

/** What a program sees of the node's environment unless it is to see all. */
const PASSED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE"];

/** The environment of the program; what is laid on later wins. */
export function environmentOf(options: ResolvedPortOptions, parent: ReadonlyMap<string, unknown>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && (options.osEnv || PASSED.includes(name))) env[name] = value;
  }
  if (options.parentEnv) {
    for (const [name, value] of parent) {
      if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") env[name] = String(value);
    }
  }
  for (const [name, value] of Object.entries(options.env)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
