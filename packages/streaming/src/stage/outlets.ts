import type { Batch } from "../record/batch.ts";
import type { Outlet, Stage } from "./stage.ts";

/** Sees what passes an edge. Never slows it: what it cannot take it must drop itself. */
export type Tap = (batch: Batch) => void;

/** Those who wait for room somewhere in a graph. Whoever gets room wakes them all; who still finds none waits again. */
export class RoomWaiters {
  #waiting: (() => void)[] = [];

  add(callback: () => void): void {
    this.#waiting.push(callback);
  }

  wake(): void {
    if (this.#waiting.length === 0) return;
    const woken = this.#waiting;
    this.#waiting = [];
    for (const callback of woken) callback();
  }
}

/**
 * Stages in a row call each other. Beyond so many calls within each other a batch is put aside until the stack is free, so that
 * a row may be as long as it likes.
 */
const MAX_DEPTH = 256;
let depth = 0;

/** One edge of a running graph: it counts, and it can be looked at. */
export class RunningEdge {
  readonly from: string;
  readonly to: string;
  records = 0;
  bytes = 0;
  /** How often the next stage was found without room: pressure, to be compared from look to look. */
  refusals = 0;
  readonly #target: () => Stage;
  readonly #taps = new Set<Tap>();
  /** Put aside, in order. */
  readonly #aside: Batch[] = [];

  /** `target` is asked each time: a stage may be swapped while the graph runs. */
  constructor({ from, to, target }: { from: string; to: string; target: () => Stage }) {
    this.from = from;
    this.to = to;
    this.#target = target;
  }

  push(batch: Batch): void {
    this.records += batch.count;
    this.bytes += batch.bytes;
    if (this.#taps.size > 0) for (const tap of this.#taps) tap(batch);
    if (depth < MAX_DEPTH && this.#aside.length === 0) this.#give(batch);
    else if (this.#aside.push(batch) === 1) setImmediate(() => this.#giveAside());
  }

  hasRoom(): boolean {
    if (depth >= MAX_DEPTH) return true; // who is further away is held back by the credit of the sources
    depth++;
    const hasRoom = this.#target().hasRoom();
    depth--;
    if (!hasRoom) this.refusals++;
    return hasRoom;
  }

  #give(batch: Batch): void {
    depth++;
    try {
      this.#target().take(batch, this.from);
    } finally {
      depth--;
    }
  }

  #giveAside(): void {
    for (let first = this.#aside[0]; first !== undefined; first = this.#aside[0]) {
      this.#give(first); // what comes meanwhile is put behind
      this.#aside.shift();
    }
  }

  get isTapped(): boolean {
    return this.#taps.size > 0;
  }

  /** Lets somebody look. Returns how to stop. */
  tap(tap: Tap): () => void {
    this.#taps.add(tap);
    return () => this.#taps.delete(tap);
  }
}

/** All edges that leave one node. Each next stage gets every record. */
export class EdgeOutlet implements Outlet {
  readonly #edges: readonly RunningEdge[];
  readonly #waiters: RoomWaiters;
  /** Records given, counted once however many edges they take. */
  records = 0;

  constructor(edges: readonly RunningEdge[], waiters: RoomWaiters) {
    this.#edges = edges;
    this.#waiters = waiters;
  }

  push(batch: Batch): void {
    this.records += batch.count;
    const edges = this.#edges;
    const last = edges.length - 1;
    if (last < 0 || batch.count === 0) {
      batch.receipt.release();
      return;
    }
    for (let index = 0; index < last; index++) batch.receipt.hold(); // all of them first: an edge may be done at once
    for (const edge of edges) edge.push(batch);
  }

  hasRoom(): boolean {
    for (const edge of this.#edges) if (!edge.hasRoom()) return false;
    return true;
  }

  whenRoom(callback: () => void): void {
    this.#waiters.add(callback);
  }
}
