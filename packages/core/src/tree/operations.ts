import { asMetanodeError, coreError, toWire, type WireError } from "../errors.ts";
import type { Audit, AuditEntry } from "./audit.ts";

export interface Operation {
  /** @default a new one */
  readonly operation?: string | undefined;
  readonly caller?: string | undefined;
  readonly verb: string;
  readonly target: string;
}

/**
 * Runs operations so that each happens once: one that comes again while it runs gets the same promise, one that comes again
 * within a day the same answer. Only one that failed may be tried again under its id.
 */
export class Operations {
  readonly #audit: Audit;
  readonly #now: () => number;
  readonly #newId: () => string;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(audit: Audit, parts: { now: () => number; newId: () => string }) {
    this.#audit = audit;
    this.#now = parts.now;
    this.#newId = parts.newId;
  }

  async run<T>(
    { operation = this.#newId(), caller = "local", verb, target }: Operation,
    work: (operation: string) => Promise<T>,
  ): Promise<T> {
    // Whoever reads the audit later counts on what it says of itself.
    if (typeof target !== "string") {
      throw coreError("message.invalid", `what ${verb} is for is ${String(target)}, expected the name or path of a node`);
    }
    const known = this.#audit.get(operation);
    if (known?.ok === true && known.verb === verb) return known.answer as T;
    const running = this.#running.get(operation);
    if (running !== undefined) return running as Promise<T>;
    const entry: AuditEntry = { operation, atMs: this.#now(), caller, verb, target };
    this.#audit.put(entry);
    const made = work(operation);
    this.#running.set(operation, made);
    try {
      const answer = await made;
      this.#audit.put({ ...entry, ok: true, answer });
      return answer;
    } catch (error) {
      this.#audit.put({ ...entry, ok: false, code: asMetanodeError(error).code });
      throw error;
    } finally {
      this.#running.delete(operation);
    }
  }
}

/** What became of one of several operations. */
export type Attempted =
  | { readonly name: string; readonly ok: true }
  | { readonly name: string; readonly ok: false; readonly error: WireError };

/** Does something to each of several, all at once, whatever becomes of the others. */
export async function attemptEach<T extends { readonly name: string }>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<Attempted[]> {
  return Promise.all(
    items.map(async (item): Promise<Attempted> => {
      try {
        await work(item);
        return { name: item.name, ok: true };
      } catch (error) {
        return { name: item.name, ok: false, error: withoutStack(toWire(error)) };
      }
    }),
  );
}

function withoutStack({ stack: _stack, ...rest }: WireError): WireError {
  return rest;
}
