import { actorError } from "../errors.ts";
import { type AnyCall, bareReason, type PID, type Reason } from "../identity/index.ts";
import { type KeptMail, MailboxKept, type MessageExit } from "../mailbox/index.ts";
import { ANSWERS, ENDING, EXIT, NOTICE, START } from "../process/behaviour.ts";
import { isSame } from "../runtime/deliver.ts";
import type { Ended } from "../runtime/typed.ts";
import { Actor, CHECK, KILL, NOTIFY, READ_URGENT, SPAWN } from "./actor.ts";
import {
  type Child,
  type ChildInfo,
  ChildList,
  orEnd,
  Plan,
  type RestartDecision,
  type Slot,
  type SupervisorInfo,
} from "./children.ts";
import {
  type ChildSpec,
  checkChild,
  Intensity,
  mustRestart,
  type RestartStrategy,
  resolveSupervisorSpec,
  type SupervisorSpec,
} from "./supervisor-spec.ts";

/** How many decisions are kept for people. */
const KEPT_DECISIONS = 50;

/** What a start takes over from the child that it replaces. */
interface Legacy {
  readonly args: readonly unknown[];
  readonly limit?: Intensity | undefined;
  readonly restarts?: number;
  readonly mail?: readonly KeptMail[] | undefined;
}

type Notice = { readonly name: string; readonly pid: PID; readonly reason: Reason | undefined };

/**
 * The base of all supervisors: starts children and starts them again.
 *
 *  V1. A child in the list has not been seen to end; its end is seen once, as an exit from its PID.
 *  V2. While a plan stands only exits and inspections are read, and no other plan begins; the end of the supervisor takes
 *      its place.
 *  V3. The supervisor ends only when the list is empty, unless it is killed.
 *
 * An exit from anybody but a child, a callback that ends the supervisor, or one that throws: the children get that reason as
 * an exit, the supervisor waits for all of them, and ends. `handleCall` may return `Terminate` with an answer and any
 * reason: the caller gets the answer.
 */
export abstract class Supervisor<Messages = unknown, Calls extends AnyCall = never> extends Actor<Messages, Calls> {
  #spec: Required<SupervisorSpec> | undefined;
  readonly #list = new ChildList();
  #plan: Plan | undefined;
  #intensity!: Intensity;
  #isReady = false;
  readonly #decisions: RestartDecision[] = [];

  /** Gives the specification. */
  abstract override init(...args: never[]): SupervisorSpec;

  /** A child has started; called after the strategy that started it. */
  handleChildStart(_name: string, _pid: PID): Ended {
    return undefined;
  }

  /** A child has ended; called after the strategy that its end has led to. */
  handleChildTerminate(_name: string, _pid: PID, _reason: Reason): Ended {
    return undefined;
  }

  /** What {@link supervisorInfo} gives, as text. */
  override handleInspect(
    _from: PID,
    _items: readonly string[],
  ): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> {
    const info = this.supervisorInfo();
    if (info === undefined) return {};
    const { children, decisions, restartsBySpec, ...plain } = info;
    const shown = Object.entries(plain).map(([key, value]): [string, string] => [key, String(value)]);
    for (const [name, count] of Object.entries(restartsBySpec)) shown.push([`restarts.${name}`, String(count)]);
    const lines = decisions.map(
      (made) => `${new Date(made.timeMs).toISOString()} ${made.child} ${made.decision}: ${made.reason}`,
    );
    return Object.fromEntries([...shown, ["children", String(children.length)], ["decisions", lines.join("\n")]]);
  }

  /**
   * Starts a child that is down, or with simple one-for-one a further instance. Arguments replace those of the specification;
   * an instance keeps its own for its restarts.
   * @throws actor.child_unknown, actor.child_disabled, actor.child_running, actor.supervisor_strategy_active, and what the start throws
   */
  startChild(name: string, ...args: readonly unknown[]): PID | Promise<PID> {
    this.#check();
    const slot = this.#slot(name);
    if (slot.isDisabled) throw actorError("actor.child_disabled", `child ${name} is disabled`);
    if (this.#isSimple) return this.#start(slot, { args: args.length > 0 ? args : slot.args });
    if (isUp(slot)) throw actorError("actor.child_running", `child ${name} runs already`);
    if (args.length > 0) slot.args = args;
    return this.#start(slot, slot);
  }

  /**
   * Appends a child and starts it; with simple one-for-one only the specification is added. One that cannot be started is
   * not added.
   * @throws actor.supervisor_spec, actor.child_duplicate, actor.supervisor_strategy_active, and what the start throws
   */
  addChild(spec: ChildSpec): PID | Promise<PID> | undefined {
    const { type } = this.#check();
    checkChild(spec, type, this.#list.names);
    const slot = this.#addSlot(spec);
    if (this.#isSimple) return undefined;
    const drop = (error: unknown): never => {
      this.#list.dropSlot(slot);
      throw error;
    };
    try {
      const started = this.#start(slot, slot);
      return started instanceof Promise ? started.catch(drop) : started;
    } catch (error) {
      return drop(error);
    }
  }

  /**
   * Stops a child with `shutdown` and keeps it stopped. Nothing happens if it does not run.
   * @throws actor.child_unknown, actor.supervisor_strategy_active
   */
  disableChild(name: string): void {
    this.#check();
    const slot = this.#slot(name);
    slot.isRevived = false;
    if (slot.isDisabled || slot.running.size === 0) return;
    slot.isDisabled = true;
    for (const child of slot.running) this.#ask(child, "shutdown");
  }

  /**
   * The opposite of {@link disableChild}: starts the child, with a new count of restarts; with simple one-for-one only
   * instances can be started again. Nothing happens if it is not disabled.
   * @throws actor.child_unknown, actor.supervisor_strategy_active, and what the start throws
   */
  enableChild(name: string): PID | Promise<PID> | undefined {
    this.#check();
    const slot = this.#slot(name);
    if (!slot.isDisabled) return undefined;
    slot.isDisabled = false;
    slot.limit = this.#limitOf(slot.spec);
    if (this.#isSimple) return undefined;
    slot.isRevived = isUp(slot);
    return slot.isRevived ? undefined : this.#start(slot, slot);
  }

  /** All children, in the order of their specifications, then of their start. */
  children(): ChildInfo[] {
    return this.#list.slots.flatMap((slot): ChildInfo[] => {
      const { name, significant = false } = slot.spec;
      const facts = { spec: name, name: this.#isSimple ? undefined : name, significant, isDisabled: slot.isDisabled };
      const running = [...slot.running].map(({ pid, restarts }) => ({ ...facts, pid, restarts }));
      return running.length > 0 || this.#isSimple ? running : [{ ...facts, pid: undefined, restarts: slot.restarts }];
    });
  }

  /** The supervisor, as data; undefined while it starts. */
  supervisorInfo(): SupervisorInfo | undefined {
    const spec = this.#spec;
    if (spec === undefined) return undefined;
    const { type, strategy, intensity, periodMs, keepOrder, autoShutdown } = spec;
    const { slots, size } = this.#list;
    return {
      ...{ type, strategy, intensity, periodMs, keepOrder, autoShutdown },
      isStrategyActive: this.#plan !== undefined,
      running: size,
      disabled: slots.filter(({ isDisabled }) => isDisabled).length,
      restarts: slots.reduce((sum, { restarts }) => sum + restarts, 0),
      restartsBySpec: Object.fromEntries(slots.map((slot) => [slot.spec.name, slot.restarts])),
      children: this.children(),
      decisions: [...this.#decisions],
    };
  }

  override [START](args: readonly unknown[]): unknown {
    const spec = resolveSupervisorSpec(super[START](args) as SupervisorSpec);
    this.#spec = spec;
    this.#intensity = new Intensity(spec.intensity, spec.periodMs);
    for (const each of spec.children) this.#addSlot(each);
    const started = this.#isSimple ? undefined : this.#startAll(0);
    const ready = (): undefined => {
      this.#isReady = true;
    };
    return started === undefined ? ready() : started.then(ready);
  }

  override [EXIT](exit: MessageExit): unknown {
    const child = exit.kind === "pid" ? this.#list.take(exit.target as PID) : undefined;
    const reason = bareReason(exit.reason);
    if (child === undefined) return reason;
    this.#notify(child, reason);
    if (this.#plan === undefined) return this.#decide(child, reason, exit.reason);
    child.slot.isRevived = false;
    this.#plan.saw(child);
    return this.#proceed(this.#plan);
  }

  /** The children go first. */
  override [ENDING](reason: Reason): boolean {
    if (this.#list.size === 0) return false;
    if (this.#plan?.isEnd !== true) this.#begin(reason, 0, true);
    return true;
  }

  override [NOTICE](notice: unknown): unknown {
    const { name, pid, reason } = notice as Notice;
    return reason === undefined ? this.handleChildStart(name, pid) : this.handleChildTerminate(name, pid, reason);
  }

  get [ANSWERS](): boolean {
    return true;
  }

  get #isSimple(): boolean {
    return this.#spec?.type === "simple_one_for_one";
  }

  /** A child has ended, and no plan stands. `given` is its reason as it came, perhaps with its mail. */
  #decide(child: Child, reason: Reason, given: Reason): unknown {
    const { slot } = child;
    const { strategy, type } = this.#spec as Required<SupervisorSpec>;
    if (slot.isRevived) {
      slot.isRevived = false;
      return orEnd(() => this.#start(slot, slot));
    }
    const used = slot.spec.restart?.strategy ?? strategy;
    if (slot.isDisabled || !mustRestart(used, reason)) {
      this.#note(child, reason, "leave");
      return this.#leave(slot, used, reason);
    }
    if (child.limit?.isExceeded(this.now())) {
      if (slot.spec.restart?.onExceed !== "disable") return this.#exceed(child, reason, child.limit);
      this.#note(child, reason, "disable");
      if (this.#isSimple) return undefined;
      slot.isDisabled = true;
      return this.#isIdle() ? reason : undefined;
    }
    if (this.#intensity.isExceeded(this.now())) return this.#exceed(child, reason, this.#intensity);
    this.#note(child, reason, "restart");
    slot.restarts++;
    if (type === "all_for_one") return this.#begin(reason, 0, false);
    if (type === "rest_for_one") return this.#begin(reason, slot.index, false);
    const isOwn = given instanceof MailboxKept && isSame(given.pid, child.pid);
    const mail = isOwn ? given.mail.filter(({ from, payload }) => isInheritable(from, payload)) : undefined;
    return orEnd(() => this.#start(slot, { args: child.args, limit: child.limit, restarts: child.restarts + 1, mail }));
  }

  /** A child stays down: that may be the end of the supervisor. */
  #leave(slot: Slot, strategy: RestartStrategy, reason: Reason): Reason | undefined {
    if (this.#isSimple || strategy === "permanent") return undefined;
    if (slot.spec.significant === true && !slot.isDisabled) return reason;
    return this.#isIdle() ? reason : undefined;
  }

  /** Whether nothing runs, and that is the end. */
  #isIdle(): boolean {
    return this.#spec?.autoShutdown === true && this.#list.size === 0 && this.#list.slots.every(({ starting }) => starting === 0);
  }

  #exceed(child: Child, reason: Reason, { limit, periodMs }: Intensity): Error {
    this.#note(child, reason, "exceed");
    const text = `child ${child.slot.spec.name} ended, and ${limit} restarts within ${periodMs} ms are allowed`;
    return actorError("actor.exceeded", text, { cause: reason });
  }

  #begin(reason: Reason, from: number, isEnd: boolean): unknown {
    this.#plan = new Plan(this.#list, reason, from, isEnd);
    this[READ_URGENT](true);
    return this.#proceed(this.#plan);
  }

  /** Stops what is left to stop; with nothing left, does what the plan was for. */
  #proceed(plan: Plan): unknown {
    if (plan.left > 0) {
      for (const child of plan.toAsk(this.#spec?.keepOrder === true)) this.#ask(child, plan.reason);
      return undefined;
    }
    if (plan.isEnd) return plan.reason;
    plan.isStarting = true;
    const finish = (): undefined => {
      this.#plan = undefined;
      this[READ_URGENT](false);
    };
    return orEnd(() => {
      const started = this.#startAll(plan.from);
      return started === undefined ? finish() : started.then(finish);
    });
  }

  /** Starts, one after the other, what is down from `from` on and not disabled. */
  #startAll(from: number): undefined | Promise<undefined> {
    for (let i = from; i < this.#list.slots.length; i++) {
      const slot = this.#list.slots[i] as Slot;
      if (slot.isDisabled || isUp(slot)) continue;
      const started = this.#start(slot, slot);
      if (started instanceof Promise) return started.then(() => this.#startAll(i + 1));
    }
    return undefined;
  }

  #start(slot: Slot, given: Legacy): PID | Promise<PID> {
    const { args, limit = this.#newLimit(slot), restarts = this.#isSimple ? 0 : slot.restarts, mail } = given;
    const name = this.#isSimple ? undefined : slot.spec.name;
    const options = { ...slot.spec.options, name, linkChild: true, linkParent: true };
    const add = (pid: PID): PID => {
      const child: Child = { slot, pid, args, limit, restarts, isAsked: false };
      this.#list.add(child);
      this.#notify(child, undefined);
      this.#join(child);
      return pid;
    };
    const started = this[SPAWN](slot.spec.actor, { options, args, mail });
    if (!(started instanceof Promise)) return add(started);
    slot.starting++;
    return started.finally(() => slot.starting--).then(add);
  }

  /** A start that nobody waited for is done while others are being stopped: the new child has to go as well. */
  #join(child: Child): void {
    const plan = this.#plan;
    if (plan === undefined || plan.isStarting || child.slot.index < plan.from) return;
    plan.include(child);
    this.#proceed(plan);
  }

  /** Asks a child to end, and kills one that has no room for the question; one that has ended already is seen soon. */
  #ask(child: Child, reason: Reason): void {
    if (child.isAsked || !this.isAlive(child.pid)) return;
    child.isAsked = true;
    try {
      this.sendExit(child.pid, reason);
    } catch {
      this[KILL](child.pid);
    }
  }

  #note({ slot, pid }: Child, reason: Reason, decision: RestartDecision["decision"]): void {
    this.#decisions.push({ timeMs: this.now(), child: slot.spec.name, pid, reason, decision });
    if (this.#decisions.length > KEPT_DECISIONS) this.#decisions.shift();
  }

  #notify({ slot, pid }: Child, reason: Reason | undefined): void {
    if (this.#spec?.handleChildren === true) this[NOTIFY]({ name: slot.spec.name, pid, reason } satisfies Notice);
  }

  #addSlot(spec: ChildSpec): Slot {
    return this.#list.addSlot(spec, this.#limitOf(spec));
  }

  /** The limit of one child, if it has one. */
  #limitOf({ restart }: ChildSpec): Intensity | undefined {
    if (restart?.intensity === undefined) return undefined;
    return new Intensity(restart.intensity, restart.periodMs ?? (this.#spec as Required<SupervisorSpec>).periodMs);
  }

  /** Each instance of simple one-for-one counts by itself. */
  #newLimit(slot: Slot): Intensity | undefined {
    return this.#isSimple ? this.#limitOf(slot.spec) : slot.limit;
  }

  #slot(name: string): Slot {
    const slot = this.#list.slot(name);
    if (slot === undefined) throw actorError("actor.child_unknown", `no child is specified as ${name}`);
    return slot;
  }

  /** Whether children may be managed now. */
  #check(): Required<SupervisorSpec> {
    this[CHECK]();
    if (this.#spec === undefined || !this.#isReady) {
      throw actorError("actor.not_allowed", "a supervisor manages its children once it has started");
    }
    if (this.#plan !== undefined) throw actorError("actor.supervisor_strategy_active");
    return this.#spec;
  }
}

function isUp(slot: Slot): boolean {
  return slot.running.size > 0 || slot.starting > 0;
}

/** Exits and notices were meant for the process that ended; all other mail is for whoever takes its place. */
function isInheritable(from: PID | undefined, payload: unknown): boolean {
  if (from !== undefined) return true;
  const { kind } = payload as { kind: string };
  return kind !== "exit" && kind !== "child_exit" && kind !== "notice";
}
