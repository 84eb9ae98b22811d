import type { ResourceLimits, Transferable } from "node:worker_threads";
import { actorError } from "../errors.ts";
import type { Address } from "../identity/index.ts";
import type { AnyWorkerApi, SendsOf, StartOf } from "./api.ts";
import type { MessageWorker } from "./message.ts";

/** How to run a worker. */
export interface WorkerOptions<Sends = unknown, Start = unknown> {
  /** What the thread is given to begin with: a copy, but for what is shared memory or in `transfer`. @default undefined */
  start?: Start;
  /** What of `start` moves to the thread instead of being copied. @default nothing */
  transfer?: readonly Transferable[];
  /** The name of the thread, for people and debuggers. @default the file's */
  name?: string;
  /** Stands in every message of the worker, for who has several. @default "" */
  tag?: string;
  /** Who gets its messages. @default the process that it belongs to */
  process?: Address<MessageWorker<Sends>, never>;
  /** Limits of the thread; one that passes them ends with `actor.worker_failed`. @default those of Node */
  resourceLimits?: ResourceLimits;
  /**
   * Messages and calls that are with the thread at a time, so that it need not wait for the next one. The rest waits in the
   * mailbox, where its limit counts. Integer from 1. @default 16
   */
  maxInFlight?: number;
}

/** The options of a worker: required where its thread wants something to begin with. */
export type WorkerRest<A extends AnyWorkerApi> =
  undefined extends StartOf<A>
    ? [options?: WorkerOptions<SendsOf<A>, StartOf<A>>]
    : [options: WorkerOptions<SendsOf<A>, StartOf<A>> & { start: StartOf<A> }];

const KNOWN: readonly string[] = [
  "start",
  "transfer",
  "name",
  "tag",
  "process",
  "resourceLimits",
  "maxInFlight",
] satisfies (keyof WorkerOptions)[];

/** Options of which every part that has a default is there. */
export type ResolvedWorkerOptions = WorkerOptions<never> & {
  readonly name: string;
  readonly tag: string;
  readonly maxInFlight: number;
};

/** Checks the options and fills in what was left out. @throws actor.incorrect */
export function resolveWorkerOptions(given: WorkerOptions<never>, file: string): ResolvedWorkerOptions {
  for (const key of Object.keys(given)) {
    if (KNOWN.includes(key)) continue;
    throw actorError("actor.incorrect", `worker.${key} is not an option; known are ${KNOWN.join(", ")}`);
  }
  const maxInFlight = given.maxInFlight ?? 16;
  if (!Number.isSafeInteger(maxInFlight) || maxInFlight < 1) {
    throw actorError("actor.incorrect", `worker.maxInFlight is ${maxInFlight}, expected a whole number of 1 or more`);
  }
  const name = given.name ?? file.slice(file.lastIndexOf("/") + 1);
  return Object.freeze({ ...given, name, tag: given.tag ?? "", maxInFlight });
}
