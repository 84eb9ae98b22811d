import type { ForAllEvent } from "../../tree/for-all.ts";
import type { TreeEvent } from "../../tree/means.ts";
import type { SimulatedNode } from "./node.ts";

/*
 * What holds in every tree at every moment:
 *
 * I1. A node has at most one owner per epoch.
 * I2. Its epoch only grows.
 * I3. The nodes are a forest.
 * I4. Nothing is handed to a node that drains or has drained.
 * I5. Every message that was accepted comes to exactly one end, an answer or an error with a code.
 * I6. The nodes that a for-all names as targets are the nodes that its result has ends for, each once.
 * I7. A release loses no message that was accepted.
 * I8. A node takes no work and no orders from a node that it does not manage and that does not manage it.
 * I9. At rest no manager that was replaced has children left that it is to hand on, save those that cannot be reached.
 */

export class Invariants {
  readonly violations: string[] = [];
  readonly #owners = new Map<string, Map<number, string>>();
  readonly #epochs = new Map<string, number>();
  readonly #nodes: readonly SimulatedNode[];

  constructor(nodes: readonly SimulatedNode[]) {
    this.#nodes = nodes;
  }

  violated(text: string): void {
    this.violations.push(text);
  }

  /** A node has told of a change. */
  event(node: SimulatedNode, { kind }: TreeEvent): void {
    if (kind === "owned") this.#owned(node);
  }

  /** A message has reached a node's own work. */
  work(node: SimulatedNode): void {
    if (node.tree?.maintenance.node !== undefined) this.violated(`I4: ${node.name} was given work while in maintenance`);
  }

  /** Looks at the tree as it is now. */
  look(): void {
    const owners = new Map<string, string>();
    for (const node of this.#nodes) {
      const upward = node.tree?.upward;
      if (upward === undefined) continue;
      const { owner, epoch } = upward.ownership;
      const last = this.#epochs.get(node.id) ?? 0;
      if (epoch < last) this.violated(`I2: ${node.name} went from epoch ${last} back to ${epoch}`);
      this.#epochs.set(node.id, epoch);
      if (owner !== undefined && (upward.state === "owned" || upward.state === "orphaned")) owners.set(node.id, owner.id);
    }
    for (const start of owners.keys()) this.#climb(start, owners);
  }

  /** A for-all has ended. */
  forAll(events: readonly ForAllEvent[]): void {
    const done = events.at(-1);
    if (done?.kind !== "done") {
      this.violated("I6: a for-all ended without a result");
      return;
    }
    const ends = done.outcomes.map(({ id }) => id);
    if (new Set(ends).size !== ends.length) this.violated("I6: a for-all has two ends for one target");
    for (const event of events) {
      if (event.kind === "target" && !ends.includes(event.id)) this.violated(`I6: target ${event.path} has no end`);
    }
  }

  /** After everything is joined and has come to rest: managers and children agree. */
  atRest(): void {
    const trees = new Map(this.#nodes.flatMap((node) => (node.tree === undefined ? [] : [[node.id, node.tree] as const])));
    for (const [id, tree] of trees) {
      const fenced = tree.standby.info;
      const awaitsOne = tree.children.list().some(({ record, link }) => record.epoch > 0 && link === undefined);
      if (fenced.isFenced && !awaitsOne) this.violated(`I9: ${id} was replaced by ${fenced.name} and has not ended to hand on`);
      const { owner } = tree.upward.ownership;
      if (owner !== undefined && tree.upward.state === "owned") {
        const record = trees.get(owner.id)?.children.get(id)?.record;
        if (record === undefined) this.violated(`half managed: ${id} has owner ${owner.id}, which does not know it`);
        else if (record.epoch !== owner.epoch)
          this.violated(`half managed: ${id} is in epoch ${owner.epoch}, its manager in ${record.epoch}`);
      }
      for (const { record } of tree.children.list()) {
        const theirs = trees.get(record.id)?.upward.ownership.owner;
        if (record.state === "managed" && theirs?.id !== id)
          this.violated(`half managed: ${id} has child ${record.id}, which has owner ${theirs?.id}`);
      }
    }
  }

  #owned(node: SimulatedNode): void {
    const ownership = node.tree?.upward.ownership;
    if (ownership?.owner === undefined) return;
    const { epoch, owner } = ownership;
    const known = this.#owners.get(node.id) ?? new Map<number, string>();
    this.#owners.set(node.id, known);
    const other = known.get(epoch);
    if (other !== undefined && other !== owner.id)
      this.violated(`I1: ${node.name} has owners ${other} and ${owner.id} in epoch ${epoch}`);
    const last = Math.max(0, ...known.keys());
    if (epoch < last) this.violated(`I2: ${node.name} was adopted in epoch ${epoch} after ${last}`);
    known.set(epoch, owner.id);
  }

  #climb(start: string, owners: ReadonlyMap<string, string>): void {
    const seen = new Set<string>([start]);
    for (let at = owners.get(start); at !== undefined; at = owners.get(at)) {
      if (seen.has(at)) {
        this.violated(`I3: ${[...seen, at].join(" -> ")} is a circle`);
        return;
      }
      seen.add(at);
    }
  }
}
