/** What one call of a stage's function knows besides the record. */
export interface RecordContext {
  /** Stable identity of the record: the same when it comes again. */
  readonly id: string;
  /** The W3C trace context of what the record was made of, where its source knows one. */
  readonly traceparent: string | undefined;
  readonly graph: string;
  readonly stage: string;
  /** The upstream node that it came from. */
  readonly from: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the time for the record is over or the run ends. */
  readonly signal: AbortSignal;
}

/**
 * A stage as a function: what it returns goes on; `undefined` means that nothing does; {@link many} gives several. A throw is
 * a failed attempt. May be asynchronous; then outputs still go on in the order of the inputs.
 */
export type StageFunction<In = never, Out = unknown> = (record: In, context: RecordContext) => Answer<Out> | Promise<Answer<Out>>;

export type Answer<Out> = Out | Many<Out> | undefined;

/** Several outputs of one record. */
export class Many<Out> {
  readonly records: readonly Out[];

  constructor(records: readonly Out[]) {
    this.records = records;
  }
}

/** Answers one record with several, in order; an empty list with none. */
export function many<Out>(records: Iterable<Out>): Many<Out> {
  return new Many(Array.isArray(records) ? records : [...records]);
}

/** A function that lets pass what fits. */
export function filter<T>(fits: (record: T) => boolean): (record: T) => T | undefined {
  return (record) => (fits(record) ? record : undefined);
}

/** A function that makes any number of records out of one. */
export function flatMap<In, Out>(expand: (record: In) => Iterable<Out>): (record: In) => Many<Out> {
  return (record) => many(expand(record));
}
