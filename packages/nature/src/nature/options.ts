import { type Clock, systemClock } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys, textOf } from "@metanode/core/internal";
import type { CatalogProblem } from "../catalog/catalog.ts";
import type { JoinedFlows } from "../declare/index.ts";
import type { EngineReport, ExecutorRun } from "../engine/engine-report.ts";
import type { FaultHook } from "../engine/fault.ts";
import { type EngineOptions, resolveEngineOptions } from "../engine/options.ts";
import type { Resolvers } from "../executor/executors.ts";
import type { HttpExecutorOptions } from "../executor/http.ts";
import type { LocalExecutor } from "../executor/local.ts";
import type { MessageCaller } from "../executor/messages.ts";
import type { Instance } from "../instance/instance.ts";
import type { LoadedRelation } from "../relation/loaded.ts";
import type { Store } from "../store/full-store.ts";

/** How workflows are opened. Where they are kept is said by one of `store`, `folder` and `databaseUrl`. */
export interface NatureOptions {
  /** A store that is open already, and stays the caller's to close. */
  store?: Store;
  /** The folder of a SQLite database, for one process; made if it is not there. */
  folder?: string;
  /** `postgresql://…`, for any number of processes. */
  databaseUrl?: string;
  /** What is declared as code: put in force at the start. What else is declared in the store stays. */
  flows?: readonly JoinedFlows[];
  /** Functions for relations that are not declared as code, by name. */
  executors?: Readonly<Record<string, LocalExecutor>>;
  /** Executors of protocols that this package does not know by itself: `actor`, `stream`. */
  resolvers?: Resolvers;
  /** Who finds the members of executors of protocol `processor`: a node, or its router. */
  messages?: MessageCaller;
  http?: Omit<HttpExecutorOptions, "credentials">;
  /**
   * What credentials of callbacks are made of; 16 bytes or more, the same on all engines of a store.
   * @default one that is made once and kept in the store
   */
  callbackSecret?: string | Uint8Array;
  engine?: Omit<EngineOptions, "clock">;
  /** How often what is older than its meta allows is removed, in milliseconds. @default 60_000 */
  retentionPollMs?: number;
  /** @default the machine's */
  clock?: Clock;
  /** Told of what people should see. */
  onReport?: (report: EngineReport) => void;
  /** Told of what is declared in the store and does not fit. */
  onProblem?: (problem: CatalogProblem) => void;
  /** Told of every instance that this engine stored, after it is on the disk. */
  onStored?: (instance: Instance) => void;
  /** Told of every run of an executor that did not answer at once. */
  onRun?: (run: ExecutorRun) => void;
  /** Relations besides those that are declared, by the meta that they leave. */
  moreRelations?: (meta: string) => readonly LoadedRelation[];
  /** For tests: called at named moments of the engine. */
  fault?: FaultHook;
}

const KNOWN: readonly (keyof NatureOptions)[] = [
  "store",
  "folder",
  "databaseUrl",
  "flows",
  "executors",
  "resolvers",
  "messages",
  "http",
  "callbackSecret",
  "engine",
  "retentionPollMs",
  "clock",
  "onReport",
  "onProblem",
  "onStored",
  "onRun",
  "moreRelations",
  "fault",
];

/** The options, checked, with those defaults that need nothing else. */
export type ResolvedNatureOptions = Omit<NatureOptions, "clock" | "retentionPollMs"> & {
  readonly clock: Clock;
  readonly retentionPollMs: number;
};

/** @throws config.invalid */
export function resolveNatureOptions(given: NatureOptions): ResolvedNatureOptions {
  rejectUnknownKeys("nature", given, KNOWN);
  const places = (["store", "folder", "databaseUrl"] as const).filter((name) => given[name] !== undefined);
  if (places.length !== 1) {
    const found = places.length === 0 ? "none of them is" : `${places.join(" and ")} are`;
    throw coreError("config.invalid", `one of store, folder and databaseUrl says where workflows are kept; ${found} given`, {
      details: { path: "nature", given: places },
    });
  }
  if (given.folder !== undefined) textOf("nature.folder", given.folder);
  if (given.databaseUrl !== undefined) textOf("nature.databaseUrl", given.databaseUrl);
  resolveEngineOptions(given.engine);
  return {
    ...given,
    clock: given.clock ?? systemClock,
    retentionPollMs: intWithin("nature.retentionPollMs", given.retentionPollMs ?? 60_000, 1),
  };
}
