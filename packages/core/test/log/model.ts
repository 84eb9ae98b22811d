import fc from "fast-check";
import type { Delivery, Log, LogStream } from "../../src/log/log.ts";
import { type Deliveries, eventually, messageOf } from "../../src/testing/log-conformance-tools.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** What may happen to a log. `pick` chooses among what is in flight. */
export type Step =
  | { readonly kind: "append"; readonly count: number }
  | { readonly kind: "ack" | "term" | "progress"; readonly pick: number }
  | { readonly kind: "nak" | "release"; readonly pick: number; readonly delayMs: number }
  | { readonly kind: "tick"; readonly ms: number }
  | { readonly kind: "restart" }
  | { readonly kind: "replay" };

const pick = fc.nat(1_000);
const delayMs = fc.integer({ min: 0, max: 400 });

/** Any step, those that make work more often than those that end it. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("ack" as const, "term" as const, "progress" as const), pick }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("nak" as const, "release" as const), pick, delayMs }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("tick" as const), ms: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("replay" as const) }) },
);

/** The consumer's options that the model knows of. */
export const ACK_WAIT_MS = 700;
export const MAX_ATTEMPTS = 3;

type Fate = "open" | "acked" | "dead";

interface Known {
  fate: Fate;
  failures: number;
  /** The last delivery, while nothing has settled it as far as the model knows. */
  under: { readonly delivery: Delivery; deadlineMs: number } | undefined;
  wasDelivered: boolean;
}

/**
 * What must be true of every message, kept beside the log. Each delivery is held against it as it comes: a delivery too
 * many, too early, out of order or with a wrong attempt is noted as a breach.
 */
export class LogModel {
  readonly breaches: string[] = [];
  readonly #clock: VirtualClock;
  readonly #known: Known[] = [];
  #lastFirst = -1;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async append(stream: LogStream, count: number): Promise<void> {
    const data = Array.from({ length: count }, (_, n) => this.#known.length + n);
    for (const _ of data) this.#known.push({ fate: "open", failures: 0, under: undefined, wasDelivered: false });
    await stream.append(data.map((n) => messageOf(n)));
  }

  onDelivery(delivery: Delivery): void {
    const n = delivery.message.data as number;
    const known = this.#known[n];
    if (known === undefined) {
      this.breaches.push(`${n} was never appended`);
      return;
    }
    if (known.fate !== "open") this.breaches.push(`${n} was delivered though it is ${known.fate}`);
    if (known.under !== undefined) {
      // Nobody settled the attempt before, so its ack wait must be over.
      if (this.#clock.now() < known.under.deadlineMs) this.breaches.push(`${n} was delivered while it was under way`);
      known.failures++;
    }
    if (delivery.attempt !== known.failures + 1) {
      this.breaches.push(`${n} has attempt ${delivery.attempt} after ${known.failures} failures`);
    }
    if (known.failures >= MAX_ATTEMPTS) this.breaches.push(`${n} was delivered after its last attempt`);
    if (!known.wasDelivered) {
      if (n !== this.#lastFirst + 1) this.breaches.push(`${n} had its first delivery after ${this.#lastFirst}`);
      this.#lastFirst = n;
      known.wasDelivered = true;
    }
    known.under = { delivery, deadlineMs: this.#clock.now() + ACK_WAIT_MS };
  }

  /** Settles one of those in flight as `step` says. */
  settle(step: Step & { readonly pick: number }): void {
    const nowMs = this.#clock.now();
    const underWay = this.#known.filter((known) => known.under !== undefined && known.under.deadlineMs > nowMs);
    const known = underWay[step.pick % Math.max(1, underWay.length)];
    const delivery = known?.under?.delivery;
    if (known?.under === undefined || delivery === undefined) return;
    if (step.kind === "progress") {
      known.under.deadlineMs = nowMs + ACK_WAIT_MS;
      delivery.inProgress();
      return;
    }
    known.under = undefined;
    if (step.kind === "ack") {
      known.fate = "acked";
      delivery.ack();
    } else if (step.kind === "release") {
      delivery.release(step.delayMs);
    } else if (step.kind === "nak") {
      if (++known.failures >= MAX_ATTEMPTS) known.fate = "dead";
      delivery.nak({ delayMs: step.delayMs, reason: "model" });
    } else {
      known.failures++;
      known.fate = "dead";
      delivery.term("model");
    }
  }

  /** The last attempt of some may have ended without anybody settling it. */
  afterTime(): void {
    for (const known of this.#known) {
      if (known.under === undefined || this.#clock.now() < known.under.deadlineMs) continue;
      if (known.failures + 1 < MAX_ATTEMPTS) continue;
      known.failures++;
      known.fate = "dead";
      known.under = undefined;
    }
  }

  /** What was in flight was given back; nothing of it has failed, unless its time was over. */
  afterRestart(): void {
    this.afterTime();
    for (const known of this.#known) {
      if (known.under !== undefined && this.#clock.now() >= known.under.deadlineMs) known.failures++;
      known.under = undefined;
    }
  }

  async replayOldest(log: Log): Promise<void> {
    const [oldest] = (await log.deadLetters.list({ limit: 1 })).items;
    if (oldest === undefined) return;
    const known = this.#known[oldest.message.data as number];
    if (known?.fate !== "dead") {
      this.breaches.push(`${oldest.message.data} is a dead letter and should not be`);
      return;
    }
    if (oldest.attempts !== known.failures) {
      this.breaches.push(`${oldest.message.data} died after ${oldest.attempts} attempts instead of ${known.failures}`);
    }
    known.fate = "open";
    known.failures = 0;
    await log.deadLetters.replay(oldest.id);
  }

  /** Acks what is still to be done, until nothing is, and says which dead letters there must be. */
  async finish(stream: LogStream, deliveries: () => Deliveries): Promise<number[]> {
    let seen = 0;
    await eventually("all to be settled", async () => {
      for (const known of this.#known) {
        if (known.under === undefined) continue;
        known.under.delivery.ack();
        known.fate = "acked";
        known.under = undefined;
      }
      await this.#clock.advance(500);
      this.afterTime();
      seen = deliveries().all.length;
      const { consumers } = await stream.info();
      return consumers.every(({ pending, unsettled }) => pending + unsettled === 0) && seen === deliveries().all.length;
    });
    this.#known.forEach((known, n) => {
      if (known.fate === "open") this.breaches.push(`${n} was lost`);
    });
    return this.#known.flatMap((known, n) => (known.fate === "dead" ? [n] : []));
  }
}
