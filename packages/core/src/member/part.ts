import type { Clock, DeadlineQueue, Timer } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { CallContext, Member } from "./member.ts";
import { failedFunction, isRetryable } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/** What the parts of all calls of one group share. */
export interface Means {
  readonly clock: Clock;
  readonly random: Random;
  readonly plan: Plan;
  readonly queue: DeadlineQueue;
}

/** Where a part sends its attempts. */
export interface Target {
  /**
   * The member for the next round; `tried` were asked before.
   * @throws {MetanodeError} group.empty – nobody can be asked now; group.invalid_key
   */
  next(tried: readonly Member[]): Member;
  /** The member for a hedge, undefined where a hedge would bring nothing. */
  hedge(tried: readonly Member[]): Member | undefined;
}

/** Whoever waits for a part; told once, unless it cancels the part. */
export interface PartOwner {
  partAnswered(part: Part, value: unknown): void;
  partFailed(part: Part, error: unknown): void;
}

/** What a part is bound by. */
export type Limits = Pick<CallContext, "deadlineMs" | "attempt">;

/** What a part is about. */
export interface PartTask {
  readonly target: Target;
  readonly message: Message;
  readonly limits: Limits;
  /** Position of the member's part in the call; 0 where there is one part. */
  readonly index: number;
}

/** Why the loser of a hedge is withdrawn. */
const OUTRUN = coreError("call.cancelled", "another attempt answered first");

/**
 * One answer wanted: from one member of a call to all, or from whichever member a call to one chooses. It makes rounds:
 * an attempt, and hedges if that one is slow; when a round has failed in a way that another may mend, the next follows
 * after a pause.
 *
 *  R1. An attempt's answer ends the part; the other attempts are withdrawn in the same turn.
 *  R2. An error that a repetition cannot mend ends it too. Any other waits for the attempts that are still open.
 *  R3. No attempt begins at or after the deadline of the call.
 *  R4. What it fails with is the error of the member asked last, the same object; finding nobody to ask hides none.
 *  R5. When it has ended, none of its timers and attempts is left.
 */
export class Part implements AttemptOwner {
  readonly #means: Means;
  readonly #task: PartTask;
  /** Undefined once it has ended. */
  #owner: PartOwner | undefined;
  #open: Attempt[] = [];
  readonly #tried: Member[] = [];
  #sent = 0;
  #rounds = 0;
  #hedges = 0;
  #error: unknown;
  /** The next hedge, or the next round. Never both: a round ends when nothing is open. */
  #timer: Timer | undefined;

  constructor(owner: PartOwner, means: Means, task: PartTask) {
    this.#owner = owner;
    this.#means = means;
    this.#task = task;
  }

  /** Position of the member's part in the call. */
  get index(): number {
    return this.#task.index;
  }

  /** Begins. The owner may be told before this returns. */
  start(): void {
    this.#rounds += 1;
    this.#hedges = 0;
    let member: Member;
    try {
      member = this.#task.target.next(this.#tried);
    } catch (error) {
      this.#error ??= error;
      if (this.#mendable(error)) this.#pauseOrFail();
      else this.#fail(this.#error);
      return;
    }
    this.#send(member);
    this.#armHedge();
  }

  /** Withdraws the part; the owner is not told. */
  cancel(reason: unknown): void {
    this.#end(reason);
  }

  attemptAnswered(attempt: Attempt, value: unknown): void {
    this.#forget(attempt);
    this.#end(OUTRUN)?.partAnswered(this, value);
  }

  attemptFailed(attempt: Attempt, error: unknown): void {
    this.#forget(attempt);
    this.#error = error;
    if (!this.#mendable(error)) this.#fail(this.#error);
    else if (this.#open.length === 0) this.#pauseOrFail();
  }

  #send(member: Member): void {
    const { limits, message } = this.#task;
    const { plan, clock, queue } = this.#means;
    const deadlineMs =
      plan.timeoutMs === undefined ? limits.deadlineMs : Math.min(limits.deadlineMs, clock.now() + plan.timeoutMs);
    const attempt = new Attempt(this, member, { deadlineMs, attempt: (limits.attempt ?? 1) + this.#sent });
    this.#sent += 1;
    this.#tried.push(member);
    this.#open.push(attempt);
    attempt.send(message, queue);
  }

  #armHedge(): void {
    const { hedge } = this.#means.plan;
    if (hedge === undefined || this.#hedges >= hedge.max || this.#owner === undefined || this.#open.length === 0) return;
    this.#timer = this.#means.clock.setTimer(hedge.afterMs, () => this.#hedge());
  }

  #hedge(): void {
    this.#hedges += 1;
    if (this.#means.clock.now() >= this.#task.limits.deadlineMs) return;
    let member: Member | undefined;
    try {
      member = this.#task.target.hedge(this.#tried);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (member === undefined) return;
    this.#send(member);
    this.#armHedge();
  }

  /** Whether the rule for repetitions lets this error be followed by another attempt. */
  #mendable(error: unknown): boolean {
    const when = this.#means.plan.retry?.when;
    if (when === undefined) return isRetryable(error);
    try {
      return when(error, this.#sent);
    } catch (cause) {
      this.#error = failedFunction("perMember.retry.when", cause);
      return false;
    }
  }

  #pauseOrFail(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { retry } = this.#means.plan;
    if (retry === undefined || this.#rounds >= retry.attempts) {
      this.#fail(this.#error);
      return;
    }
    const { clock, random } = this.#means;
    const widest = Math.min(retry.maxBackoffMs, retry.backoffMs * retry.factor ** (this.#rounds - 1));
    const asked = (this.#error as { retryAfterMs?: unknown } | undefined)?.retryAfterMs;
    const pauseMs = Math.max(typeof asked === "number" ? asked : 0, widest * (1 - retry.jitter * random()));
    if (clock.now() + pauseMs >= this.#task.limits.deadlineMs) this.#fail(this.#error);
    else this.#timer = clock.setTimer(pauseMs, () => this.start());
  }

  #fail(error: unknown): void {
    this.#end(error)?.partFailed(this, error);
  }

  #forget(attempt: Attempt): void {
    if (this.#open.length === 1) this.#open.length = 0;
    else this.#open = this.#open.filter((other) => other !== attempt);
  }

  #end(reason: unknown): PartOwner | undefined {
    const owner = this.#owner;
    if (owner === undefined) return undefined;
    this.#owner = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    const open = this.#open;
    this.#open = [];
    for (const attempt of open) attempt.cancel(reason);
    return owner;
  }
}
