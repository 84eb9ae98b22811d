/**
 * Where records come from, as stable identities: the same record, read again after a failure, has the same id. That is what
 * makes duplicates recognisable at durable edges and at sinks that keep ids. Ids are made only when somebody asks.
 */
export interface Lineage {
  /** The id of the record at `index` of its batch. */
  idOf(index: number): string;
  /** The W3C traceparent of what the record at `index` was made of first; undefined where its source knows none. */
  traceOf?(index: number): string | undefined;
}

/** Records as a source hands them over: `<source>:<number of the record>`. */
export class SourceLineage implements Lineage {
  readonly #source: string;
  readonly #first: number;

  constructor(source: string, first: number) {
    this.#source = source;
    this.#first = first;
  }

  idOf(index: number): string {
    return `${this.#source}:${this.#first + index}`;
  }
}

/** How the records of a batch stem from those of another one. Left out, the k-th stems from the k-th. */
export interface Descent {
  /** For each record the index of the one it was made of. */
  readonly parents?: readonly number[];
  /** For each record how many its parent has given before it. */
  readonly marks?: readonly number[];
}

/**
 * Records that a stage made: the id of the parent, the stage, and a mark where one parent has given several. The stage belongs
 * into the id: where branches of one record meet again, each has brought another record.
 */
export class StageLineage implements Lineage {
  readonly #parent: Lineage;
  readonly #stage: string;
  readonly #descent: Descent;

  constructor(parent: Lineage, stage: string, descent: Descent = {}) {
    this.#parent = parent;
    this.#stage = stage;
    this.#descent = descent;
  }

  idOf(index: number): string {
    const mark = this.#descent.marks?.[index] ?? 0;
    const parent = this.#parent.idOf(this.#descent.parents?.[index] ?? index);
    return `${parent}/${this.#stage}${mark === 0 ? "" : `.${mark}`}`;
  }

  traceOf(index: number): string | undefined {
    return this.#parent.traceOf?.(this.#descent.parents?.[index] ?? index);
  }
}

/** Some records of a batch, unchanged: a share of it, or what is left of it. */
export class PickedLineage implements Lineage {
  readonly #whole: Lineage;
  readonly #indexes: readonly number[];

  constructor(whole: Lineage, indexes: readonly number[]) {
    this.#whole = whole;
    this.#indexes = indexes;
  }

  idOf(index: number): string {
    return this.#whole.idOf(this.#indexes[index] ?? index);
  }

  traceOf(index: number): string | undefined {
    return this.#whole.traceOf?.(this.#indexes[index] ?? index);
  }
}

/**
 * What a program wrote in one run over many records: nobody knows what stems from which. The id is unique, and says in its
 * stage which run of the graph it is from: after a crash the records come together otherwise, and one id must never stand for
 * two contents. So what comes again has another id.
 */
export class RunLineage implements Lineage {
  readonly #first: Lineage;
  readonly #stage: string;
  readonly #offset: number;

  /** `stage`: with the epoch of the graph's run; `first`: the first records of the program's run; `offset`: how many outputs the run has given before. */
  constructor(first: Lineage, stage: string, offset: number) {
    this.#first = first;
    this.#stage = stage;
    this.#offset = offset;
  }

  idOf(index: number): string {
    return `${this.#first.idOf(0)}/${this.#stage}~${this.#offset + index}`;
  }

  traceOf(): string | undefined {
    return this.#first.traceOf?.(0);
  }
}
