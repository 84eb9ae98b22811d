import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Router } from "../router/router.ts";
import type { Journal } from "./journal.ts";

/** What a node lends to its modules. Modules meet each other only through messages, members and the log. */
export interface ModuleHost {
  /** The node's name. */
  readonly node: string;
  /** Stays the same as long as the data folder lives. */
  readonly nodeId: string;
  readonly router: Router;
  readonly log: Log;
  readonly clock: Clock;
  /** Carries the module's name. */
  readonly logger: Logger;
  /** Metrics are named `metanode_<area>_<what>_<unit>`. */
  readonly metrics: Registry;
  /** Takes what the module sees happen and the router does not. */
  readonly journal: Journal;
  /** A folder of the module's own below the data folder. */
  readonly folder: string;
  /** Largest payload of a message, in bytes. */
  readonly maxMessageBytes: number;
  /** Messages that the node is handling now, orders to it left out. */
  inFlight(): number;
}

/** `degraded` works, but something needs attention; `failing` does not do its work. */
export interface ModuleHealth {
  readonly status: "ok" | "degraded" | "failing";
  /** What is wrong and what to do, for people. */
  readonly reasons: readonly string[];
}

/**
 * How a package plugs into a node. Started in the order of composition, drained and stopped in the opposite order.
 * One module object serves one node.
 */
export interface NodeModule {
  /** Unique on the node. */
  readonly name: string;
  /** Brings up what the module hosts. A throw stops the node's start; everything started before is stopped again. */
  start(host: ModuleHost): Promise<void>;
  health(): ModuleHealth;
  /** Takes nothing new, finishes what it has for at most `graceMs`. */
  drain(graceMs: number): Promise<void>;
  /** Drops what is left. Idempotent. */
  stop(): Promise<void>;
}
