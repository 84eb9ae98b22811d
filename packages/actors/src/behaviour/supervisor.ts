import { actorError } from "../errors.ts";
import { type AnyCall, type PID, type Reason, Terminate } from "../identity/index.ts";
import type { MessageExit } from "../mailbox/index.ts";
import { ENDING, EXIT, NOTICE, START } from "../process/behaviour.ts";
import { isSame } from "../runtime/deliver.ts";
import type { Ended } from "../runtime/typed.ts";
import { Actor, KILL, NOTIFY, READ_URGENT } from "./actor.ts";
import {
  type ChildInfo,
  type ChildSpec,
  checkChild,
  Intensity,
  mustRestart,
  resolveSupervisorSpec,
  type SupervisorSpec,
} from "./supervisor-spec.ts";

interface Slot {
  readonly spec: ChildSpec;
  args: readonly unknown[];
  isDisabled: boolean;
}

interface Child {
  readonly slot: Slot;
  readonly pid: PID;
  /** Of the last start. */
  readonly args: readonly unknown[];
}

/** A strategy at work: children are being stopped; then those from `from` on start, or the supervisor ends. */
interface Plan {
  readonly isEnd: boolean;
  readonly reason: Reason;
  from: number;
  readonly asked: Set<PID>;
}

type Notice = { readonly name: string; readonly pid: PID; readonly reason: Reason | undefined };

/**
 * The base of all supervisors: starts children and starts them again.
 *
 *  V1. A child in the list has not been seen to end; its end is seen once, as an exit from its PID.
 *  V2. While a plan stands only exits are read, and no other plan begins; the end of the supervisor takes its place.
 *  V3. The supervisor ends only when the list is empty, unless it is killed.
 */
export abstract class Supervisor<Messages = unknown, Calls extends AnyCall = never> extends Actor<Messages, Calls> {
  #spec!: Required<SupervisorSpec>;
  #slots: Slot[] = [];
  #children: Child[] = [];
  #plan: Plan | undefined;
  #intensity!: Intensity;

  /** Gives the specification. */
  abstract override init(...args: never[]): SupervisorSpec;

  /** A child has started; called after the strategy that started it. */
  handleChildStart(_name: string, _pid: PID): Ended {
    return undefined;
  }

  /** A child has ended. */
  handleChildTerminate(_name: string, _pid: PID, _reason: Reason): Ended {
    return undefined;
  }

  /** Starts a child that is down, or with simple one-for-one a further instance. Arguments replace those of the specification. */
  startChild(name: string, ...args: readonly unknown[]): PID | Promise<PID> {
    this.#free();
    const slot = this.#slot(name);
    if (slot.isDisabled) throw actorError("actor.child_disabled", `child ${name} is disabled`);
    if (this.#isSimple) return this.#spawn(slot, args.length > 0 ? args : slot.args);
    if (this.#running(slot).length > 0) throw actorError("actor.child_running", `child ${name} runs already`);
    if (args.length > 0) slot.args = args;
    return this.#spawn(slot, slot.args);
  }

  /** Appends a child and starts it; with simple one-for-one only the specification is added. */
  addChild(spec: ChildSpec): PID | Promise<PID> | undefined {
    this.#free();
    checkChild(spec, new Set(this.#slots.map((slot) => slot.spec.name)));
    const slot = slotOf(spec);
    this.#slots.push(slot);
    return this.#isSimple ? undefined : this.#spawn(slot, slot.args);
  }

  /** Stops a child with `shutdown` and keeps it stopped. Nothing happens if it does not run. */
  disableChild(name: string): void {
    this.#free();
    const slot = this.#slot(name);
    const running = this.#running(slot);
    if (slot.isDisabled || running.length === 0) return;
    slot.isDisabled = true;
    for (const child of running) this.#ask(child, "shutdown");
  }

  /** The opposite of {@link disableChild}; starts the child, except with simple one-for-one. */
  enableChild(name: string): PID | Promise<PID> | undefined {
    this.#free();
    const slot = this.#slot(name);
    if (!slot.isDisabled) return undefined;
    slot.isDisabled = false;
    return this.#isSimple || this.#running(slot).length > 0 ? undefined : this.#spawn(slot, slot.args);
  }

  /** All children, in the order of their specifications, then of their start. */
  children(): ChildInfo[] {
    return this.#slots.flatMap((slot): ChildInfo[] => {
      const facts = { spec: slot.spec.name, significant: slot.spec.significant ?? false, isDisabled: slot.isDisabled };
      const running = this.#running(slot).map(({ pid }) => ({ ...facts, pid }));
      return running.length > 0 || this.#isSimple ? running : [{ ...facts, pid: undefined }];
    });
  }

  override [START](args: readonly unknown[]): unknown {
    this.#spec = resolveSupervisorSpec(super[START](args) as SupervisorSpec);
    this.#intensity = new Intensity(this.#spec.intensity, this.#spec.periodMs);
    this.#slots = this.#spec.children.map(slotOf);
    return this.#isSimple ? undefined : this.#startAll(this.#slots);
  }

  override [EXIT](exit: MessageExit): unknown {
    const child = exit.kind === "pid" ? this.#children.find(({ pid }) => isSame(pid, exit.target as PID)) : undefined;
    if (child === undefined) return exit.reason;
    this.#children = this.#children.filter((other) => other !== child);
    this.#notify(child, exit.reason);
    if (this.#plan === undefined) return this.#decide(child, exit.reason);
    const at = this.#slots.indexOf(child.slot);
    if (this.#spec.type === "rest_for_one" && at < this.#plan.from) this.#plan.from = at;
    return this.#proceed(this.#plan);
  }

  /** The children go first. */
  override [ENDING](reason: Reason): boolean {
    if (this.#children.length === 0) return false;
    if (this.#plan?.isEnd !== true) {
      this.#begin({ isEnd: true, reason, from: 0, asked: new Set() });
    }
    return true;
  }

  override [NOTICE](notice: unknown): unknown {
    const { name, pid, reason } = notice as Notice;
    return reason === undefined ? this.handleChildStart(name, pid) : this.handleChildTerminate(name, pid, reason);
  }

  get #isSimple(): boolean {
    return this.#spec.type === "simple_one_for_one";
  }

  #decide(child: Child, reason: Reason): unknown {
    const { slot } = child;
    const { strategy, type, autoShutdown } = this.#spec;
    if (slot.isDisabled || !mustRestart(strategy, reason)) {
      if (this.#isSimple || strategy === "permanent") return undefined;
      if (slot.spec.significant === true && !slot.isDisabled) return reason;
      return autoShutdown && this.#children.length === 0 ? reason : undefined;
    }
    if (this.#intensity.isExceeded(this.now())) {
      return actorError("actor.exceeded", `child ${slot.spec.name} was restarted too often`, { cause: reason });
    }
    if (type === "one_for_one" || type === "simple_one_for_one") return this.#orEnd(() => this.#spawn(slot, child.args));
    const from = type === "all_for_one" ? 0 : this.#slots.indexOf(slot);
    return this.#begin({ isEnd: false, reason, from, asked: new Set() });
  }

  #begin(plan: Plan): unknown {
    this.#plan = plan;
    this[READ_URGENT](true);
    return this.#proceed(plan);
  }

  /** Stops what is left to stop; with nothing left, does what the plan was for. */
  #proceed(plan: Plan): unknown {
    const left = this.#children.filter(({ slot }) => this.#slots.indexOf(slot) >= plan.from);
    if (left.length > 0) {
      const order = left.toSorted((a, b) => this.#slots.indexOf(b.slot) - this.#slots.indexOf(a.slot));
      for (const child of this.#spec.keepOrder ? order.slice(0, 1) : order) {
        if (plan.asked.has(child.pid)) continue;
        plan.asked.add(child.pid);
        this.#ask(child, plan.reason);
      }
      return undefined;
    }
    if (plan.isEnd) return plan.reason;
    return this.#orEnd(() => {
      const started = this.#startAll(this.#slots.slice(plan.from).filter((slot) => !slot.isDisabled));
      const finish = (): void => {
        this.#plan = undefined;
        this[READ_URGENT](false);
      };
      return started === undefined ? finish() : started.then(finish);
    });
  }

  /** A child that cannot be started again ends the supervisor with its error. */
  #orEnd(start: () => unknown): unknown {
    const fail = (error: unknown): never => {
      throw new Terminate(error as Error);
    };
    try {
      const started = start();
      return started instanceof Promise ? started.then(() => undefined, fail) : undefined;
    } catch (error) {
      return fail(error);
    }
  }

  #startAll(slots: readonly Slot[], at = 0): undefined | Promise<undefined> {
    for (let i = at; i < slots.length; i++) {
      const slot = slots[i] as Slot;
      const started = this.#spawn(slot, slot.args);
      if (started instanceof Promise) return started.then(() => this.#startAll(slots, i + 1));
    }
    return undefined;
  }

  #spawn(slot: Slot, args: readonly unknown[]): PID | Promise<PID> {
    const name = this.#isSimple ? {} : { name: slot.spec.name };
    const options = { ...slot.spec.options, ...name, linkChild: true, linkParent: true, args };
    const started = this.spawn(slot.spec.actor, options as never) as PID | Promise<PID>;
    const add = (pid: PID): PID => {
      const child = { slot, pid, args };
      this.#children.push(child);
      this.#notify(child, undefined);
      return pid;
    };
    return started instanceof Promise ? started.then(add) : add(started);
  }

  /** Asks a child to end, and kills one that has no room for the question; one that has ended already is seen soon. */
  #ask(child: Child, reason: Reason): void {
    if (!this.isAlive(child.pid)) return;
    try {
      this.sendExit(child.pid, reason);
    } catch {
      this[KILL](child.pid);
    }
  }

  #notify({ slot, pid }: Child, reason: Reason | undefined): void {
    if (this.#spec.handleChildren) this[NOTIFY]({ name: slot.spec.name, pid, reason } satisfies Notice);
  }

  #running(slot: Slot): Child[] {
    return this.#children.filter((child) => child.slot === slot);
  }

  #slot(name: string): Slot {
    const slot = this.#slots.find(({ spec }) => spec.name === name);
    if (slot === undefined) throw actorError("actor.child_unknown", `no child is specified as ${name}`);
    return slot;
  }

  #free(): void {
    if (this.#plan !== undefined) throw actorError("actor.supervisor_strategy_active");
  }
}

function slotOf(spec: ChildSpec): Slot {
  return { spec, args: spec.args ?? [], isDisabled: false };
}
