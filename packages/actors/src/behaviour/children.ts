import { type PID, type Reason, Terminate } from "../identity/index.ts";
import { isSame } from "../runtime/deliver.ts";
import type { ChildSpec, Intensity, RestartStrategy, SupervisorSpec } from "./supervisor-spec.ts";

/** One child, as data. */
export interface ChildInfo {
  readonly spec: string;
  /** The name that it is registered under; undefined with simple one-for-one. */
  readonly name: string | undefined;
  /** Undefined = not running. */
  readonly pid: PID | undefined;
  readonly significant: boolean;
  readonly isDisabled: boolean;
  /** How often it was restarted. */
  readonly restarts: number;
}

/** What was decided when a child had ended. */
export interface RestartDecision {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly child: string;
  readonly pid: PID;
  readonly reason: Reason;
  /** `restart` starts it again, alone or with siblings; `leave` does not; `disable` and `exceed` are what its limits led to. */
  readonly decision: "restart" | "leave" | "disable" | "exceed";
}

/** A supervisor, as data. */
export interface SupervisorInfo {
  readonly type: Required<SupervisorSpec>["type"];
  readonly strategy: RestartStrategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly keepOrder: boolean;
  readonly autoShutdown: boolean;
  /** Whether children are being stopped or restarted. */
  readonly isStrategyActive: boolean;
  readonly running: number;
  readonly disabled: number;
  /** Of all children, since the start of the supervisor. */
  readonly restarts: number;
  /** By specification, in its order. */
  readonly restartsBySpec: Readonly<Record<string, number>>;
  readonly children: readonly ChildInfo[];
  /** The last 50, oldest first. */
  readonly decisions: readonly RestartDecision[];
}

/** One child specification at work. */
export interface Slot {
  readonly spec: ChildSpec;
  readonly index: number;
  args: readonly unknown[];
  isDisabled: boolean;
  /** Enabled while the child was still being stopped: it is started again when it has ended. */
  isRevived: boolean;
  /** Starts that wait for an `init`. */
  starting: number;
  restarts: number;
  /** Of the specification; with simple one-for-one each child has its own. */
  limit: Intensity | undefined;
  /** Those that run, oldest first. */
  readonly running: Set<Child>;
}

/** One running child. */
export interface Child {
  readonly slot: Slot;
  readonly pid: PID;
  /** Of the last start. */
  readonly args: readonly unknown[];
  readonly limit: Intensity | undefined;
  readonly restarts: number;
  /** Whether it was asked to end. */
  isAsked: boolean;
}

/** The children of a supervisor. */
export class ChildList {
  readonly slots: Slot[] = [];
  readonly #byName = new Map<string, Slot>();
  readonly #byId = new Map<number, Child>();

  /** How many run. */
  get size(): number {
    return this.#byId.size;
  }

  slot(name: string): Slot | undefined {
    return this.#byName.get(name);
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#byName.keys());
  }

  addSlot(spec: ChildSpec, limit: Intensity | undefined): Slot {
    const args = spec.args ?? [];
    const index = this.slots.length;
    const state = { isDisabled: false, isRevived: false, starting: 0, restarts: 0 };
    const slot: Slot = { spec, index, args, ...state, limit, running: new Set() };
    this.slots.push(slot);
    this.#byName.set(spec.name, slot);
    return slot;
  }

  /** Takes a specification back; one that others came after stays, as their places are counted. */
  dropSlot(slot: Slot): void {
    if (this.slots.at(-1) !== slot) return;
    this.slots.pop();
    this.#byName.delete(slot.spec.name);
  }

  add(child: Child): void {
    this.#byId.set(child.pid.id, child);
    child.slot.running.add(child);
  }

  /** The child behind a PID, which leaves the list. */
  take(pid: PID): Child | undefined {
    const child = this.#byId.get(pid.id);
    if (child === undefined || !isSame(child.pid, pid)) return undefined;
    this.#byId.delete(pid.id);
    child.slot.running.delete(child);
    return child;
  }
}

/**
 * A strategy at work: the children of the specifications from `from` on are being stopped; then these start again, or the
 * supervisor ends.
 */
export class Plan {
  readonly isEnd: boolean;
  readonly reason: Reason;
  /** Whether the children are stopped, and those that start again are starting. */
  isStarting = false;
  from: number;
  /** Children that have not ended. */
  left = 0;
  readonly #list: ChildList;
  /** In the order in which they are to be asked. */
  readonly #order: Child[] = [];
  #asked = 0;

  constructor(list: ChildList, reason: Reason, from: number, isEnd: boolean) {
    this.#list = list;
    this.reason = reason;
    this.isEnd = isEnd;
    this.from = list.slots.length;
    this.widen(from);
  }

  /** Takes in the children of the specifications from `from` on; they are asked after the others. */
  widen(from: number): void {
    for (let i = this.from - 1; i >= from; i--) {
      for (const child of [...(this.#list.slots[i]?.running ?? [])].reverse()) this.include(child);
    }
    this.from = Math.min(this.from, from);
  }

  /** Takes in one more child. */
  include(child: Child): void {
    this.#order.push(child);
    this.left++;
  }

  /** Notes the end of a child, which is no longer in the list. */
  saw({ slot }: Child): void {
    if (slot.index >= this.from) this.left--;
    else this.widen(slot.index);
  }

  /** Gives those to be asked now: all, or with `oneByOne` the next one, if the last has ended. */
  toAsk(oneByOne: boolean): Child[] {
    if (!oneByOne) {
      const rest = this.#order.slice(this.#asked);
      this.#asked = this.#order.length;
      return rest;
    }
    for (; this.#asked < this.#order.length; this.#asked++) {
      const child = this.#order[this.#asked] as Child;
      if (child.slot.running.has(child)) return [child];
    }
    return [];
  }
}

/** Runs a start; one that fails ends the supervisor with its error. */
export function orEnd(start: () => unknown): undefined | Promise<undefined> {
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
