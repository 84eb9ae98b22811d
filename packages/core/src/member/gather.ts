import { coreError } from "../errors.ts";
import type { ExtensionValue, Message } from "../message/message.ts";
import { Exchange } from "./exchange.ts";
import type { CallContext, Member, Outcome } from "./member.ts";
import { emptyGroup, failedFunction, type GroupResult, missingOf, outcomeOf, outOfTime } from "./outcome.ts";
import { type Limits, type Means, Part, type PartOwner, type Target } from "./part.ts";
import type { Policy, Tally } from "./policy.ts";

/**
 * The message for one of the targets of a call. The result goes to the target with that index; what it leaves as it is
 * stays, save that a message whose id it leaves gets one of its own.
 */
export type Split = (message: Message, index: number, count: number) => Message;

/** What is asked of all members. */
export interface Asking {
  readonly group: string;
  /** The members when the call began; must not change afterwards. */
  readonly members: readonly Member[];
  readonly policy: Policy;
  readonly split: Split | undefined;
  readonly message: Message;
  readonly context: CallContext;
  /** Told of each outcome, in the turn in which it comes. An error that it throws ends the call. */
  readonly onOutcome?: ((outcome: Outcome) => void) | undefined;
}

/** Why the parts are withdrawn that the verdict does not need. */
const NOT_NEEDED = coreError("call.cancelled", "the verdict of the group is known without this answer");

/**
 * A call to all members of a group.
 *
 *  G1. Every member of the group as it was at the beginning has exactly one outcome in the result, in member order.
 *  G2. A verdict that is known before anything is sent sends nothing, unless the policy waits for all; a split that fails
 *      sends nothing either way.
 *  G3. The verdict that counts is the first that the policy knows. With `rest: "cancel"`, what is open or unsent then
 *      has the outcome `not_needed`.
 *  G4. Messages go out in member order, each before any of their answers is awaited.
 */
export class Gathering extends Exchange<GroupResult> implements PartOwner {
  readonly #asking: Asking;
  readonly #means: Means;
  readonly #outcomes: (Outcome | undefined)[];
  readonly #parts: (Part | undefined)[];
  readonly #tally = { ok: 0, error: 0, timeout: 0, unreachable: 0, skipped: 0, open: 0 } satisfies Tally;
  #verdict: boolean | undefined;

  constructor(asking: Asking, means: Means) {
    super(asking.context);
    this.#asking = asking;
    this.#means = means;
    this.#outcomes = new Array(asking.members.length).fill(undefined);
    this.#parts = new Array(asking.members.length).fill(undefined);
  }

  partAnswered(part: Part, value: unknown): void {
    this.#take(part.index, { member: this.#idOf(part.index), status: "ok", value });
  }

  partFailed(part: Part, error: unknown): void {
    this.#take(part.index, outcomeOf(this.#idOf(part.index), error));
  }

  protected override begin(): void {
    const { policy } = this.#asking;
    const nowMs = this.#means.clock.now();
    if (this.context.deadlineMs <= nowMs) {
      this.fail(outOfTime(`group ${this.#asking.group}`, this.context.deadlineMs));
      return;
    }
    const ready = this.#ready();
    for (const outcome of this.#outcomes) if (outcome !== undefined && !this.#tell(outcome)) return;
    this.#judge();
    if (this.ended) return;
    const { deadlineMs, attempt } = this.context;
    const limits: Limits = { deadlineMs: policy.deadlineMs?.(nowMs, deadlineMs) ?? deadlineMs, attempt };
    const messages = this.#messages(ready);
    if (messages === undefined) return;
    for (let at = 0; at < ready.length; at++) {
      // Once the verdict is known, only those who are to hear the message all the same still get it.
      if (this.ended && (policy.rest !== "finish" || this.#verdict === undefined)) return;
      this.#send(ready[at] as number, messages[at] as Message, limits);
    }
  }

  protected override abandon(reason: unknown): void {
    for (const part of this.#parts) part?.cancel(reason);
  }

  #idOf(index: number): string {
    return this.#asking.members[index]?.id ?? "";
  }

  #send(index: number, message: Message, limits: Limits): void {
    const member = this.#asking.members[index] as Member;
    const part = new Part(this, this.#means, { target: new SameMember(member), message, limits, index });
    this.#parts[index] = part;
    part.start();
  }

  /** The positions of the members that can be asked; the others get their outcomes. */
  #ready(): number[] {
    const { members, policy } = this.#asking;
    const ready: number[] = [];
    for (const [index, { id, state }] of members.entries()) {
      if (state === "ready") {
        ready.push(index);
        continue;
      }
      if (policy.skipped === "fail") this.#tally.skipped += 1;
      this.#outcomes[index] = { member: id, status: "skipped", reason: state };
    }
    this.#tally.open = ready.length;
    return ready;
  }

  /** Each target's message; undefined if the call has ended because `split` failed. */
  #messages(ready: readonly number[]): Message[] | undefined {
    const { members, message, policy, split } = this.#asking;
    const ignoring = policy.skipped === "ignore";
    const count = ignoring ? ready.length : members.length;
    try {
      return ready.map((index, at) => {
        const place = ignoring ? at : index;
        return numbered(
          split === undefined ? message : piece(message, split(message, place, count), [place, count]),
          place,
          count,
        );
      });
    } catch (error) {
      this.withdraw(failedFunction(`the split function of group ${this.#asking.group}`, error));
      return undefined;
    }
  }

  #take(index: number, outcome: Outcome): void {
    // Under `finish` and after an error, answers still come when nobody listens any more.
    if (this.ended) return;
    this.#outcomes[index] = outcome;
    this.#tally.open -= 1;
    this.#tally[outcome.status] += 1;
    if (this.#tell(outcome)) this.#judge();
  }

  #tell(outcome: Outcome): boolean {
    try {
      this.#asking.onOutcome?.(outcome);
    } catch (error) {
      this.withdraw(error);
    }
    return !this.ended;
  }

  #judge(): void {
    this.#verdict ??= this.#asking.policy.verdict(this.#tally);
    const { open } = this.#tally;
    if (this.#verdict === undefined && open === 0) this.#verdict = false;
    if (this.#verdict === undefined || (open > 0 && this.#asking.policy.rest === "wait")) return;
    for (let index = 0; index < this.#outcomes.length; index++) {
      if (this.#outcomes[index] !== undefined) continue;
      const outcome: Outcome = { member: this.#idOf(index), status: "skipped", reason: "not_needed" };
      this.#outcomes[index] = outcome;
      if (!this.#tell(outcome)) return;
    }
    const outcomes = this.#outcomes as Outcome[];
    this.succeed({ verdict: this.#verdict, outcomes, missing: missingOf(outcomes) });
    if (open > 0 && this.#asking.policy.rest === "cancel") this.abandon(NOT_NEEDED);
  }
}

/** The target of a part in a call to all: its member and no other, for the outcome bears its name. */
class SameMember implements Target {
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  next(tried: readonly Member[]): Member {
    // It was ready when the call began.
    if (tried.length === 0 || this.#member.state === "ready") return this.#member;
    throw emptyGroup(this.#member.id, [this.#member]);
  }

  hedge(): Member | undefined {
    return this.#member.state === "ready" ? this.#member : undefined;
  }
}

/** Names of the extension attributes that tell a member which target of how many it is. */
export const MEMBER_INDEX = "memberindex";
export const MEMBER_COUNT = "membercount";

function numbered(message: Message, index: number, count: number): Message {
  const extensions: Record<string, ExtensionValue> = { ...message.extensions, [MEMBER_INDEX]: index, [MEMBER_COUNT]: count };
  return { ...message, extensions };
}

/**
 * A part of a message is an event of its own, so it has an id of its own: two parts with one id would be one to a log
 * that drops duplicates. Made from id, place and count, so that a repetition of the call repeats the ids.
 */
function piece(whole: Message, part: Message, [index, count]: readonly [number, number]): Message {
  if (typeof part?.id !== "string" || typeof part.type !== "string") {
    throw coreError(
      "message.invalid",
      `the split function gave no message for target ${index} of ${count}, expected one with id and type`,
    );
  }
  const suffix = `.${index}of${count}`;
  const key = part.idempotencykey;
  return {
    ...part,
    id: part.id === whole.id ? part.id + suffix : part.id,
    ...(key !== undefined && key === whole.idempotencykey ? { idempotencykey: key + suffix } : {}),
  };
}
