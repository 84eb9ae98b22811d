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

/**
 * Variables by which a program loads code, or finds other programs. A caller that may run only some programs must not make
 * others of them.
 */
const LOADERS =
  /^(?:LD_|DYLD_|GCONV_PATH$|GLIBC_|PATH$|IFS$|ENV$|BASH_|SHELLOPTS$|PS4$|NODE_|PYTHON|PERL|RUBY|JAVA_|_JAVA_|JDK_|CLASSPATH$|GIT_|EDITOR$|PAGER$|VISUAL$)/i;

/** Groups under way, for the end of the module. */
export type Groups = Set<ProcessGroup>;

/** What a run of a program stands on. */
export interface ExecMeans {
  readonly clock: Clock;
  readonly groups: Groups;
}

/** Runs a program that the rules have let through. @throws {MetanodeError} resource.not_found, processor.start, call.unsupported */
export async function* exec(
  input: ExecInput,
  target: ProgramTarget,
  { context, clock, groups }: ExecMeans & { readonly context: CallContext },
): AsyncGenerator<ExecItem> {
  const { argv, cwd = process.cwd(), env, stdin, graceMs = DEFAULT_GRACE_MS } = input;
  if (target.file === undefined) {
    throw coreError(
      "resource.not_found",
      `there is no program ${argv[0]} that the node may run; check the path, or the node's PATH`,
    );
  }
  if (!(await isFolder(cwd))) throw coreError("resource.not_found", `the working folder ${cwd} is not there`);
  const beganMs = clock.now();
  const group = await launch({
    file: target.file,
    args: argv.slice(1),
    cwd,
    env: environmentOf(env),
    limits: input.limits,
    stdin: stdin === undefined ? undefined : Buffer.from(stdin, input.stdinEncoding ?? "utf8"),
    graceMs,
    clock,
  });
  yield* outputOf(group, input, { context, clock, groups, beganMs });
}

async function* outputOf(
  group: ProcessGroup,
  { encoding, timeoutMs }: ExecInput,
  { context, clock, groups, beganMs }: ExecMeans & { readonly context: CallContext; readonly beganMs: number },
): AsyncGenerator<ExecItem> {
  groups.add(group);
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
    groups.delete(group);
    outflow.end();
  });
  const leave = onceOver(context, clock, drop);
  try {
    yield* outflow.read();
    const { code, signal } = await group.gone;
    if (failure !== undefined) throw failure;
    yield { exit: { code, signal, timedOut, durationMs: endedMs - beganMs } };
  } finally {
    leave();
    timer?.cancel();
    drop();
  }
}

/** @throws {MetanodeError} auth.denied – a variable that would run something else than what was asked for */
export function refuseLoaders(env: ExecInput["env"] = {}): void {
  const name = Object.keys(env).find((one) => LOADERS.test(one));
  if (name === undefined) return;
  throw coreError(
    "auth.denied",
    `the variable ${name} can make another program of the one that is allowed; leave it out, or allow exec by a rule without paths`,
    { details: { variable: name } },
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
