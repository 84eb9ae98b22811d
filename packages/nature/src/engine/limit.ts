import { type Clock, wait } from "@metanode/core/clock";
import { natureError } from "../errors.ts";
import type { ConvertRequest, FilterRequest } from "../executor/executor.ts";
import type { Instance } from "../instance/instance.ts";
import type { ExecutorSpec } from "../relation/relation.ts";
import { isLater, type Maybe } from "./maybe.ts";

/** What runs of executors need of their surroundings. */
export interface RunGround {
  readonly clock: Clock;
  /** Longest run of an executor whose relation sets no other. */
  readonly timeoutMs: number;
  /** Ends every run that is under way; called when the engine stops. */
  readonly stopping: Set<(reason: Error) => void>;
}

/** How long a run may take. Its signal is made when somebody asks for it: most runs are over before. */
export class Limit {
  readonly deadlineMs: number;
  readonly settings: string;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor(deadlineMs: number, settings: string) {
    this.deadlineMs = deadlineMs;
    this.settings = settings;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** What a filter is given. */
export class FilterLimit extends Limit implements FilterRequest {
  readonly to: string;
  readonly traceparent: string | undefined;

  constructor(limit: { deadlineMs: number; settings: string }, to: string, traceparent: string | undefined) {
    super(limit.deadlineMs, limit.settings);
    this.to = to;
    this.traceparent = traceparent;
  }
}

/** What a converter works on. */
export interface Material {
  readonly from: Instance;
  readonly last: Instance | undefined;
  readonly master: Instance | undefined;
  readonly taskId: number;
}

/** What a converter is given. Its credential, too, is made when somebody asks for it. */
export class ConvertLimit extends Limit implements ConvertRequest {
  readonly from: Instance;
  readonly last: Instance | undefined;
  readonly master: Instance | undefined;
  readonly taskId: number;
  readonly #credential: (taskId: number) => string;

  constructor(limit: { deadlineMs: number; settings: string }, material: Material, credential: (taskId: number) => string) {
    super(limit.deadlineMs, limit.settings);
    this.from = material.from;
    this.last = material.last;
    this.master = material.master;
    this.taskId = material.taskId;
    this.#credential = credential;
  }

  get credential(): string {
    return this.#credential(this.taskId);
  }
}

/** When a run that begins now has to be over. */
export function deadlineOf({ clock, timeoutMs }: RunGround, spec: ExecutorSpec): number {
  return clock.now() + (spec.timeoutMs ?? timeoutMs);
}

/** What a run gives, if it gives it in time. One that ends at once costs no timer. */
export function inTime<T>(ground: RunGround, spec: ExecutorSpec, limit: Limit, given: Maybe<T>): Maybe<T> {
  return isLater(given) ? race(ground, spec, limit, given) : given;
}

async function race<T>(ground: RunGround, spec: ExecutorSpec, limit: Limit, given: Promise<T>): Promise<T> {
  const timeoutMs = spec.timeoutMs ?? ground.timeoutMs;
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = ground.clock.setTimer(timeoutMs, () => {
    reject(natureError("executor.timeout", `${spec.protocol} ${spec.url} did not answer within ${timeoutMs} ms`));
  });
  ground.stopping.add(reject);
  try {
    return await Promise.race([given, over]);
  } catch (error) {
    limit.abort(error as Error);
    throw error;
  } finally {
    timer.cancel();
    ground.stopping.delete(reject);
  }
}

/** Resolves when something is over, or after `ms`; whether it was over in time. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  const late = wait(clock, ms, done.signal).then(
    () => false,
    () => true,
  );
  const isDone = await Promise.race([work.then(() => true), late]);
  done.abort();
  return isDone;
}
