/**
 * An end with another exit status than 0 that has been talked about already: a failed check, a bulk of which some failed.
 * It is no error of its own, so it has no code.
 */
export class Exit extends Error {
  override name = "Exit";
  readonly status: number;

  constructor(status: number) {
    super(`exit status ${status}`);
    this.status = status;
  }
}

/** The exit status of a bulk of which some, but not all, failed. */
export const PARTIAL = 8;
/** What a shell reports for a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED = 130;
