import { stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import { Outflow, type OutputPiece, type PieceEncoding } from "./outflow.ts";
import { onceOver } from "./over.ts";
import { environmentOf, type HostLimits, launch, type ProcessGroup } from "./process-group.ts";
import type { ProgramTarget } from "./target.ts";

/** The payload of `metanode.host.exec`. */
export interface ExecInput {
  /** The program and its arguments. No shell reads them. */
  readonly argv: readonly string[];
  /** @default the working folder of the node */
  readonly cwd?: string;
  /** On top of a few of the node's own: PATH, HOME, USER, LANG, LC_ALL, TZ, TMPDIR. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** @default "utf8" */
  readonly stdinEncoding?: PieceEncoding;
  /** How long the program may run; then it is ended, and the last item says so. The deadline of the call ends it as well. */
  readonly timeoutMs?: number;
  /** From SIGTERM to SIGKILL, and what processes get that the program leaves behind. @default 2_000 */
  readonly graceMs?: number;
  /** What every piece of output is to have. @default text where it is text, else base64 */
  readonly encoding?: PieceEncoding;
  readonly limits?: HostLimits;
}

/** What a program wrote while it runs, and at last how it ended. */
export type ExecItem = OutputPiece | ExecEnd;

export interface ExecEnd {
  readonly exit: {
    /** Null where a signal ended it. */
    readonly code: number | null;
    readonly signal: string | null;
    /** It was ended because `timeoutMs` was over. */
    readonly timedOut: boolean;
    readonly durationMs: number;
  };
}

const DEFAULT_GRACE_MS = 2_000;

/** The programs that run at a time. */
export class Runs {
  readonly groups = new Set<ProcessGroup>();
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place, also for what is yet to be started; the returned function gives it back. @throws {MetanodeError} call.resource_exhausted */
  enter(): () => void {
    if (this.#count >= this.#max) {
      throw coreError(
        "call.resource_exhausted",
        `${this.#max} programs run on this host already, the limit of its host control; try again later`,
      );
    }
    this.#count++;
    return () => {
      this.#count--;
    };
  }
}

/** What a run of a program stands on. */
export interface ExecMeans {
  readonly clock: Clock;
  readonly runs: Runs;
  readonly context: CallContext;
  /** Aborted when the node drops what it has. */
  readonly stopping: AbortSignal;
}

/**
 * Runs a program that the rules have let through.
 * @throws {MetanodeError} resource.not_found, processor.start, call.unsupported – limits, call.resource_exhausted
 */
export async function* exec(input: ExecInput, target: ProgramTarget, means: ExecMeans): AsyncGenerator<ExecItem> {
  const beganMs = means.clock.now();
  const group = await start(input, target, means);
  yield* outputOf(group, input, { ...means, beganMs });
}

async function start(input: ExecInput, { file }: ProgramTarget, { clock, runs }: ExecMeans): Promise<ProcessGroup> {
  const { argv, cwd = process.cwd(), env, limits, stdin, stdinEncoding = "utf8", graceMs = DEFAULT_GRACE_MS } = input;
  if (file === undefined) {
    throw coreError(
      "resource.not_found",
      `there is no program ${argv[0]} that the node may run; check the path, or the node's PATH`,
    );
  }
  if (!(await isFolder(cwd))) throw coreError("resource.not_found", `the working folder ${cwd} is not there`);
  const leave = runs.enter();
  try {
    const group = await launch({
      file,
      args: argv.slice(1),
      cwd,
      env: environmentOf(env),
      limits,
      stdin: stdin === undefined ? undefined : Buffer.from(stdin, stdinEncoding),
      graceMs,
      clock,
    });
    // The place is taken until nobody of the group lives, whoever leaves before.
    void group.gone.then(leave);
    return group;
  } catch (error) {
    leave();
    throw error;
  }
}

async function* outputOf(
  group: ProcessGroup,
  { encoding, timeoutMs }: ExecInput,
  { context, clock, runs, stopping, beganMs }: ExecMeans & { readonly beganMs: number },
): AsyncGenerator<ExecItem> {
  runs.groups.add(group);
  const outflow = new Outflow(encoding);
  outflow.add("stdout", group.stdout);
  outflow.add("stderr", group.stderr);
  let failure: Error | undefined;
  const drop = (error?: Error): void => {
    failure ??= error;
    outflow.discard();
    group.end();
  };
  let endedMs = beganMs;
  let timedOut = false;
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.setTimer(timeoutMs, () => {
          timedOut = true;
          group.end();
        });
  void group.exited.then(() => {
    timer?.cancel();
    endedMs = clock.now();
  });
  void group.gone.then(() => {
    runs.groups.delete(group);
    outflow.end();
  });
  const leave = onceOver(context, clock, drop);
  // Also where nobody reads: the pipes must be empty before the group can be gone.
  const stop = (): void => drop(stopping.reason);
  stopping.addEventListener("abort", stop);
  if (stopping.aborted) stop();
  try {
    yield* outflow.read();
    const { code, signal } = await group.gone;
    if (failure !== undefined) throw failure;
    yield { exit: { code, signal, timedOut, durationMs: endedMs - beganMs } };
  } finally {
    leave();
    stopping.removeEventListener("abort", stop);
    timer?.cancel();
    drop();
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
