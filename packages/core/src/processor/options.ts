import { coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import type { ProcessorDefinition } from "./author.ts";

/** How a processor is started and kept. */
export interface ProcessorSpec {
  /** Unique on the node; lower-case letters, digits, `-` and `_`. */
  name: string;
  /** The program and its arguments, started without a shell. Either this or `file` or `definition`. */
  command?: readonly string[];
  /** A TypeScript or JavaScript file that ends in `serve(…)`; run by the node's own runtime. */
  file?: string;
  /** In-process mode, for tests and development: the same contract, no isolation. */
  definition?: ProcessorDefinition<never, never> | ProcessorDefinition;
  /** Working directory. @default that of the node */
  cwd?: string;
  /** Environment, in full: of the node's own environment the process sees only {@link PASSED_ENVIRONMENT}. */
  env?: Readonly<Record<string, string>>;
  /** Processes that share the work. @default 1 */
  processes?: number;
  /** Messages that may wait while every process is busy; one more is refused with `call.resource_exhausted`. @default 10_000 */
  maxQueued?: number;
  /** Resident memory at which a process is ended and replaced, in bytes. 0 for no limit. @default 1 GiB */
  maxMemoryBytes?: number;
  /** From start to handshake. @default 10_000 */
  startTimeoutMs?: number;
  /** What calls in flight get when a process is to end. @default 30_000 */
  drainTimeoutMs?: number;
  /** From the end of the link to SIGKILL. @default 5_000 */
  stopTimeoutMs?: number;
  restart?: RestartOptions;
  health?: HealthOptions;
}

export interface RestartOptions {
  /** Longest delay before the first restart; doubled each time, the true delay drawn at random below it. @default 100 */
  backoffMs?: number;
  /** @default 30_000 */
  maxBackoffMs?: number;
  /** A life at least this long ends a series of crashes. @default 10_000 */
  stableMs?: number;
  /** Short lives in a row after which the process is quarantined. @default 5 */
  quarantineAfter?: number;
  /** How long the quarantine lasts before one new try. @default 30_000 */
  quarantineMs?: number;
}

export interface HealthOptions {
  /** Between two pings. @default 5_000 */
  intervalMs?: number;
  /** A ping unanswered for this long, and the process is taken to hang and is ended. @default 20_000 */
  timeoutMs?: number;
  /** The same for a call that passed its deadline: its end must come by then. @default 2_000 */
  cancelGraceMs?: number;
  /** Between two looks at the memory. @default 500 */
  memoryIntervalMs?: number;
}

/** What a process sees of its node's environment. Anything else, secrets above all, must be given in `env`. */
export const PASSED_ENVIRONMENT = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE"] as const;

type Filled<T> = { readonly [K in keyof T]-?: T[K] };

export interface ResolvedProcessorSpec {
  readonly name: string;
  /** What is started; empty in in-process mode. */
  readonly command: readonly string[];
  /** The command is this runtime with a file: it may share the node's compile cache. */
  readonly isFile: boolean;
  readonly definition: ProcessorSpec["definition"];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly processes: number;
  readonly maxQueued: number;
  readonly maxMemoryBytes: number;
  readonly startTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly restart: Filled<RestartOptions>;
  readonly health: Filled<HealthOptions>;
}

const KEYS = [
  "name",
  "command",
  "file",
  "definition",
  "cwd",
  "env",
  "processes",
  "maxQueued",
  "maxMemoryBytes",
  "startTimeoutMs",
  "drainTimeoutMs",
  "stopTimeoutMs",
  "restart",
  "health",
] as const;

/** Checks a spec and fills in the defaults. @throws {MetanodeError} config.invalid – with the path of what is wrong. */
export function resolveProcessorSpec(given: ProcessorSpec): ResolvedProcessorSpec {
  const at = `processors.${given.name ?? "?"}`;
  rejectUnknownKeys(at, given, KEYS);
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(textOf(`${at}.name`, given.name))) {
    throw coreError(
      "config.invalid",
      `processor name ${JSON.stringify(given.name)} may hold lower-case letters, digits, - and _ only`,
      {
        details: { path: `${at}.name` },
      },
    );
  }
  return Object.freeze({
    name: given.name,
    command: resolveCommand(at, given),
    isFile: given.file !== undefined,
    definition: given.definition,
    cwd: given.cwd,
    env: { ...given.env },
    processes: intWithin(`${at}.processes`, given.processes ?? 1, 1, 1_024),
    maxQueued: intWithin(`${at}.maxQueued`, given.maxQueued ?? 10_000, 0),
    maxMemoryBytes: intWithin(`${at}.maxMemoryBytes`, given.maxMemoryBytes ?? 1024 ** 3, 0),
    startTimeoutMs: intWithin(`${at}.startTimeoutMs`, given.startTimeoutMs ?? 10_000, 1),
    drainTimeoutMs: intWithin(`${at}.drainTimeoutMs`, given.drainTimeoutMs ?? 30_000, 0),
    stopTimeoutMs: intWithin(`${at}.stopTimeoutMs`, given.stopTimeoutMs ?? 5_000, 0),
    restart: resolveRestart(`${at}.restart`, given.restart ?? {}),
    health: resolveHealth(`${at}.health`, given.health ?? {}),
  });
}

function resolveCommand(at: string, given: ProcessorSpec): readonly string[] {
  const ways = [given.command, given.file, given.definition].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw coreError("config.invalid", `${at} names ${ways.length} of command, file and definition, expected exactly one`, {
      details: { path: at },
    });
  }
  if (given.definition) return [];
  if (given.file !== undefined) return [process.execPath, textOf(`${at}.file`, given.file)];
  const command = given.command ?? [];
  if (!Array.isArray(command) || command.length === 0) {
    throw coreError("config.invalid", `${at}.command is empty, expected a program and its arguments`, {
      details: { path: `${at}.command` },
    });
  }
  return command.map((part, index) => textOf(`${at}.command[${index}]`, part));
}

function resolveRestart(at: string, given: RestartOptions): Filled<RestartOptions> {
  rejectUnknownKeys(at, given, ["backoffMs", "maxBackoffMs", "stableMs", "quarantineAfter", "quarantineMs"]);
  return {
    backoffMs: intWithin(`${at}.backoffMs`, given.backoffMs ?? 100, 0),
    maxBackoffMs: intWithin(`${at}.maxBackoffMs`, given.maxBackoffMs ?? 30_000, 0),
    stableMs: intWithin(`${at}.stableMs`, given.stableMs ?? 10_000, 0),
    quarantineAfter: intWithin(`${at}.quarantineAfter`, given.quarantineAfter ?? 5, 1),
    quarantineMs: intWithin(`${at}.quarantineMs`, given.quarantineMs ?? 30_000, 1),
  };
}

function resolveHealth(at: string, given: HealthOptions): Filled<HealthOptions> {
  rejectUnknownKeys(at, given, ["intervalMs", "timeoutMs", "cancelGraceMs", "memoryIntervalMs"]);
  return {
    intervalMs: intWithin(`${at}.intervalMs`, given.intervalMs ?? 5_000, 1),
    timeoutMs: intWithin(`${at}.timeoutMs`, given.timeoutMs ?? 20_000, 1),
    cancelGraceMs: intWithin(`${at}.cancelGraceMs`, given.cancelGraceMs ?? 2_000, 1),
    memoryIntervalMs: intWithin(`${at}.memoryIntervalMs`, given.memoryIntervalMs ?? 500, 1),
  };
}
