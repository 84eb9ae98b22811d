import { coreError } from "../../src/errors.ts";
import { createGroup, type Group, type OneGroupOptions } from "../../src/member/group.ts";
import type { CallContext, Member, MemberState } from "../../src/member/member.ts";
import type { PerMember } from "../../src/member/plan.ts";
import { one } from "../../src/member/select.ts";
import { createMessage, type Message } from "../../src/message/message.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** Tiny members for the tests of groups: what goes in, not stand-ins for parts of ours. */

/** What a member did: the messages and contexts that it got, and how often its signal was aborted. */
export interface Watched extends Member {
  state: MemberState;
  inFlight: number;
  readonly messages: Message[];
  readonly contexts: CallContext[];
  /** Calls whose signal was aborted before the answer. */
  aborted: number;
}

export type Answer = (message: Message, context: CallContext) => unknown;

/** A member that answers as it is told, and remembers. It looks at its signal, as a member over a network would. */
export function member(id: string, answer: Answer = () => id): Watched {
  const self: Watched = {
    id,
    state: "ready",
    inFlight: 0,
    messages: [],
    contexts: [],
    aborted: 0,
    call(message, context) {
      self.messages.push(message);
      self.contexts.push(context);
      context.signal?.addEventListener("abort", () => {
        self.aborted += 1;
      });
      return answer(message, context);
    },
  };
  return self;
}

/** A member that is in `state` and would answer with its id. */
export function memberIn(id: string, state: MemberState): Watched {
  const self = member(id);
  self.state = state;
  return self;
}

/** Answers with `value` after `delayMs` of the clock. */
export function later(clock: VirtualClock, delayMs: number, value: unknown): Answer {
  return () => new Promise((resolve) => clock.setTimer(delayMs, () => resolve(value)));
}

/** Fails with `error` after `delayMs` of the clock. */
export function failAfter(clock: VirtualClock, delayMs: number, error: unknown): Answer {
  return () => new Promise((_resolve, reject) => clock.setTimer(delayMs, () => reject(error)));
}

/** Never answers. */
export const hang: Answer = () => new Promise(() => undefined);

/** Throws `error` before it returns. */
export function throwing(error: unknown): Answer {
  return () => {
    throw error;
  };
}

/** `a0`, `a1`, ... */
export function names(count: number, prefix = "m"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

export const down = (who = "it"): Error => coreError("processor.down", `${who} is down`);
export const failed = (who = "it"): Error => coreError("processor.failed", `${who} failed`);

export function message(init: Partial<Message> = {}): Message {
  return createMessage({ type: "order.price", id: "m1", ...init });
}

/** The clock's start is a multiple of the tick of a deadline queue, so that deadlines in whole ticks are met exactly. */
export function setup(withinMs = 1_000): { clock: VirtualClock; context: CallContext; abort: AbortController } {
  const clock = new VirtualClock();
  const abort = new AbortController();
  return { clock, abort, context: { deadlineMs: clock.now() + withinMs, signal: abort.signal } };
}

/** The promise of an answer, whether the answer came with one or not. */
export async function answerOf(work: () => unknown): Promise<unknown> {
  return work();
}

/** The error that `work` throws or rejects with. */
export async function errorOf(work: () => unknown): Promise<unknown> {
  let value: unknown;
  try {
    value = await work();
  } catch (error) {
    return error;
  }
  throw new Error(`expected an error, found the answer ${JSON.stringify(value)}`);
}

/** A group that takes its members in their order. */
export function inTurn(
  clock: VirtualClock,
  members: Watched[],
  perMember: PerMember,
  more: Partial<OneGroupOptions> = {},
): Group {
  return createGroup({ id: "g", members, select: one.roundRobin(), perMember, clock, random: () => 0, ...more });
}

/** How many messages each member got. */
export const sent = (members: readonly Watched[]): number[] => members.map((m) => m.messages.length);

/** No jitter (the tests' chance is always 0), so pauses are 10, 20, 40 ms. */
export const retry = { attempts: 4, backoffMs: 10 };
