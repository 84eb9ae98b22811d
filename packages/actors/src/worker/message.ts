import type { Alias } from "../identity/index.ts";

/** What the thread of a worker sent. */
export class MessageWorker<Sends = unknown> {
  /** The worker. */
  readonly id: Alias<never, never>;
  /** The `tag` of its options. */
  readonly tag: string;
  readonly message: Sends;

  constructor(id: Alias<never, never>, tag: string, message: Sends) {
    this.id = id;
    this.tag = tag;
    this.message = message;
  }
}
