import type { Clock, Timer } from "../../clock.ts";
import { handlerMember } from "../../member/handler.ts";
import type { Random } from "../../member/random.ts";
import type { Message } from "../../message/message.ts";
import { Router } from "../../router/router.ts";
import type { NodeTransport, TreeEvent } from "../../tree/means.ts";
import { createMemoryTreeStore, type TreeStore } from "../../tree/store.ts";
import { Tree } from "../../tree/tree.ts";
import { registerVerbs } from "../../tree/verbs.ts";
import type { SimulatedNetwork } from "./network.ts";

/** Times of a simulated tree: long beats, so that a seed takes few of them. */
export const SIMULATED_TIMES = { heartbeatMs: 1_000, leaseMs: 15_000, stepMs: 3_000, redialMs: 300, quarantineMs: 10_000 };

/** The type that every simulated node handles. */
export const WORK = "work";

/** A clock that dies with its process: its timers never fire again. */
class MortalClock implements Clock {
  readonly #clock: Clock;
  isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, () => {
      if (!this.isDead) callback();
    });
  }
}

export interface SimulatedNodeParts {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: SimulatedNetwork;
  /** Whether the process dies at this write, before or after it; asked at every one. */
  readonly dies: (node: SimulatedNode) => "before" | "after" | undefined;
  readonly onEvent: (node: SimulatedNode, event: TreeEvent) => void;
  /** A message reached the node's own work. */
  readonly onWork: (node: SimulatedNode, message: Message) => void;
}

/** A node that can be killed at any write and started again with what it had stored. */
export class SimulatedNode {
  readonly name: string;
  readonly id: string;
  readonly #parts: SimulatedNodeParts;
  readonly #disk: TreeStore = createMemoryTreeStore();
  #life: { readonly tree: Tree; readonly router: Router; readonly clock: MortalClock } | undefined;

  constructor(parts: SimulatedNodeParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.id = `id-${parts.name}`;
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  /** What lives; undefined while the process is dead. */
  get tree(): Tree | undefined {
    return this.#life?.tree;
  }

  get router(): Router | undefined {
    return this.#life?.router;
  }

  async start(): Promise<void> {
    const { clock: time, random, name, onEvent, onWork } = this.#parts;
    const clock = new MortalClock(time);
    const router = new Router({ source: `/nodes/${name}`, clock, defaultTimeoutMs: 8_000 });
    const work = { count: 0 };
    router.register({ type: WORK, member: handlerMember(WORK, (message) => this.#work(message, { clock, work, onWork })) });
    const tree = new Tree({
      means: {
        identity: { id: this.id, name, version: "1" },
        clock,
        random,
        router,
        store: this.#mortal(clock),
        transport: this.#mortalTransport(clock),
        times: SIMULATED_TIMES,
        newId: () => Math.floor(random() * 2 ** 52).toString(36),
        report: (event) => onEvent(this, event),
      },
      inFlight: () => work.count,
    });
    this.#life = { tree, router, clock };
    registerVerbs(tree);
    await tree.start({ address: name });
  }

  /** Kills the process: nothing of it happens any more. */
  kill(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.clock.isDead = true;
    this.#parts.network.crash(this.name);
  }

  /** Takes a moment and answers with the node's name. */
  async #work(
    message: Message,
    { clock, work, onWork }: { clock: Clock; work: { count: number }; onWork: SimulatedNodeParts["onWork"] },
  ): Promise<string> {
    onWork(this, message);
    work.count++;
    await new Promise<void>((resolve) => clock.setTimer(this.#parts.random() * 100, resolve));
    work.count--;
    return this.name;
  }

  /** The network, as a process has it: a dead one dials nobody, whatever of it still runs on. */
  #mortalTransport(clock: MortalClock): NodeTransport {
    const transport = this.#parts.network.of(this.name);
    const dial: NodeTransport["dial"] = (address, trust) => {
      if (clock.isDead) throw new Error("the process is dead");
      return transport.dial(address, trust);
    };
    return { ...transport, dial };
  }

  /** The disk, as a process has it that may die at any write. */
  #mortal(clock: MortalClock): TreeStore {
    const guarded = (write: () => void): void => {
      if (clock.isDead) throw new Error("the process is dead");
      const when = this.#parts.dies(this);
      if (when !== "before") write();
      if (when === undefined) return;
      this.kill();
      throw new Error("the process died at a write");
    };
    return {
      load: () => this.#disk.load(),
      put: (key, value) => guarded(() => this.#disk.put(key, value)),
      delete: (key) => guarded(() => this.#disk.delete(key)),
    };
  }
}
