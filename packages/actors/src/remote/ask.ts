import type { Address, Ref } from "../identity/index.ts";
import { SettledPending, type Settler, type Waiter } from "../process/pending.ts";
import type { Problem } from "../runtime/network.ts";
import type { Tables } from "../runtime/tables.ts";

/** How long a question to another node waits for its answer. @source spec of the actor model, §2.7 */
export const ROUND_TRIP_MS = 5_000;

/** A question to another node. */
export interface Ask {
  /** Where it goes: the loss of that node ends the wait. */
  readonly to: Address;
  readonly waiter: Waiter;
  readonly settler: Settler;
  /** @default 5_000 */
  readonly timeoutMs?: number;
  /** Writes the question, with the ref behind which the answer is waited for. */
  readonly write: (ref: Ref) => Problem | undefined;
}

/** Waits first and writes then, so that no answer comes too soon. Gives what kept the question from leaving. */
export function ask(tables: Tables, { to, waiter, settler, timeoutMs = ROUND_TRIP_MS, write }: Ask): Problem | undefined {
  const ref = tables.makeRef(tables.clock.now() + timeoutMs);
  const pending = new SettledPending(ref, to, waiter, settler);
  const problem = write(ref);
  if (problem === undefined) tables.deadlines.add(pending, ref.deadlineMs);
  else pending.withdraw();
  return problem;
}
