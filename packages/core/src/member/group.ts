import { type Clock, DeadlineQueue, systemClock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import { rejectUnknownKeys, textOf } from "../options.ts";
import type { Choose } from "./choose.ts";
import { Gathering, type Split } from "./gather.ts";
import type { CallContext, Member, MemberState, Outcome } from "./member.ts";
import { emptyGroup, failedFunction, type GroupResult, policyUnmet } from "./outcome.ts";
import type { Means } from "./part.ts";
import { type PerMember, PLAIN, resolvePlan } from "./plan.ts";
import type { Policy } from "./policy.ts";
import type { Random } from "./random.ts";
import { type Reducer, type Running, reduce as reducers } from "./reduce.ts";
import type { All, One } from "./select.ts";
import { Sending } from "./send.ts";

/** What every group is made from. */
export interface GroupOptions {
  /** The id of the group as a member of other groups. */
  id: string;
  /** The members in their order, or a function that gives them as they are now. Ids are unique. */
  members: readonly Member[] | (() => readonly Member[]);
  /** How each member's part is carried out. @default one attempt, until the deadline of the call */
  perMember?: PerMember;
  /** @default the system's clock */
  clock?: Clock;
  /** For choices and pauses left to chance. @default Math.random */
  random?: Random;
}

/** A group of which one member answers. */
export interface OneGroupOptions extends GroupOptions {
  select: One;
}

/** A group of which all members answer. */
export interface AllGroupOptions extends GroupOptions {
  select: All;
  /** What the answers come to. @default reduce.list() */
  reduce?: Reducer;
  /** Makes each member's message. @default the same message for each */
  split?: Split;
}

/**
 * Members that are one member: a selection, and a reduction of what the selected ones answer. A call works on the
 * members of the moment in which it began.
 */
export interface Group extends Member {
  /** The members now, in their order. */
  readonly members: readonly Member[];
  /** Adds a member at the end. @throws {MetanodeError} state.conflict – its id is taken; call.unsupported – the list is a function's */
  add(member: Member): void;
  /** Takes a member out of later calls; false if there is none of that id. @throws {MetanodeError} call.unsupported */
  remove(id: string): boolean;
  /** Puts another member in the place of one. @throws {MetanodeError} resource.not_found, state.conflict, call.unsupported */
  replace(id: string, member: Member): void;
  stream(message: Message, context: CallContext): AsyncIterable<unknown>;
}

/** A group that asks all of its members. */
export interface AllGroup extends Group {
  /**
   * Like `call`, and without an opinion: the result itself, whether the policy is met or not.
   * @throws {MetanodeError} call.cancelled, call.deadline – the deadline had passed before anything was sent
   */
  gather(message: Message, context: CallContext): GroupResult | Promise<GroupResult>;
  /**
   * Each outcome in the turn in which it comes, one per member. Leaving the loop withdraws what is open.
   * @throws {MetanodeError} group.policy_unmet – after the last outcome; call.cancelled, call.deadline
   */
  stream(message: Message, context: CallContext): AsyncIterable<Outcome>;
}

/**
 * Makes a group. A group of all keeps deadlines and withdrawals itself, whatever its members do.
 * Its `call` and `stream` throw, besides the errors of its members:
 *  - one: `group.empty`, `group.invalid_key`. The chosen member's answer or error is handed through as it is. Without
 *    `perMember` nothing stands between caller and member, the deadline being the member's to keep.
 *  - all: `group.policy_unmet`, which names each member's outcome; `processor.failed` where `split` or reducer throws.
 * @throws {MetanodeError} config.invalid – an option has a wrong name or value
 */
export function createGroup(options: AllGroupOptions): AllGroup;
export function createGroup(options: OneGroupOptions): Group;
export function createGroup(options: OneGroupOptions | AllGroupOptions): Group {
  return isAll(options) ? new GroupOfAll(options) : new GroupOfOne(options);
}

function isAll(options: OneGroupOptions | AllGroupOptions): options is AllGroupOptions {
  return options.select.mode === "all";
}

/** The worst first. */
const WORST: readonly MemberState[] = ["down", "maintenance", "draining", "busy"];
const NOBODY: readonly Member[] = [];

abstract class BaseGroup implements Group {
  readonly id: string;
  readonly #list: (() => readonly Member[]) | undefined;
  #members: readonly Member[];
  protected readonly means: Means;

  constructor(options: GroupOptions, keys: readonly string[]) {
    rejectUnknownKeys(`group ${options.id}`, options, ["id", "members", "select", "perMember", "clock", "random", ...keys]);
    const { id, members, clock = systemClock, random = Math.random } = options;
    this.id = textOf("group.id", id);
    this.#list = typeof members === "function" ? members : undefined;
    this.#members = typeof members === "function" ? [] : [...members];
    const seen = new Set<string>();
    for (const member of this.#members) {
      if (seen.has(member.id)) throw coreError("config.invalid", `group ${id} has two members ${member.id}, expected unique ids`);
      seen.add(member.id);
    }
    this.means = { clock, random, plan: resolvePlan(options.perMember), queue: new DeadlineQueue(clock) };
  }

  get members(): readonly Member[] {
    return this.#list === undefined ? this.#members : this.#list();
  }

  /** The members of now, kept as they are while a call is under way. */
  protected get snapshot(): readonly Member[] {
    return this.#list === undefined ? this.#members : [...this.#list()];
  }

  get state(): MemberState {
    const { members } = this;
    if (members.some((member) => member.state === "ready")) return "ready";
    return WORST.find((state) => members.some((member) => member.state === state)) ?? "down";
  }

  get inFlight(): number {
    let sum = 0;
    for (const member of this.members) sum += member.inFlight;
    return sum;
  }

  add(member: Member): void {
    this.#assertOwnList();
    this.#assertFree(member.id);
    this.#members = [...this.#members, member];
  }

  remove(id: string): boolean {
    this.#assertOwnList();
    const rest = this.#members.filter((member) => member.id !== id);
    const found = rest.length < this.#members.length;
    this.#members = rest;
    return found;
  }

  replace(id: string, member: Member): void {
    this.#assertOwnList();
    const at = this.#members.findIndex((old) => old.id === id);
    if (at === -1) {
      throw coreError("resource.not_found", `group ${this.id} has no member ${id}; its members are ${this.#names()}`, {
        details: { group: this.id, member: id },
      });
    }
    if (member.id !== id) this.#assertFree(member.id);
    this.#members = this.#members.with(at, member);
  }

  abstract call(message: Message, context: CallContext): unknown;
  abstract stream(message: Message, context: CallContext): AsyncIterable<unknown>;

  #names(): string {
    return this.#members.map((member) => member.id).join(", ") || "none";
  }

  #assertOwnList(): void {
    if (this.#list === undefined) return;
    throw coreError("call.unsupported", `the members of group ${this.id} are a function's; change what the function gives`);
  }

  #assertFree(id: string): void {
    if (!this.#members.some((member) => member.id === id)) return;
    throw coreError("state.conflict", `group ${this.id} has a member ${id} already; replace it, or give the new one another id`, {
      details: { group: this.id, member: id },
    });
  }
}

class GroupOfOne extends BaseGroup {
  readonly #choose: Choose;

  constructor(options: OneGroupOptions) {
    super(options, []);
    this.#choose = options.select.begin(this.means.random);
  }

  call(message: Message, context: CallContext): unknown {
    if (this.means.plan !== PLAIN) return this.#send(message, context);
    return this.#pick(message).call(message, context);
  }

  stream(message: Message, context: CallContext): AsyncIterable<unknown> {
    const member = this.#pick(message);
    if (member.stream !== undefined) return member.stream(message, context);
    throw coreError("call.unsupported", `member ${member.id} of group ${this.id} does not answer with streams; use call`);
  }

  #send(message: Message, context: CallContext): unknown {
    const { id, snapshot } = this;
    return new Sending({ group: id, members: snapshot, choose: this.#choose, message, context }, this.means).run();
  }

  #pick(message: Message): Member {
    const { members } = this;
    const member = this.#choose(members, message, NOBODY);
    if (member === undefined) throw emptyGroup(this.id, members);
    return member;
  }
}

class GroupOfAll extends BaseGroup implements AllGroup {
  readonly keepsDeadlines = true;
  readonly #policy: Policy;
  readonly #reducer: Reducer;
  readonly #split: Split | undefined;
  /** For what is not a member's part. */
  readonly #bare: Means;

  constructor(options: AllGroupOptions) {
    super(options, ["reduce", "split"]);
    this.#policy = options.select.policy;
    this.#reducer = options.reduce ?? reducers.list();
    this.#split = options.split;
    this.#bare = { ...this.means, plan: PLAIN };
  }

  call(message: Message, context: CallContext): unknown {
    const running = this.#guard(() => this.#reducer.begin?.());
    const add = running && ((outcome: Outcome) => this.#guard(() => outcome.status === "ok" && running.add(outcome.value)));
    const result = this.#ask(message, context, add).run();
    if (!(result instanceof Promise)) return this.#bound(this.#conclude(result, running), message, context);
    return result.then((late) => this.#bound(this.#conclude(late, running), message, context));
  }

  gather(message: Message, context: CallContext): GroupResult | Promise<GroupResult> {
    return this.#ask(message, context).run();
  }

  async *stream(message: Message, context: CallContext): AsyncGenerator<Outcome, void> {
    const come: Outcome[] = [];
    let wake = Promise.withResolvers<void>();
    const gathering = this.#ask(message, context, (outcome) => {
      come.push(outcome);
      wake.resolve();
    });
    try {
      const end = (async () => gathering.run())();
      // Waiting for the next outcome must not miss an end without one; the error itself is thrown by the last await.
      end.then(
        () => wake.resolve(),
        () => wake.resolve(),
      );
      for (let next = 0; next < come.length || !gathering.ended; ) {
        const outcome = come[next];
        if (outcome === undefined) {
          await wake.promise;
          wake = Promise.withResolvers();
        } else {
          next += 1;
          yield outcome;
        }
      }
      const { verdict, outcomes } = await end;
      if (!verdict) throw policyUnmet(this.id, this.#policy, outcomes);
    } finally {
      gathering.withdraw(coreError("call.cancelled", `the reader of group ${this.id}'s outcomes left`));
    }
  }

  #ask(message: Message, context: CallContext, onOutcome?: (outcome: Outcome) => void): Gathering {
    const { id, snapshot } = this;
    return new Gathering(
      { group: id, members: snapshot, policy: this.#policy, split: this.#split, message, context, onOutcome },
      this.means,
    );
  }

  #conclude(result: GroupResult, running: Running<unknown> | undefined): unknown {
    if (!result.verdict) throw policyUnmet(this.id, this.#policy, result.outcomes);
    return this.#guard(() => (running === undefined ? this.#reducer.reduce(result) : running.end()));
  }

  /** A reducer with a promise is bound by deadline and withdrawal like a member, so it is asked like one. */
  #bound(value: unknown, message: Message, context: CallContext): unknown {
    if (!(value instanceof Promise)) return value;
    const id = `${this.id}/${this.#reducer.name}`;
    const failed = (error: unknown): never => {
      throw this.#reducerFailed(error);
    };
    const reducer: Member = { id, state: "ready", inFlight: 0, call: () => value.catch(failed) };
    return new Sending({ group: this.id, members: [reducer], choose: () => reducer, message, context }, this.#bare).run();
  }

  #guard<R>(work: () => R): R {
    try {
      return work();
    } catch (error) {
      throw this.#reducerFailed(error);
    }
  }

  #reducerFailed(error: unknown): Error {
    return failedFunction(`reducer ${this.#reducer.name} of group ${this.id}`, error);
  }
}
