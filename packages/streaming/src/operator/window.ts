import type { Clock, Timer } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import type { Batch } from "../record/batch.ts";
import type { Action, Stage, StageHost } from "../stage/stage.ts";
import { OperatorStage } from "./operator-stage.ts";
import { WindowOperator } from "./window-operator.ts";
import type { WindowOptions } from "./window-options.ts";

/**
 * Records gathered in windows of event time. A window is given once the watermark has passed its end, or at the end of the
 * stream, exactly once unless late records update it; its id is made of key and start (and of the number of the update), so it
 * is the same if it has to be given again after a crash. Windows are given in the order of their ends, then of their keys.
 *
 * Open windows and the watermark are kept over crashes, of exactly the records that are not read again.
 * @throws {MetanodeError} config.invalid – `late` is "update" for windows that have no fixed length.
 */
export function windowAction(options: WindowOptions): Action {
  const { late, shape } = options;
  if (late === "update" && (shape.kind === "session" || shape.kind === "count")) {
    const what = `found late "update" for windows of the kind ${shape.kind}, which have no fixed length`;
    throw coreError("config.invalid", `${what}; use "drop" or "emit", or windows that are tumbling or sliding`);
  }
  return { keepsState: true, stage: (host) => new WindowStage(options, host) };
}

class WindowStage extends OperatorStage implements Stage {
  readonly #operator: WindowOperator;
  readonly #clock: Clock;
  readonly #idleMs: number | undefined;
  /** When each upstream has last given something. */
  readonly #heardMs: Map<string, number>;
  #timer: Timer | undefined;

  constructor(options: WindowOptions, host: StageHost) {
    const operator = new WindowOperator(options, host);
    super(operator, host);
    this.#operator = operator;
    this.#clock = host.clock;
    this.#idleMs = options.idleMs;
    const nowMs = host.clock.now();
    this.#heardMs = new Map(host.upstreams.map((name) => [name, nowMs]));
    this.#listen(); // windows of an earlier run may be open although nothing ever comes
  }

  override take(batch: Batch, from: string): void {
    super.take(batch, from);
    if (this.#idleMs === undefined) return;
    this.#heardMs.set(from, this.#clock.now());
    if (this.#timer === undefined) this.#listen();
  }

  override async end(): Promise<void> {
    this.#timer?.cancel();
    await super.end();
  }

  override async close(): Promise<void> {
    this.#timer?.cancel();
    await super.close();
  }

  #listen(): void {
    if (this.#idleMs !== undefined) this.#timer = this.#clock.setTimer(this.#idleMs, () => this.#look(this.#idleMs ?? 0));
  }

  #look(idleMs: number): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    const silent = [...this.#heardMs].filter(([, heardMs]) => nowMs - heardMs >= idleMs).map(([name]) => name);
    const sinceMs = nowMs - Math.max(...this.#heardMs.values());
    this.give((emit) => this.#operator.onSilence(silent, { sinceMs, emit }));
    // Without open windows there is nothing that would have to end: the next record listens again.
    if (this.#operator.isOpen) this.#listen();
  }
}
