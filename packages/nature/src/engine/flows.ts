import type { Clock, Timer } from "@metanode/core/clock";
import { type Instance, keyOf, type Locator } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";
import type { Outcome } from "../store/store.ts";

/**
 * Those who wait for what comes of an instance.
 *
 *  W1. What this engine stores is seen as soon as it is on the disk; what others store, and what was there before, is found by looking
 *      at the database, at the beginning and then ever less often.
 *  W2. A flow has ended when none of its instances has an open task; that is said only after a look at the database.
 *  W3. Every wait ends by its time limit.
 */

/** What is waited for. */
export interface WaitOptions {
  /** The first instance of this meta; absent = the end of all work that follows. */
  readonly meta?: MetaString;
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** What a wait came to. */
export interface FlowResult {
  /** `stored` the instance that was waited for is there; `ended` there is no work left; `timeout` neither was so in time. */
  readonly status: "stored" | "ended" | "timeout";
  /** What was waited for. */
  readonly instance: Instance | undefined;
  /** Tasks of the flow that were given up, as far as they were seen. */
  readonly failed: number;
}

/** How waits look at the database. */
export interface FlowGround {
  readonly clock: Clock;
  readonly outcome: (key: Locator) => Promise<Outcome>;
}

const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 2_000;
/** Instances of one flow that are followed. Whoever waits for more gets no answer before the time limit. */
const MAX_FOLLOWED = 10_000;

/** One wait. */
export class Wait {
  readonly root: Locator;
  readonly result: Promise<FlowResult>;
  /** Keys of the flow as far as they are known. */
  readonly keys = new Set<string>();
  readonly #meta: MetaString | undefined;
  readonly #ground: FlowGround;
  readonly #flows: Flows;
  readonly #resolve: (result: FlowResult) => void;
  readonly #limit: Timer;
  #nextLook: Timer | undefined;
  #lookMs = FIRST_LOOK_MS;
  #isLooking = false;
  #looksAgain = false;
  #failed = 0;
  #isOver = false;

  constructor(flows: Flows, ground: FlowGround, root: Locator, options: WaitOptions) {
    this.#flows = flows;
    this.#ground = ground;
    this.root = root;
    this.#meta = options.meta;
    const { promise, resolve } = Promise.withResolvers<FlowResult>();
    this.result = promise;
    this.#resolve = resolve;
    const giveUp = (): void => this.#end({ status: "timeout", instance: undefined, failed: this.#failed });
    this.#limit = ground.clock.setTimer(options.timeoutMs, giveUp);
    options.signal?.addEventListener("abort", giveUp, { once: true });
    this.follow(keyOf(root));
    this.#lookLater();
    if (options.signal?.aborted === true) giveUp();
  }

  /** Ends it without a result: nothing will come. */
  cancel(): void {
    this.#end({ status: "timeout", instance: undefined, failed: this.#failed });
  }

  follow(key: string): void {
    if (this.#isOver || this.keys.has(key) || this.keys.size >= MAX_FOLLOWED) return;
    this.keys.add(key);
    this.#flows.watch(key, this);
  }

  /** An instance of the flow is on the disk. */
  stored(instance: Instance): void {
    if (instance.meta === this.#meta) this.#end({ status: "stored", instance, failed: this.#failed });
    else this.follow(keyOf(instance));
  }

  /** Nothing that this engine has in memory is left of what came of one instance: time to look whether that was all. */
  rested(): void {
    void this.look();
  }

  /** Looks at the whole flow in the database, level by level. */
  async look(): Promise<void> {
    if (this.#isLooking) {
      this.#looksAgain = true;
      return;
    }
    this.#isLooking = true;
    do {
      this.#looksAgain = false;
      await this.#walk().catch(() => undefined);
    } while (this.#looksAgain && !this.#isOver);
    this.#isLooking = false;
  }

  async #walk(): Promise<void> {
    let open = 0;
    let failed = 0;
    const seen = new Set<string>([keyOf(this.root)]);
    for (let level: readonly Locator[] = [this.root]; level.length > 0 && !this.#isOver; ) {
      const outcomes = await Promise.all(level.map((key) => this.#ground.outcome(key)));
      const next: Locator[] = [];
      for (const outcome of outcomes) {
        open += outcome.open;
        failed += outcome.failed;
        for (const instance of outcome.instances) {
          this.stored(instance);
          const key = keyOf(instance);
          if (seen.has(key) || seen.size >= MAX_FOLLOWED) continue;
          seen.add(key);
          next.push(instance);
        }
      }
      level = next;
    }
    this.#failed = failed;
    if (open === 0 && seen.size < MAX_FOLLOWED) this.#end({ status: "ended", instance: undefined, failed });
  }

  #lookLater(): void {
    if (this.#isOver) return;
    this.#nextLook = this.#ground.clock.setTimer(this.#lookMs, () => {
      void this.look().then(() => this.#lookLater());
    });
    this.#lookMs = Math.min(this.#lookMs * 2, LONGEST_LOOK_MS);
  }

  #end(result: FlowResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limit.cancel();
    this.#nextLook?.cancel();
    for (const key of this.keys) this.#flows.unwatch(key, this);
    this.#resolve(result);
  }
}

/** All waits of an engine. */
export class Flows {
  readonly #ground: FlowGround;
  /** By key of an instance that is part of a flow. */
  readonly #waits = new Map<string, Set<Wait>>();

  constructor(ground: FlowGround) {
    this.#ground = ground;
  }

  /** Whether nobody waits, so that nothing has to be told. */
  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  open(root: Locator, options: WaitOptions): Wait {
    return new Wait(this, this.#ground, root, options);
  }

  /** Instances are on the disk. */
  stored(instances: readonly Instance[]): void {
    for (const instance of instances) {
      if (instance.from === undefined) continue;
      for (const wait of this.#waits.get(keyOf(instance.from)) ?? []) wait.stored(instance);
    }
  }

  /** A task on an instance has ended, well or not, and nothing that this engine goes on with came of it. */
  rested(upstream: Locator): void {
    for (const wait of this.#waits.get(keyOf(upstream)) ?? []) wait.rested();
  }

  /** Ends all waits. */
  close(): void {
    for (const waits of [...this.#waits.values()]) for (const wait of [...waits]) wait.cancel();
  }

  watch(key: string, wait: Wait): void {
    const waits = this.#waits.get(key);
    if (waits === undefined) this.#waits.set(key, new Set([wait]));
    else waits.add(wait);
  }

  unwatch(key: string, wait: Wait): void {
    const waits = this.#waits.get(key);
    waits?.delete(wait);
    if (waits?.size === 0) this.#waits.delete(key);
  }
}
