import { codeOf } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import type { NodeCard } from "./card.ts";
import type { Child } from "./child.ts";
import { folding } from "./fold.ts";
import { FrameQueue, type VisitFrame, type VisitStatus } from "./frames.ts";
import { STEP } from "./node-link.ts";
import { childPath, isBelow, type NodePath } from "./path.ts";
import { parseSelector, type Selector } from "./selector.ts";

/*
 * A visit: a message for every node of a subtree that a selector means. It is the selection `all` over this node and its
 * children, level by level.
 *
 * V1. A node says whom it is about to ask before it asks anybody: itself or why not, and its children by name.
 * V2. Every node that was named so comes to exactly one end: its result, or that it was lost.
 * V3. Nobody waits for a time that is not the caller's: a level is done when all that it has named have ended.
 */

/** What is asked. Passed on from level to level as it is, save `depth`. */
export interface VisitAsk {
  readonly operation: string;
  /** The caller has named the operation: a node that has done it does it not again, and gives what it gave. */
  readonly isOnce: boolean;
  readonly type: string;
  readonly version?: string | undefined;
  readonly data?: unknown;
  readonly where: string;
  /** Levels below this node that are asked; 0 asks this node alone. */
  readonly depth: number;
  /** Nodes in maintenance are asked as well. */
  readonly includeMaintenance: boolean;
  /** Name who would be asked, and ask nobody. */
  readonly dryRun: boolean;
  /** Leave the node at the top of the visit out. */
  readonly skipSelf: boolean;
  /** The paths of the nodes that are meant, and nobody else. */
  readonly only?: readonly NodePath[] | undefined;
  /** Name of the reduction that each level makes; absent where every result travels to the top. */
  readonly reduce?: string | undefined;
  /** Where the node stands, as its manager says; the top of the visit knows it itself. */
  readonly path?: NodePath | undefined;
  readonly caller?: string | undefined;
  readonly traceparent?: string | undefined;
}

export interface VisitorParts {
  readonly card: () => NodeCard;
  /** The children that are managed, in order. */
  readonly children: () => readonly Child[];
  /** Handles a message on this node. */
  readonly handle: (ask: VisitAsk, context: CallContext) => Promise<unknown>;
  readonly now: () => number;
}

/** The share of the time left that each level keeps for the way back, at most {@link MAX_WAY_BACK_MS}. */
const WAY_BACK = 0.02;
const MAX_WAY_BACK_MS = 50;
/** Results remembered, so that an operation that comes again does nothing again (M-38). */
const REMEMBERED = 1_000;

export class Visitor {
  readonly #parts: VisitorParts;
  readonly #done = new Map<string, Promise<unknown>>();

  constructor(parts: VisitorParts) {
    this.#parts = parts;
  }

  /** Visits this node and what is below it. What comes is in {@link VisitFrame}s, several at a time. */
  visit(ask: VisitAsk, context: CallContext): AsyncIterable<VisitFrame[]> {
    const queue = new FrameQueue();
    const sink = ask.reduce === undefined ? undefined : folding(ask.reduce);
    const emit = (frames: readonly VisitFrame[]): void => {
      if (sink === undefined) queue.push(frames);
      else for (const frame of frames) sink.add(frame);
    };
    const leave = new AbortController();
    const signal = context.signal === undefined ? leave.signal : AbortSignal.any([context.signal, leave.signal]);
    void this.#level(ask, { ...context, signal }, emit).then(() => {
      if (sink !== undefined) queue.push([{ kind: "folded", folded: sink.end() }]);
      queue.end();
    });
    return queue.read(() => leave.abort());
  }

  async #level(ask: VisitAsk, context: CallContext, emit: (frames: readonly VisitFrame[]) => void): Promise<void> {
    const own = this.#parts.card();
    // The manager knows better where this node stands: in a tree that changes, its word may not have come yet.
    const card = ask.path === undefined ? own : { ...own, path: ask.path };
    const selector = parseSelector(ask.where);
    const skipped = ask.skipSelf ? "not_asked" : skipReason(ask, selector, card);
    const { id, path } = card;
    const children =
      ask.depth > 0 ? this.#parts.children().filter((child) => leadsTo(ask, childPath(path, child.record.name))) : [];
    const named = children.map(({ record }) => ({ id: record.id, name: record.name }));
    emit([{ kind: "accept", id, path, ...(skipped ? { skipped } : {}), children: named }]);
    const works = children.map((child) => this.#below(child, { ask, context, path }, emit));
    if (skipped === undefined && !ask.dryRun) works.push(this.#self(card, { ask, context }, emit));
    await Promise.all(works);
  }

  async #self(
    { id, path }: NodeCard,
    { ask, context }: { ask: VisitAsk; context: CallContext },
    emit: (frames: readonly VisitFrame[]) => void,
  ): Promise<void> {
    const startMs = this.#parts.now();
    try {
      const value = await this.#once(ask, context);
      emit([{ kind: "result", id, path, status: "ok", value, ms: this.#parts.now() - startMs }]);
    } catch (error) {
      emit([{ kind: "result", id, path, ...failureOf(error), ms: this.#parts.now() - startMs }]);
    }
  }

  #once(ask: VisitAsk, context: CallContext): Promise<unknown> {
    if (!ask.isOnce) return this.#parts.handle(ask, context);
    const known = this.#done.get(ask.operation);
    if (known !== undefined) return known;
    const running = this.#parts.handle(ask, context);
    running.catch(() => undefined);
    this.#done.set(ask.operation, running);
    if (this.#done.size > REMEMBERED) this.#done.delete(this.#done.keys().next().value as string);
    return running;
  }

  /** Visits a child's subtree. */
  async #below(
    child: Child,
    { ask, context, path }: { ask: VisitAsk; context: CallContext; path: string },
    emit: (frames: readonly VisitFrame[]) => void,
  ): Promise<void> {
    const lost = (status: VisitStatus, error: unknown): void => {
      emit([{ kind: "lost", id: child.id, path: childPath(path, child.record.name), ...failureOf(error), status }]);
    };
    const leftMs = context.deadlineMs - this.#parts.now();
    const deadlineMs = context.deadlineMs - Math.min(MAX_WAY_BACK_MS, leftMs * WAY_BACK);
    const { link } = child;
    if (link === undefined || child.sight === "unreachable") return lost("unreachable", child.lostError());
    const gone = new AbortController();
    const onLost = (error: Error): void => gone.abort(error);
    child.onLost.add(onLost);
    try {
      const signal = context.signal === undefined ? gone.signal : AbortSignal.any([context.signal, gone.signal]);
      const below: VisitAsk = { ...ask, path: childPath(path, child.record.name), depth: ask.depth - 1, skipSelf: false };
      for await (const frames of link.stream(STEP.visit, below, { deadlineMs, signal })) emit(frames as VisitFrame[]);
    } catch (error) {
      const why = gone.signal.aborted ? gone.signal.reason : error;
      if (child.record.state === "releasing") lost("released", why);
      else lost(failureOf(why).status, why);
    } finally {
      child.onLost.delete(onLost);
    }
  }
}

/** Whether one of the nodes that are meant is the one at `path` or below it. */
function leadsTo({ only }: VisitAsk, path: NodePath): boolean {
  return only === undefined || only.some((one) => one === path || isBelow(one, path));
}

/** Why a node is not asked; undefined if it is. */
function skipReason(ask: VisitAsk, selector: Selector, card: NodeCard): "selector" | "maintenance" | undefined {
  if (ask.only !== undefined && !ask.only.includes(card.path)) return "selector";
  if (!selector.matches(card)) return "selector";
  return card.maintenance !== undefined && !ask.includeMaintenance ? "maintenance" : undefined;
}

/** What an error makes of a target. */
function failureOf(error: unknown): { status: VisitStatus; code: string; message: string } {
  const code = codeOf(error) ?? "processor.failed";
  const message = error instanceof Error ? error.message : String(error);
  if (code === "call.deadline") return { status: "timeout", code, message };
  if (code === "node.maintenance") return { status: "skipped", code, message };
  return { status: code === "node.unreachable" || code === "node.closed" ? "unreachable" : "error", code, message };
}
