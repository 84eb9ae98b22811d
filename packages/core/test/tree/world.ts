/** A world of simulated nodes for tests that say what happens, step by step. Not a test. */
import { seededRandom } from "../../src/member/random.ts";
import { Invariants } from "../../src/testing/tree/invariants.ts";
import { SimulatedNetwork } from "../../src/testing/tree/network.ts";
import { SimulatedNode, WORK } from "../../src/testing/tree/node.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { TREE } from "../../src/tree/index.ts";

/** A death at the n-th write of a node from now on, before or after it. */
export interface Fault {
  readonly node: string;
  readonly write: number;
  readonly when: "before" | "after";
}

export class World {
  readonly clock = new VirtualClock();
  readonly random = seededRandom(7);
  readonly network = new SimulatedNetwork(this.clock, this.random);
  readonly nodes: SimulatedNode[] = [];
  readonly invariants = new Invariants(this.nodes);
  /** Writes of each node since the fault was set. */
  readonly writes = new Map<string, number>();
  #fault: Fault | undefined;

  static async of(...names: string[]): Promise<World> {
    const world = new World();
    for (const name of names) {
      const node = new SimulatedNode({
        name,
        clock: world.clock,
        random: world.random,
        network: world.network,
        dies: (one) => world.#dies(one.name),
        onEvent: (one, event) => world.invariants.event(one, event),
        onWork: (one) => world.invariants.work(one),
      });
      world.nodes.push(node);
      await node.start();
    }
    return world;
  }

  node(name: string): SimulatedNode {
    return this.nodes.find((one) => one.name === name) as SimulatedNode;
  }

  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.writes.clear();
  }

  /** Does something while time passes, whatever comes of it. */
  async during(work: Promise<unknown>, ms = 5_000): Promise<unknown> {
    const ending = work.catch((error: unknown) => error);
    for (let passed = 0; passed < ms; passed += 250) {
      await this.clock.advance(250);
      this.invariants.look();
    }
    return ending;
  }

  async order(name: string, type: string, data: object): Promise<unknown> {
    return this.node(name).router?.call({ type, data, id: String(this.random()) });
  }

  async adopt(manager: string, child: string, options: object = {}): Promise<unknown> {
    const token = (await this.node(child).tree?.token({ purpose: "adopt" }))?.text;
    return this.order(manager, TREE.adopt, { token, ...options });
  }

  /** The same, with the child as the one that dials, then and later. */
  async enlist(child: string, manager: string): Promise<unknown> {
    const token = (await this.node(manager).tree?.token({ purpose: "join" }))?.text;
    return this.order(child, TREE.join, { token });
  }

  /** A message for all below a node and itself; gives how it ended. */
  async all(name: string): Promise<unknown> {
    const data = { type: WORK, policy: "best-effort", timeoutMs: 4_000 };
    let last: unknown;
    for await (const event of this.node(name).router?.stream({ type: TREE.all, data, id: String(this.random()) }) ?? [])
      last = event;
    return last;
  }

  /** Whoever is dead lives again, and time passes until all is at rest. */
  async recover(): Promise<void> {
    this.fault = undefined;
    for (const node of this.nodes) if (!node.isUp) await node.start();
    await this.during(Promise.resolve(), 50_000);
    this.invariants.atRest();
  }

  #dies(name: string): "before" | "after" | undefined {
    const count = (this.writes.get(name) ?? 0) + 1;
    this.writes.set(name, count);
    const fault = this.#fault;
    return fault?.node === name && fault.write === count ? fault.when : undefined;
  }
}
