import { codeOf } from "../../errors.ts";
import { greet } from "../../link/handshake.ts";
import { Session } from "../../link/session.ts";
import { type Random, seededRandom } from "../../member/random.ts";
import { createMessage } from "../../message/message.ts";
import { TARGET } from "../../router/router.ts";
import type { ForAllEvent } from "../../tree/for-all.ts";
import type { Tree } from "../../tree/tree.ts";
import { TREE } from "../../tree/verbs.ts";
import { settle, settleInside, VirtualClock } from "../virtual-clock.ts";
import { Invariants } from "./invariants.ts";
import { SimulatedNetwork } from "./network.ts";
import { SimulatedNode, WORK } from "./node.ts";

export interface SimulationOptions {
  /** The same seed gives the same run. */
  readonly seed: number;
  /** @default 5 */
  readonly nodes?: number;
  /** Things that are done to the tree. @default 16 */
  readonly steps?: number;
}

export interface Simulation {
  readonly seed: number;
  /** What was broken; empty if nothing was. */
  readonly violations: readonly string[];
  /** What was done and what happened, with virtual times: the same for the same seed. */
  readonly trace: readonly string[];
  /** Messages and for-alls that came to an end. */
  readonly ended: number;
}

/** The least time between two steps, and the most, in milliseconds. */
const QUICKEST_MS = 5;
const SLOWEST_MS = 4_000;
/** Now and then a pause is as long as it takes a lease to end and a standby to take over. */
const LONG_PAUSES = 0.08;
const LONG_PAUSE_MS = 20_000;
/** After the last step, until all leases are over and everybody has dialled again. */
const REST_MS = 50_000;
/** How often a write is a process's last, where crashes are allowed. */
const FATAL_WRITES = 0.02;
/** Errors that say that a message was lost on its way, which in a run without faults nothing may. */
const LOSSES: ReadonlySet<string> = new Set([
  "node.unreachable",
  "call.deadline",
  "call.cancelled",
  "core.internal",
  "node.closed",
  "tree.stale_epoch",
  "auth.denied",
]);

class Run {
  readonly clock = new VirtualClock(undefined, settleInside);
  readonly trace: string[] = [];
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly nodes: SimulatedNode[] = [];
  readonly invariants: Invariants;
  readonly #startMs = this.clock.now();
  /** One run in four has no faults, so that every loss is a mistake. */
  readonly #hasFaults: boolean;
  readonly #waiting = new Set<{ readonly what: string; isGone(): boolean }>();
  #ended = 0;

  constructor({ seed, nodes = 5 }: SimulationOptions) {
    this.random = seededRandom(seed);
    this.network = new SimulatedNetwork(this.clock, this.random);
    this.#hasFaults = seed % 4 !== 0;
    for (let n = 0; n < nodes; n++) {
      this.nodes.push(
        new SimulatedNode({
          name: String.fromCharCode(97 + n),
          clock: this.clock,
          random: this.random,
          network: this.network,
          dies: (node) => this.#dies(node),
          onEvent: (node, event) => {
            this.note(`${node.name} ${event.kind} ${event.path} ${event.epoch} ${event.text}`);
            this.invariants.event(node, event);
          },
          onWork: (node) => this.invariants.work(node),
        }),
      );
    }
    this.invariants = new Invariants(this.nodes);
  }

  get ended(): number {
    return this.#ended;
  }

  /** What never came to an end, although whoever waits for it lives. */
  get open(): string[] {
    return [...this.#waiting].filter((one) => !one.isGone()).map(({ what }) => what);
  }

  note(text: string): void {
    this.trace.push(`${Math.round(this.clock.now() - this.#startMs)} ${text}`);
  }

  async step(): Promise<void> {
    const [one, other] = [this.#any(), this.#any()];
    const faults = ["behead", "behead", "crash", "crash", "restart", "restart", "restart", "part", "join", "join"] as const;
    const deeds = [
      "adopt",
      "adopt",
      "adopt",
      "enlist",
      "enlist",
      "release",
      "move",
      "send",
      "send",
      "send",
      "all",
      "all",
      "maintain",
      "stand",
      "handOver",
      "stranger",
    ] as const;
    const choices = this.#hasFaults ? [...deeds, ...faults] : deeds;
    const choice = choices[Math.floor(this.random() * choices.length)] as (typeof choices)[number];
    this.note(`> ${choice} ${one.name} ${other.name}`);
    if (choice === "crash") one.kill();
    else if (choice === "behead") this.#behead(other);
    else if (choice === "restart") await this.#restart(one);
    else if (choice === "part") this.network.part(one.name, other.name);
    else if (choice === "join") this.network.join();
    else this.#do(choice, one, other);
  }

  /** A manager with three children, one of which stands by for it: to begin with. */
  async found(): Promise<void> {
    const [head, ...others] = this.nodes.slice(0, 4) as [SimulatedNode, ...SimulatedNode[]];
    for (const other of others) {
      if (this.random() < 0.5) this.#do("adopt", head, other);
      else this.#do("enlist", other, head);
      await this.passes(2_000);
    }
    this.#do("stand", head, head);
    await this.passes(2_000);
  }

  async passes(ms: number): Promise<void> {
    const parts = Math.max(1, Math.ceil(ms / 1_000));
    for (let part = 0; part < parts; part++) {
      await this.clock.advance(ms / parts);
      this.invariants.look();
    }
  }

  /** Everybody lives and hears everybody. */
  async heal(): Promise<void> {
    this.isHealed = true;
    this.network.join();
    for (const node of this.nodes) await this.#restart(node);
  }

  isHealed = false;

  /** A manager that has a standby is lost: its process dies, or it is parted from one node. */
  #behead(other: SimulatedNode): void {
    const head = this.nodes.find(({ tree }) => tree?.standby.info.isReady === true);
    if (head === undefined) return;
    if (this.random() < 0.5) head.kill();
    else this.network.part(head.name, other.name);
  }

  #do(choice: string, one: SimulatedNode, other: SimulatedNode): void {
    const { router, tree } = one;
    if (router === undefined || tree === undefined) return;
    const order = (type: string, data: object): void =>
      this.#count(choice, [one, tree], router.call({ type, data, id: this.#id() }));
    const child = tree.children.list()[0]?.record.name;
    if (choice === "adopt") void this.#withToken(other, "adopt", (token) => order(TREE.adopt, { token }));
    else if (choice === "enlist") void this.#withToken(other, "join", (token) => order(TREE.join, { token }));
    else if (choice === "release" && child !== undefined) order(TREE.release, { child, drainMs: 2_000 });
    else if (choice === "stand") order(TREE.standby, child === undefined ? { none: true } : { child });
    else if (choice === "handOver") {
      const head = this.nodes.find((node) => node.tree?.standby.info.isReady === true);
      if (head?.tree !== undefined && head.router !== undefined)
        this.#count(
          choice,
          [head, head.tree],
          head.router.call({ type: TREE.standby, data: { handOver: true }, id: this.#id() }),
        );
    } else if (choice === "move") order(TREE.move, { node: other.tree?.path ?? "/x/y", to: this.#any().tree?.path ?? "/x" });
    else if (choice === "maintain") order(TREE.maintenance, { on: tree.maintenance.node === undefined, reason: "a try" });
    else if (choice === "send")
      this.#count("send", [one, tree], router.call({ type: WORK, id: this.#id(), extensions: { [TARGET]: other.id } }));
    else if (choice === "all") this.#count("all", [one, tree], this.#forAll(one));
    else if (choice === "stranger") void this.#stranger(one);
  }

  async #forAll({ router }: SimulatedNode): Promise<void> {
    const events: ForAllEvent[] = [];
    const data = { type: WORK, policy: "best-effort", timeoutMs: 6_000 };
    for await (const event of router?.stream({ type: TREE.all, data, id: this.#id() }) ?? []) events.push(event as ForAllEvent);
    this.invariants.forAll(events);
  }

  /** Somebody who knows the address, and nothing else, tries to give orders. */
  async #stranger({ name, tree }: SimulatedNode): Promise<void> {
    const channel = this.network.of("stranger").dial(name);
    const hello = {
      versionMin: 1,
      versionMax: 1,
      name: "stranger",
      types: [],
      concurrency: 1,
      nodeId: "id-stranger",
      purpose: "join",
    };
    try {
      const { channel: next } = await greet(channel, hello, { clock: this.clock, timeoutMs: 3_000 });
      const session = new Session({
        channel: next,
        peer: name,
        lostCode: "node.unreachable",
        concurrency: 8,
        clock: this.clock,
        handler: () => undefined,
      });
      const message = createMessage({ type: WORK, id: this.#id() });
      await session.call(message, { deadlineMs: this.clock.now() + 3_000 });
      this.invariants.violated(`I8: ${name} worked for a stranger`);
    } catch (error) {
      if (codeOf(error) === undefined) this.invariants.violated(`I5: an error without a code: ${String(error)}`);
    } finally {
      channel.close();
      const waiting = tree?.children.get("id-stranger");
      if (waiting !== undefined && waiting.record.state !== "pending") this.invariants.violated(`I8: ${name} adopted a stranger`);
    }
  }

  /** Awaits an end, which must be exactly one, with a code if it is a failure. Who dies waits for nothing. */
  #count(what: string, [caller, life]: readonly [SimulatedNode, Tree], ending: Promise<unknown>): void {
    const waiting = { what, isGone: () => caller.tree !== life };
    this.#waiting.add(waiting);
    const end = (text: string): void => {
      this.#waiting.delete(waiting);
      this.#ended++;
      this.note(`< ${what} ${text}`);
    };
    ending.then(
      () => end("ok"),
      (error: unknown) => {
        const code = codeOf(error);
        end(code ?? String(error));
        if (waiting.isGone()) return;
        if (code === undefined) this.invariants.violated(`I5: ${what} ended with an error without a code: ${String(error)}`);
        const isWork = what === "send" || what === "all";
        if (isWork && !this.#hasFaults && LOSSES.has(code ?? "")) {
          this.invariants.violated(`I7: ${what} was lost without a fault: ${(error as Error).message}`);
        }
      },
    );
  }

  async #withToken(node: SimulatedNode, purpose: "join" | "adopt", use: (token: string) => void): Promise<void> {
    try {
      const made = await node.tree?.token({ purpose });
      if (made !== undefined) use(made.text);
    } catch {
      // The node died at the write: there is no token.
    }
  }

  async #restart(node: SimulatedNode): Promise<void> {
    if (node.isUp) return;
    try {
      await node.start();
    } catch {
      node.kill(); // it died at a write of its start
    }
  }

  #dies(node: SimulatedNode): "before" | "after" | undefined {
    if (!this.#hasFaults || this.isHealed || this.random() >= FATAL_WRITES) return undefined;
    const when = this.random() < 0.5 ? "before" : "after";
    this.note(`! ${node.name} dies ${when} a write`);
    return when;
  }

  #any(): SimulatedNode {
    return this.nodes[Math.floor(this.random() * this.nodes.length)] as SimulatedNode;
  }

  #id(): string {
    return Math.floor(this.random() * 2 ** 52).toString(36);
  }
}

/**
 * Runs a tree of nodes through adoptions, releases, moves, messages, crashes at any write, and partitions, in virtual time, and says
 * which of the invariants (see `invariants.ts`) were broken. Everything runs that runs in a node, except disks and sockets.
 */
export async function simulateTree(options: SimulationOptions): Promise<Simulation> {
  const run = new Run(options);
  for (const node of run.nodes) await node.start();
  if (options.seed % 3 === 0) await run.found();
  for (let step = 0; step < (options.steps ?? 16); step++) {
    await run.step();
    const pauseMs = run.random() < LONG_PAUSES ? LONG_PAUSE_MS : run.random() ** 3 * SLOWEST_MS;
    await run.passes(QUICKEST_MS + pauseMs);
  }
  await run.heal();
  await run.passes(REST_MS);
  run.invariants.atRest();
  for (const what of run.open) run.invariants.violated(`I5: ${what} never came to an end`);
  for (const node of run.nodes) node.kill();
  await settle();
  return { seed: options.seed, violations: run.invariants.violations, trace: run.trace, ended: run.ended };
}
