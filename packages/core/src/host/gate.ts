import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { asMetanodeError, codeOf, coreError, type MetanodeError } from "../errors.ts";
import type { CallContext } from "../message/context.ts";
import type { Message } from "../message/message.ts";
import type { NodeCard } from "../tree/card.ts";
import { hostError } from "./host-error.ts";
import type { HostVerb, Rules, Target } from "./rules.ts";

/** One attempt to do something with a host, as it is written down. Holds no values of environments, stdin and files. */
export interface HostAttempt {
  /** When it began, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly caller: string;
  readonly verb: HostVerb;
  /** A path, the name of a unit, or a command with its secrets hidden; empty for facts. */
  readonly target: string;
  /** Whether the rules let it through. */
  readonly allowed: boolean;
  /** The code of the error that it ended with; absent where all went well. */
  readonly code?: string;
  readonly durationMs: number;
}

/** Whoever sent no `caller` along is in the same process, or behind a face that states none. */
export const LOCAL_CALLER = "local";

/** An attempt before it is judged. */
export interface Request<T extends Target | undefined> {
  readonly verb: HostVerb;
  readonly message: Message;
  readonly context: CallContext;
  /** For people, and without secrets. */
  readonly shown: string;
  readonly target: () => Promise<T> | T;
  /** Names of variables that go along. */
  readonly carries?: readonly string[];
}

export interface GateOptions {
  readonly rules: Rules;
  /** What selectors of rules go by; undefined where the node is in no tree. */
  readonly card: () => Promise<NodeCard | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: ((attempt: HostAttempt) => void) | undefined;
}

/** The one door to a host: judges every attempt, carries it out, and writes down what became of it. */
export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** @throws {MetanodeError} auth.denied, and what `work` throws */
  async call<T extends Target | undefined, R>(request: Request<T>, work: (target: T) => Promise<R> | R): Promise<R> {
    const attempt = this.#begin(request);
    try {
      return await work(await attempt.admit());
    } catch (error) {
      throw attempt.fail(error);
    } finally {
      attempt.end();
    }
  }

  /** The same with a streamed answer. It is over when its reader is. */
  async *stream<T extends Target | undefined, R>(request: Request<T>, work: (target: T) => AsyncIterable<R>): AsyncGenerator<R> {
    const attempt = this.#begin(request);
    try {
      yield* work(await attempt.admit());
    } catch (error) {
      throw attempt.fail(error);
    } finally {
      attempt.end();
    }
  }

  #begin<T extends Target | undefined>(request: Request<T>): Attempt<T> {
    return new Attempt(request, this.#options);
  }
}

class Attempt<T extends Target | undefined> {
  readonly #request: Request<T>;
  readonly #options: GateOptions;
  readonly #caller: string;
  readonly #beganMs: number;
  #allowed = false;
  #code: string | undefined;

  constructor(request: Request<T>, options: GateOptions) {
    this.#request = request;
    this.#options = options;
    this.#caller = String(request.message.extensions?.caller ?? LOCAL_CALLER);
    this.#beganMs = options.clock.now();
  }

  async admit(): Promise<T> {
    const { verb, shown, carries = [] } = this.#request;
    const target = await this.#request.target();
    const { rules } = this.#options;
    const card = rules.needsCard ? await this.#options.card() : undefined;
    const { allowed, mayCarry } = rules.decide(verb, this.#caller, target, card);
    if (!allowed) {
      throw coreError(
        "auth.denied",
        `${this.#caller} may not ${verb}${shown === "" ? "" : ` ${shown}`} on this host; a rule of its host control must allow it`,
        { details: { verb, caller: this.#caller } },
      );
    }
    const variable = carries.find((name) => !mayCarry(name));
    if (variable !== undefined) {
      throw coreError(
        "auth.denied",
        `${this.#caller} may ${verb} ${shown} on this host, but not with the variable ${variable}; the \`env\` of the rule must allow it`,
        { details: { verb, caller: this.#caller, variable } },
      );
    }
    this.#allowed = true;
    return target;
  }

  fail(error: unknown): MetanodeError {
    const failure = asMetanodeError(hostError(error), "processor.failed");
    this.#code = failure.code;
    return failure;
  }

  /** Who leaves early sees no error; it is written down all the same why. */
  end(): void {
    const { verb, shown, context } = this.#request;
    const nowMs = this.#options.clock.now();
    const { signal } = context;
    if (signal?.aborted) this.#code ??= codeOf(signal.reason) ?? "call.cancelled";
    else if (context.deadlineMs <= nowMs) this.#code ??= "call.deadline";
    const attempt: HostAttempt = {
      atMs: this.#beganMs,
      caller: this.#caller,
      verb,
      target: shown,
      allowed: this.#allowed,
      ...(this.#code === undefined ? {} : { code: this.#code }),
      durationMs: nowMs - this.#beganMs,
    };
    this.#write(attempt);
  }

  #write(attempt: HostAttempt): void {
    const { audit, logger } = this.#options;
    const { verb, caller, target, allowed, code } = attempt;
    const level = allowed ? (verb === "facts" ? "debug" : "info") : "warn";
    logger[level]({ audit: attempt }, `${caller}: ${verb} ${target}: ${code ?? "done"}`);
    try {
      audit?.(attempt);
    } catch (error) {
      logger.error({ err: error }, "the audit of host control failed; the attempt stands in this log alone");
    }
  }
}
