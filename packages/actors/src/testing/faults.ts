import { type ActorErrorCode, actorError } from "../errors.ts";
import { type Action, isMeant, type Operation, type Pattern } from "./actions.ts";

/** When an operation fails, and with what. Without a limit it always does. */
export interface Fault<K extends Operation> {
  /** Only the first so many that are meant. */
  readonly first?: number;
  /** Only those after so many that are meant. */
  readonly after?: number;
  /** Which are meant. @default all */
  readonly when?: Pattern<K>;
  /** @default an error that says that the test wanted it */
  readonly error?: Error | ActorErrorCode;
}

interface Planned {
  readonly operation: Operation;
  readonly fault: Fault<never>;
  seen: number;
}

/** The failures that a test has planned. */
export class Faults {
  readonly #planned = new Set<Planned>();

  /** Plans one; the function given back takes it away. */
  plan<K extends Operation>(operation: K, fault: Fault<K>): () => void {
    const planned: Planned = { operation, fault: fault as Fault<never>, seen: 0 };
    this.#planned.add(planned);
    return () => void this.#planned.delete(planned);
  }

  /** The error that an action meets, if any. Every plan that means the action counts it. */
  hit(action: Action): Error | undefined {
    let met: Error | undefined;
    for (const planned of this.#planned) {
      const { operation, fault } = planned;
      if (operation !== action.kind || !isMeant(action, fault.when ?? {})) continue;
      planned.seen++;
      if (isDue(fault, planned.seen)) met ??= errorOf(operation, fault.error);
    }
    return met;
  }
}

function isDue({ first, after }: Fault<never>, seen: number): boolean {
  if (first === undefined && after === undefined) return true;
  return (first !== undefined && seen <= first) || (after !== undefined && seen > after);
}

function errorOf(operation: Operation, error: Error | ActorErrorCode | undefined): Error {
  if (error instanceof Error) return error;
  return error === undefined ? new Error(`the test lets ${operation} fail`) : actorError(error);
}
