/** What goes between a stage and its thread: several records at a time, each with a number. */
export interface ThreadRequest {
  readonly numbers: readonly number[];
  readonly records: readonly unknown[];
}

/** The answers for some of them. */
export interface ThreadAnswer {
  readonly number: number;
  /** What goes on: none, one or several. */
  readonly outputs?: readonly unknown[];
  readonly error?: { readonly message: string; readonly code?: string };
}

/** What a thread is started with. */
export interface ThreadData {
  readonly file: string;
  readonly exportName: string;
}
