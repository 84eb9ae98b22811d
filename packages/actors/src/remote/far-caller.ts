import { type PID, Ref } from "../identity/index.ts";
import type { Awaiting } from "../process/pending.ts";

/** Sends an answer to another node; says on its own what keeps it from that. */
export type Answering = (to: PID, ref: Ref, answer: { value: unknown } | { error: Error }) => void;

/** The connection that a request came by. */
export interface CameBy {
  readonly node: string;
  readonly state: string;
}

/** Stands behind the ref of a request from another node: what is answered here goes there. */
export class FarCaller implements Awaiting {
  readonly waiter = undefined;
  readonly blocking = false;
  readonly #from: PID;
  readonly #ref: Ref;
  readonly #by: CameBy;
  readonly #answer: Answering;

  constructor(from: PID, ref: Ref, by: CameBy, answer: Answering) {
    this.#from = from;
    this.#ref = ref;
    this.#by = by;
    this.#answer = answer;
    Ref.bind(ref, this);
  }

  answer(value: unknown): void {
    this.#send({ value });
  }

  fail(error: unknown): void {
    this.#send({ error: error as Error });
  }

  withdraw(): void {
    Ref.bind(this.#ref, undefined);
  }

  #send(answer: { value: unknown } | { error: Error }): void {
    this.withdraw();
    // A caller whose connection is lost has been told so.
    const isLost = this.#by.state === "down" && this.#by.node === this.#ref.node;
    if (!isLost) this.#answer(this.#from, this.#ref, answer);
  }
}
