import type { ChildRestart, SupervisorSpec } from "../src/index.ts";

/**
 * What supervisors are to do, told a second time and as plainly as possible: no mail, no processes, one thing after the
 * other. Tests compare it with the real ones.
 */

export interface ModelChild {
  readonly significant: boolean;
  readonly restart?: ChildRestart;
  /** A supervisor in its turn; otherwise a leaf. */
  readonly below?: ModelSpec;
}

export type ModelSpec = Required<
  Pick<SupervisorSpec, "type" | "strategy" | "intensity" | "periodMs" | "autoShutdown" | "keepOrder">
> & {
  readonly children: readonly ModelChild[];
};

export type ModelReason = "normal" | "shutdown" | "kill" | "boom" | "panic" | "exceeded";

/** What all supervisors of one tree share. */
export interface ModelWorld {
  nowMs: number;
  /** How often each named child was started, by its path. */
  readonly starts: Map<string, number>;
}

/** One instance below simple one-for-one. */
export interface ModelInstance {
  restarts: number;
  readonly times: number[];
}

interface ModelSlot {
  readonly child: ModelChild;
  readonly path: string;
  isUp: boolean;
  isDisabled: boolean;
  times: number[];
  below: ModelSupervisor | undefined;
  readonly instances: ModelInstance[];
}

/** Counts one more; whether that is over the limit. */
function isOver(times: number[], nowMs: number, limit: number, periodMs: number): boolean {
  times.push(nowMs);
  return times.filter((time) => nowMs - time <= periodMs).length > limit;
}

export class ModelSupervisor {
  readonly spec: ModelSpec;
  readonly slots: ModelSlot[];
  readonly #world: ModelWorld;
  /** Tells the supervisor above, or the test, of the end of this one. */
  readonly #ended: (reason: ModelReason) => void;
  readonly #times: number[] = [];
  isUp = true;

  constructor(spec: ModelSpec, path: string, world: ModelWorld, ended: (reason: ModelReason) => void) {
    this.spec = spec;
    this.#world = world;
    this.#ended = ended;
    this.slots = spec.children.map((child, index) => ({
      ...{ child, path: path === "" ? `${index}` : `${path}.${index}`, isUp: false, isDisabled: false, times: [] },
      below: undefined,
      instances: [],
    }));
    if (spec.type !== "simple_one_for_one") for (const slot of this.slots) this.start(slot);
  }

  start(slot: ModelSlot): void {
    slot.isUp = true;
    this.#world.starts.set(slot.path, (this.#world.starts.get(slot.path) ?? 0) + 1);
    const { below } = slot.child;
    if (below === undefined) return;
    const made: ModelSupervisor = new ModelSupervisor(below, slot.path, this.#world, (reason) => {
      if (slot.below === made) this.childEnds(slot, reason);
    });
    slot.below = made;
  }

  /** Everything below is gone. */
  vanish(): void {
    this.isUp = false;
    for (const slot of this.slots) this.#drop(slot);
  }

  /** This supervisor ends, and whoever is above sees it. */
  end(reason: ModelReason): void {
    this.vanish();
    this.#ended(reason);
  }

  childEnds(slot: ModelSlot, reason: ModelReason): void {
    this.#drop(slot);
    const { type, strategy, intensity, periodMs } = this.spec;
    const { restart } = slot.child;
    const used = restart?.strategy ?? strategy;
    if (slot.isDisabled || !mustRestart(used, reason)) {
      if (used === "permanent") return;
      if (slot.child.significant && !slot.isDisabled) this.end(reason);
      else this.#endIfIdle(reason);
      return;
    }
    if (restart?.intensity !== undefined) {
      if (isOver(slot.times, this.#world.nowMs, restart.intensity, restart.periodMs ?? periodMs)) {
        if (restart.onExceed !== "disable") this.end("exceeded");
        else {
          slot.isDisabled = true;
          this.#endIfIdle(reason);
        }
        return;
      }
    }
    if (isOver(this.#times, this.#world.nowMs, intensity, periodMs)) {
      this.end("exceeded");
      return;
    }
    const at = this.slots.indexOf(slot);
    const from = type === "all_for_one" ? 0 : at;
    const to = type === "one_for_one" ? at + 1 : this.slots.length;
    const affected = this.slots.slice(from, to);
    for (const each of affected) this.#drop(each);
    for (const each of affected) if (!each.isDisabled) this.start(each);
  }

  /** An instance below simple one-for-one ends. */
  instanceEnds(slot: ModelSlot, instance: ModelInstance, reason: ModelReason): void {
    const { strategy, intensity, periodMs } = this.spec;
    const { restart } = slot.child;
    const leave = (): void => void slot.instances.splice(slot.instances.indexOf(instance), 1);
    if (slot.isDisabled || !mustRestart(restart?.strategy ?? strategy, reason)) {
      leave();
      return;
    }
    const own = restart?.intensity;
    if (own !== undefined && isOver(instance.times, this.#world.nowMs, own, restart?.periodMs ?? periodMs)) {
      if (restart?.onExceed === "disable") leave();
      else this.end("exceeded");
      return;
    }
    if (isOver(this.#times, this.#world.nowMs, intensity, periodMs)) {
      this.end("exceeded");
      return;
    }
    leave();
    slot.instances.push({ restarts: instance.restarts + 1, times: instance.times });
  }

  #endIfIdle(reason: ModelReason): void {
    if (this.spec.autoShutdown && this.slots.every(({ isUp }) => !isUp)) this.end(reason);
  }

  #drop(slot: ModelSlot): void {
    slot.isUp = false;
    slot.below?.vanish();
    slot.below = undefined;
    if (!this.isUp) slot.instances.length = 0;
  }
}

function mustRestart(strategy: ModelSpec["strategy"], reason: ModelReason): boolean {
  if (strategy === "temporary") return false;
  return strategy === "permanent" || (reason !== "normal" && reason !== "shutdown");
}
