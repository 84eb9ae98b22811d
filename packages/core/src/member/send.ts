import type { Message } from "../message/message.ts";
import type { Choose } from "./choose.ts";
import { Exchange } from "./exchange.ts";
import type { CallContext, Member } from "./member.ts";
import { emptyGroup, outOfTime } from "./outcome.ts";
import { type Means, Part, type PartOwner, type Target } from "./part.ts";

/** What is asked of one member. */
export interface Errand {
  readonly group: string;
  /** The members when the call began; must not change afterwards. */
  readonly members: readonly Member[];
  readonly choose: Choose;
  readonly message: Message;
  readonly context: CallContext;
}

const NOBODY: readonly Member[] = [];

/** A call to one member of a group, with the retries, hedges and time limits of the group. */
export class Sending extends Exchange<unknown> implements PartOwner, Target {
  readonly #errand: Errand;
  readonly #means: Means;
  readonly #part: Part;

  constructor(errand: Errand, means: Means) {
    super(errand.context);
    this.#errand = errand;
    this.#means = means;
    this.#part = new Part(this, means, { target: this, message: errand.message, limits: errand.context, index: 0 });
  }

  /** Chooses again, one that was not asked before if there is such a one. */
  next(tried: readonly Member[]): Member {
    const { choose, group, members, message } = this.#errand;
    let member = choose(members, message, tried);
    if (member === undefined && tried.length > 0) member = choose(members, message, NOBODY);
    if (member === undefined) throw emptyGroup(group, members);
    return member;
  }

  /** Asking the slow one twice would bring nothing. */
  hedge(tried: readonly Member[]): Member | undefined {
    return this.#errand.choose(this.#errand.members, this.#errand.message, tried);
  }

  partAnswered(_part: Part, value: unknown): void {
    this.succeed(value);
  }

  partFailed(_part: Part, error: unknown): void {
    this.fail(error);
  }

  protected override begin(): void {
    const { deadlineMs } = this.context;
    if (deadlineMs <= this.#means.clock.now()) this.fail(outOfTime(`group ${this.#errand.group}`, deadlineMs));
    else this.#part.start();
  }

  protected override abandon(reason: unknown): void {
    this.#part.cancel(reason);
  }
}
