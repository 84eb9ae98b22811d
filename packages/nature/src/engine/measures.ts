/** The upper ends of the classes of a histogram, in milliseconds; what is slower falls into one more class. */
export const LATENCY_CLASSES_MS: readonly number[] = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/** How long something took, how often. */
export interface Latencies {
  /** One count per class of {@link LATENCY_CLASSES_MS}, and one for what was slower. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumMs: number;
}

class Histogram implements Latencies {
  readonly counts: number[] = new Array(LATENCY_CLASSES_MS.length + 1).fill(0);
  count = 0;
  sumMs = 0;

  add(ms: number): void {
    let at = 0;
    while (at < LATENCY_CLASSES_MS.length && ms > (LATENCY_CLASSES_MS[at] as number)) at++;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.count++;
    this.sumMs += ms;
  }
}

/** What happened on one relation, on this engine since its start. */
export interface RelationMeasures {
  readonly from: string;
  readonly to: string;
  /** Tasks that ended well. */
  readonly converted: number;
  readonly retried: number;
  readonly failed: number;
  readonly conflicts: number;
  /** From the moment at which a task was due to its end. */
  readonly latency: Latencies;
}

class Measured implements RelationMeasures {
  readonly from: string;
  readonly to: string;
  converted = 0;
  retried = 0;
  failed = 0;
  conflicts = 0;
  readonly latency = new Histogram();

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }
}

/** Counters of an engine since its start. */
export interface EngineStats {
  /** Instances that came from outside. */
  inputs: number;
  /** Instances that were new. */
  stored: number;
  /** Tasks that ended well. */
  converted: number;
  /** Tries that failed and will be repeated. */
  retried: number;
  /** Tasks that were given up. */
  failed: number;
  /** Commits that another writer made void. */
  conflicts: number;
  /** Missions that could not be made. */
  dropped: number;
}

/** Counts what an engine does. */
export class Measures {
  readonly stats: EngineStats = { inputs: 0, stored: 0, converted: 0, retried: 0, failed: 0, conflicts: 0, dropped: 0 };
  readonly #relations = new Map<string, Map<string, Measured>>();

  relations(): RelationMeasures[] {
    return [...this.#relations.values()].flatMap((targets) => [...targets.values()]);
  }

  converted(from: string, to: string, latencyMs: number): void {
    this.stats.converted++;
    const relation = this.#of(from, to);
    relation.converted++;
    relation.latency.add(latencyMs);
  }

  count(what: "retried" | "failed" | "conflicts", from: string, to: string): void {
    this.stats[what]++;
    this.#of(from, to)[what]++;
  }

  #of(from: string, to: string): Measured {
    let targets = this.#relations.get(from);
    if (targets === undefined) {
      targets = new Map();
      this.#relations.set(from, targets);
    }
    let relation = targets.get(to);
    if (relation === undefined) {
      relation = new Measured(from, to);
      targets.set(to, relation);
    }
    return relation;
  }
}
