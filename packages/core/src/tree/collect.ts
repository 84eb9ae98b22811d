import type { Policy, Tally } from "../member/policy.ts";
import type { VisitFrame, VisitStatus } from "./frames.ts";
import { isBelow } from "./path.ts";

/** How one target of a for-all ended. */
export interface ForAllOutcome {
  readonly id: string;
  readonly path: string;
  readonly status: VisitStatus;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
  /** How long the node itself took, in milliseconds. */
  readonly ms?: number;
}

/** Targets and their ends, from the frames of a visit. */
export class Collector {
  /** By id; undefined as long as it is open. In the order of being named. */
  readonly #ends = new Map<string, ForAllOutcome | undefined>();
  readonly #paths = new Map<string, string>();
  /** Named as children, and not yet heard of themselves. */
  readonly #announced = new Map<string, string>();
  readonly #onEnd: (outcome: ForAllOutcome) => void;
  readonly tally = { ok: 0, error: 0, timeout: 0, unreachable: 0, skipped: 0, released: 0 } satisfies Record<VisitStatus, number>;

  constructor(onEnd: (outcome: ForAllOutcome) => void) {
    this.#onEnd = onEnd;
  }

  /** Targets in the order in which they were named. */
  get targets(): { id: string; path: string }[] {
    return [...this.#ends.keys()].map((id) => ({ id, path: this.#paths.get(id) as string }));
  }

  get outcomes(): ForAllOutcome[] {
    return [...this.#ends.values()].filter((outcome) => outcome !== undefined);
  }

  /** Ends one target, whatever becomes of those below it. */
  end(outcome: ForAllOutcome): void {
    if (this.#ends.get(outcome.id) !== undefined) return;
    this.#name(outcome.id, outcome.path);
    this.#ends.set(outcome.id, outcome);
    this.tally[outcome.status]++;
    this.#onEnd(outcome);
  }

  take(frame: VisitFrame): void {
    if (frame.kind === "accept") this.#accept(frame);
    else if (frame.kind === "result") this.end(resultOf(frame));
    else if (frame.kind === "lost") this.#lose(frame);
  }

  /** What a policy goes by: a target that was let go meanwhile was skipped. */
  policyTally(judge: Policy): Tally {
    const { ok, error, timeout, unreachable, skipped, released } = this.tally;
    const open = this.#ends.size - ok - error - timeout - unreachable - skipped - released;
    return { ok, error, timeout, unreachable, skipped: judge.skipped === "fail" ? skipped + released : 0, open };
  }

  /** Ends whatever is open: the caller's time is over, or the caller is gone. */
  close(status: VisitStatus, code: string, message: string): void {
    for (const [id, path] of this.#announced) this.#name(id, path);
    for (const [id, outcome] of this.#ends) {
      if (outcome === undefined) this.end({ id, path: this.#paths.get(id) ?? "", status, code, message });
    }
  }

  #accept({ id, path, skipped, children }: Extract<VisitFrame, { kind: "accept" }>): void {
    this.#announced.delete(id);
    for (const child of children) this.#announced.set(child.id, `${path}/${child.name}`);
    if (skipped === undefined || skipped === "maintenance") this.#name(id, path);
    if (skipped === "maintenance") this.end({ id, path, status: "skipped", code: "node.maintenance", message: "in maintenance" });
  }

  #lose({ id, path, status, code, message }: Extract<VisitFrame, { kind: "lost" }>): void {
    for (const [one, where] of this.#announced) if (one === id || isBelow(where, path)) this.#name(one, where);
    for (const [one, outcome] of this.#ends) {
      const where = this.#paths.get(one) as string;
      if (outcome === undefined && (one === id || isBelow(where, path)))
        this.end({ id: one, path: where, status, code, message });
    }
  }

  #name(id: string, path: string): void {
    this.#announced.delete(id);
    if (this.#ends.has(id)) return;
    this.#ends.set(id, undefined);
    this.#paths.set(id, path);
  }
}

function resultOf({ kind: _kind, ...outcome }: Extract<VisitFrame, { kind: "result" }>): ForAllOutcome {
  return outcome;
}
