/** What goes along with a message on its way to whoever answers it. */
export interface CallContext {
  /** The moment after which nobody wants the answer, in milliseconds of the clock in use. */
  readonly deadlineMs: number;
  /** Aborted when the caller withdraws. Absent where nobody can. */
  readonly signal?: AbortSignal | undefined;
  /** 1 for the first delivery, more when the log or a retry delivers again. @default 1 */
  readonly attempt?: number | undefined;
}
