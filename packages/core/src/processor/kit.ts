import { type Clock, systemClock } from "../clock.ts";
import { asMetanodeError, coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys } from "../options.ts";
import type { ProcessorDefinition } from "./author.ts";
import { generalChecks, type KitCheck, type KitRun, type KitSample, type Skipped } from "./kit-checks.ts";
import { endingChecks, untilGreeted } from "./kit-endings.ts";
import { fullChecks } from "./kit-full.ts";
import { KitLife, type KitTarget } from "./kit-life.ts";

/*
 * The conformance kit: any processor, in any language, is put through what `link.proto` and the processor contract ask.
 *
 * The kit is a node of its own making that does as each check wants, also wrong. It looks at frames as they come over
 * the wire, so that what a session would forgive is seen.
 */

export interface CheckProcessorOptions {
  /** The program and its arguments, as in a node's configuration. Either this or `definition`. */
  command?: readonly string[];
  /** In-process mode: what only a process can break is skipped. */
  definition?: ProcessorDefinition<never, never> | ProcessorDefinition;
  /** Working directory of the program. */
  cwd?: string;
  /** Environment of the program, besides what every processor gets. */
  env?: Readonly<Record<string, string>>;
  /** Asks for the types `conformance.*` as well. Without it they are checked where they are declared. @default false */
  full?: boolean;
  /** Payloads to try, besides the `examples` in the declared schemas. */
  samples?: readonly KitSample[];
  /** From start to greeting. @default 10_000 */
  startTimeoutMs?: number;
  /** Told of each check as soon as it is over. */
  onProgress?: (check: CheckResult) => void;
  clock?: Clock;
}

/** What became of one check. */
export interface CheckResult {
  /** Stable, for programs. */
  readonly name: string;
  /** The promise, as a sentence. */
  readonly title: string;
  readonly status: "passed" | "failed" | "skipped";
  /** What was seen, what was wrong, or why there was nothing to see. */
  readonly detail: string;
  readonly durationMs: number;
}

export interface KitReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly checks: readonly CheckResult[];
}

const KEYS = ["command", "definition", "cwd", "env", "full", "samples", "startTimeoutMs", "onProgress", "clock"];
const CHECKS: readonly KitCheck[] = [...generalChecks, ...fullChecks, ...endingChecks];

/**
 * Puts a processor through the kit. A processor that breaks a promise is no error: the report says so. Takes a few
 * seconds; every process that it started has ended when it resolves.
 * @throws {MetanodeError} config.invalid – neither or both of `command` and `definition`, or an unknown option.
 */
export async function checkProcessor(options: CheckProcessorOptions): Promise<KitReport> {
  const target = resolveTarget(options);
  await using run = new Run(target, options);
  const checks: CheckResult[] = [];
  for (const check of CHECKS) {
    const result = await resultOf(check, run);
    checks.push(result);
    options.onProgress?.(result);
  }
  const count = (status: CheckResult["status"]): number => checks.filter((check) => check.status === status).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped"), checks };
}

function resolveTarget(options: CheckProcessorOptions): KitTarget {
  rejectUnknownKeys("check", options, KEYS);
  const { command = [], definition } = options;
  if (command.length > 0 === (definition !== undefined)) {
    throw coreError("config.invalid", "the kit needs either a command or a definition to check, and not both", {
      details: { path: "check.command" },
    });
  }
  return {
    command,
    definition,
    cwd: options.cwd,
    env: options.env ?? {},
    startTimeoutMs: intWithin("check.startTimeoutMs", options.startTimeoutMs ?? 10_000, 1),
    clock: options.clock ?? systemClock,
  };
}

async function resultOf(check: KitCheck, run: Run): Promise<CheckResult> {
  const { clock } = run.target;
  const startMs = clock.now();
  const result = (status: CheckResult["status"], detail: string): CheckResult => ({
    name: check.name,
    title: check.title,
    status,
    detail,
    durationMs: clock.now() - startMs,
  });
  if (check.processOnly === true && run.target.definition !== undefined)
    return result("skipped", "in process there is nothing to see of this");
  if (run.isHopeless) return result("skipped", "it never greeted, so nothing more can be asked of it");
  try {
    const seen: string | Skipped = await check.run(run);
    return typeof seen === "string" ? result("passed", seen) : result("skipped", seen.skipped);
  } catch (error) {
    return result("failed", asMetanodeError(error).message);
  }
}

class Run implements KitRun, AsyncDisposable {
  readonly target: KitTarget;
  readonly full: boolean;
  readonly samples: readonly KitSample[];
  readonly #lives: KitLife[] = [];
  #shared: KitLife | undefined;
  /** The first life never greeted: the checks to come could only say so again. */
  isHopeless = false;

  constructor(target: KitTarget, options: CheckProcessorOptions) {
    this.target = target;
    this.full = options.full ?? false;
    this.samples = options.samples ?? [];
  }

  async life(): Promise<KitLife> {
    if (this.#shared?.isLiving) return this.#shared;
    const life = await this.begin();
    try {
      await untilGreeted(this.target.startTimeoutMs, life);
    } catch (error) {
      this.isHopeless = this.#shared === undefined;
      throw error;
    }
    this.#shared = life;
    return life;
  }

  async begin(options?: Parameters<KitRun["begin"]>[0]): Promise<KitLife> {
    const life = await KitLife.begin(this.target, options);
    this.#lives.push(life);
    return life;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lives.map((life) => life.dispose()));
  }
}
