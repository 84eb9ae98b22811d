import type { Clock } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import { type Policy, policy as policies } from "../member/policy.ts";
import type { CallContext } from "../message/context.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import { Collector, type ForAllOutcome } from "./collect.ts";
import { foldNamed } from "./fold.ts";
import type { Folded, VisitFrame, VisitStatus } from "./frames.ts";
import { parseSelector } from "./selector.ts";
import type { VisitAsk } from "./visit.ts";

/** A message for every node of a tree. All of it is JSON. */
export interface ForAllRequest {
  readonly type: string;
  readonly version?: string;
  readonly data?: unknown;
  /** Which nodes are meant; see `parseSelector`. @default every one */
  readonly where?: string;
  /** `all`, `any`, `none`, `best-effort`, a count, or a percentage such as `"90%"`: of the targets that must answer. @default "all" */
  readonly policy?: string | number;
  /** @default 30_000 */
  readonly timeoutMs?: number;
  /** Levels below this node. @default no limit */
  readonly depth?: number;
  /** Leave this node itself out. @default false */
  readonly skipSelf?: boolean;
  /** Ask nodes in maintenance as well. @default false */
  readonly includeMaintenance?: boolean;
  /** Only say who would be asked. @default false */
  readonly dryRun?: boolean;
  /** Reduce in the tree: `count`, `sum`, `min`, `max`, `histogram` or `numbers`. Only what fails is then named. */
  readonly reduce?: string;
  /** End as soon as the policy can be met or not any more. @default false: every target ends */
  readonly failFast?: boolean;
  /** Targets asked together; the next ones when all of these have ended. @default all at once */
  readonly batch?: number;
  /** Targets under way at a time; the next one when one has ended. @default the batch */
  readonly parallel?: number;
  /** Targets asked first and alone; nobody else if one of them fails. @default 0 */
  readonly canary?: number;
  /** Failures after which nobody else is asked. @default no limit */
  readonly maxFailures?: number;
  /** Repeated, it does nothing again where it was done. @default a new one */
  readonly operation?: string;
  /** Who asks, for rules and the audit. */
  readonly caller?: string;
  readonly traceparent?: string;
}

const KEYS = [
  "type",
  "version",
  "data",
  "where",
  "policy",
  "timeoutMs",
  "depth",
  "skipSelf",
  "includeMaintenance",
  "dryRun",
  "reduce",
  "failFast",
  "batch",
  "parallel",
  "canary",
  "maxFailures",
  "operation",
  "caller",
  "traceparent",
];

/** What comes while a for-all runs. */
export type ForAllEvent =
  | { readonly kind: "target"; readonly id: string; readonly path: string }
  | ({ readonly kind: "outcome" } & ForAllOutcome)
  | ({ readonly kind: "done" } & ForAllResult);

export interface ForAllResult {
  readonly operation: string;
  /** Whether the policy is met. */
  readonly verdict: boolean;
  readonly policy: string;
  readonly tally: Readonly<Record<VisitStatus, number>>;
  /** Every target and how it ended; with `reduce` only those without a value, with `dryRun` none. */
  readonly outcomes: readonly ForAllOutcome[];
  /** With `dryRun`: who would be asked. */
  readonly targets?: readonly { readonly id: string; readonly path: string }[];
  /** With `reduce`: what the values came to. */
  readonly value?: unknown;
}

export interface ForAllParts {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly visit: (ask: VisitAsk, context: CallContext) => AsyncIterable<VisitFrame[]>;
  /** It is over, one way or the other. */
  readonly onEnd: (run: ForAll) => void;
}

function hasPlan({ batch, parallel, canary, maxFailures }: ForAllRequest): boolean {
  return batch !== undefined || parallel !== undefined || canary !== undefined || maxFailures !== undefined;
}

/** Deeper than any tree. */
const ALL_LEVELS = 1_000_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/** The policy that a request names. Targets in maintenance do not count. @throws {MetanodeError} message.invalid */
export function policyNamed(name: string | number = "all"): Policy {
  const options = { skipped: "ignore", rest: "wait" } as const;
  if (name === "all") return policies.all(options);
  if (name === "any") return policies.any(options);
  if (name === "none") return policies.none(options);
  if (name === "best-effort") return policies.bestEffort();
  try {
    return policies.quorum(/^\d+$/.test(String(name)) ? Number(name) : (name as `${number}%`), options);
  } catch {
    throw coreError(
      "message.invalid",
      `policy ${name} is not known, expected all, any, none, best-effort, a count or a percentage`,
    );
  }
}

/**
 * One run of a message over a tree: targets, outcomes as they come, the result.
 *
 * F1. Every target ends exactly once, and is named whether it answered or not.
 * F2. With a plan (batch, parallel, canary, maxFailures), the targets are those of the moment in which it began, in the order of
 *     their paths.
 */
export class ForAll {
  readonly operation: string;
  readonly request: ForAllRequest;
  readonly #parts: ForAllParts;
  readonly #policy: Policy;
  readonly #collector: Collector;
  readonly #abort = new AbortController();
  readonly #deadlineMs: number;
  readonly #events: ForAllEvent[] = [];
  #wake: (() => void) | undefined;
  #paused: PromiseWithResolvers<void> | undefined;
  #folded: Folded | undefined;
  #result: ForAllResult | undefined;

  /** @throws {MetanodeError} message.invalid, config.invalid */
  constructor(request: ForAllRequest, parts: ForAllParts, deadlineMs: number = Number.POSITIVE_INFINITY) {
    rejectUnknownKeys("all", request, KEYS);
    textOf("type", request.type);
    parseSelector(request.where ?? "");
    if (request.reduce !== undefined) foldNamed(request.reduce);
    for (const key of ["batch", "parallel", "canary"] as const) if (request[key] !== undefined) intWithin(key, request[key], 1);
    if (request.reduce !== undefined && hasPlan(request)) {
      throw coreError(
        "message.invalid",
        "a for-all reduces in the tree or goes by a plan, not both; leave out reduce, or batch, parallel, canary and maxFailures",
      );
    }
    this.#policy = policyNamed(request.policy);
    this.request = request;
    this.#parts = parts;
    this.operation = request.operation ?? parts.newId();
    this.#deadlineMs = Math.min(deadlineMs, parts.clock.now() + (request.timeoutMs ?? DEFAULT_TIMEOUT_MS));
    this.#collector = new Collector((outcome) => this.#ended(outcome));
  }

  /** Whether nobody new is asked for now. */
  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  get tally(): Readonly<Record<VisitStatus, number>> {
    return this.#folded?.tally ?? this.#collector.tally;
  }

  /** Asks nobody new until {@link resume}; who was asked goes on. Of use with a plan. */
  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Withdraws what is open, everywhere. */
  cancel(reason: MetanodeError = coreError("call.cancelled", "the for-all was withdrawn")): void {
    this.#abort.abort(reason);
    this.resume();
  }

  /** Runs it. Leaving the loop withdraws what is open. To be read once. */
  async *run(signal?: AbortSignal): AsyncGenerator<ForAllEvent> {
    const onAbort = (): void => this.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    const working = this.#work().catch((error: unknown) => error);
    try {
      while (true) {
        yield* this.#events.splice(0);
        if (this.#result !== undefined) break;
        const failure = await Promise.race([working, this.#more()]);
        if (failure instanceof Error) throw failure;
      }
      yield* this.#events.splice(0);
      yield { kind: "done", ...this.#result };
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.cancel();
      await working;
      this.#parts.onEnd(this);
    }
  }

  /** Runs it to its end. */
  async result(signal?: AbortSignal): Promise<ForAllResult> {
    for await (const event of this.run(signal)) {
      if (event.kind === "done") {
        const { kind: _kind, ...result } = event;
        return result;
      }
    }
    throw coreError("call.cancelled", "the for-all was withdrawn before its result came");
  }

  async #work(): Promise<void> {
    const { dryRun = false } = this.request;
    if (hasPlan(this.request) && !dryRun) await this.#inWaves();
    else await this.#visit({ dryRun });
    if (dryRun) {
      this.#finish({ targets: this.#collector.targets, outcomes: [] });
      return;
    }
    this.#collector.close(this.#abort.signal.aborted ? "skipped" : "timeout", "call.deadline", "no answer came in time");
    this.#finish({ outcomes: this.#collector.outcomes });
  }

  #finish(rest: Pick<ForAllResult, "outcomes" | "targets">): void {
    const folded = this.#folded;
    const verdict =
      folded === undefined
        ? this.#policy.verdict(this.#collector.policyTally(this.#policy)) === true
        : this.#policy.verdict({ ...folded.tally, skipped: 0, open: 0 }) === true;
    const missing = folded?.missing.map(({ path, status, code }) => ({ id: "", path, status, code }));
    this.#result = {
      operation: this.operation,
      verdict: rest.targets === undefined ? verdict : true,
      policy: this.#policy.name,
      tally: this.tally,
      ...rest,
      ...(folded === undefined ? {} : { value: folded.value, outcomes: missing ?? [] }),
    };
    this.#wake?.();
  }

  async #visit(over: Partial<VisitAsk>, onFrame?: (frame: VisitFrame) => void): Promise<void> {
    const { type, version, data, where = "", depth = ALL_LEVELS, skipSelf = false, includeMaintenance = false } = this.request;
    const { reduce, caller, traceparent } = this.request;
    const ask: VisitAsk = {
      operation: this.operation,
      isOnce: this.request.operation !== undefined,
      type,
      version,
      data,
      where,
      depth,
      skipSelf,
      includeMaintenance,
      dryRun: false,
      reduce: over.dryRun ? undefined : reduce,
      caller,
      traceparent,
      ...over,
    };
    const context = { deadlineMs: this.#deadlineMs, signal: this.#abort.signal };
    for await (const frames of this.#parts.visit(ask, context)) {
      for (const frame of frames) {
        if (frame.kind === "folded") this.#folded = frame.folded;
        else if (onFrame !== undefined) onFrame(frame);
        else this.#take(frame);
      }
      if (this.#isDecided()) this.cancel(coreError("call.cancelled", "the verdict is known"));
    }
  }

  #take(frame: VisitFrame): void {
    if (frame.kind === "accept" && frame.skipped === undefined) this.#emit({ kind: "target", id: frame.id, path: frame.path });
    this.#collector.take(frame);
  }

  /** With `failFast`: whether the open targets can change the verdict no more. */
  #isDecided(): boolean {
    if (this.request.failFast !== true) return false;
    return this.#policy.verdict(this.#collector.policyTally(this.#policy)) !== undefined && this.#collector.targets.length > 0;
  }

  async #inWaves(): Promise<void> {
    const plan = new Collector(() => undefined);
    await this.#visit({ dryRun: true }, (frame) => plan.take(frame));
    for (const { id, path } of plan.targets) this.#take({ kind: "accept", id, path, children: [] });
    for (const outcome of plan.outcomes) this.#collector.end(outcome);
    const hasEnded = new Set(plan.outcomes.map(({ id }) => id));
    const waiting = plan.targets.filter(({ id }) => !hasEnded.has(id)).sort((a, b) => (a.path < b.path ? -1 : 1));
    const { canary = 0, batch, parallel } = this.request;
    const canaries = waiting.splice(0, canary);
    if (canaries.length > 0) await this.#wave(canaries, canaries.length);
    if (canaries.length > 0 && this.#failures() > 0) waiting.splice(0);
    const size = batch ?? waiting.length;
    while (waiting.length > 0 && !this.#isStopped()) {
      await this.#wave(waiting.splice(0, size), parallel ?? batch ?? size);
    }
    this.#collector.close("skipped", "call.cancelled", "it was not asked: too many others had failed, or the run was withdrawn");
  }

  /** Asks some targets, at most `parallel` at a time. */
  async #wave(targets: readonly { id: string; path: string }[], parallel: number): Promise<void> {
    const queue = [...targets];
    const worker = async (): Promise<void> => {
      while (true) {
        await this.#paused?.promise;
        const next = this.#isStopped() ? undefined : queue.shift();
        if (next === undefined) return;
        await this.#visit({ only: [next.path] }, (frame) => this.#ofWave(frame, next));
        const why = { status: "released", code: "tree.not_managed", message: "it left its place while the run went on" } as const;
        this.#collector.end({ ...next, ...why });
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, queue.length) }, worker));
  }

  /** Of a visit to one target, only what is about that target. A lost ancestor takes it along. */
  #ofWave(frame: VisitFrame, target: { id: string; path: string }): void {
    if (frame.kind === "result" && frame.id === target.id) this.#collector.take(frame);
    else if (frame.kind === "lost") {
      const { status, code, message } = frame;
      this.#collector.end({ ...target, status, code, message });
    }
  }

  #failures(): number {
    const { error, timeout, unreachable } = this.#collector.tally;
    return error + timeout + unreachable;
  }

  #isStopped(): boolean {
    return this.#abort.signal.aborted || this.#failures() > (this.request.maxFailures ?? Number.POSITIVE_INFINITY);
  }

  #ended(outcome: ForAllOutcome): void {
    this.#emit({ kind: "outcome", ...outcome });
  }

  #emit(event: ForAllEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }

  #more(): Promise<undefined> {
    if (this.#events.length > 0 || this.#result !== undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve(undefined);
      };
    });
  }
}
