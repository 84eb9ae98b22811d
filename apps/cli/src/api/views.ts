/** What the HTTP API answers with, as far as the command line reads it. The OpenAPI document of the node is the whole. */

/** A list; some lists also have `next`. */
export interface Items<T> {
  readonly items: readonly T[];
}

/** The node. */
export interface NodeView {
  readonly name: string;
  readonly nodeId: string;
  readonly version: string;
  readonly state: string;
  readonly startedAt: string;
  readonly url: string;
  readonly health: HealthView;
  readonly backlog: Readonly<Record<string, number>>;
  readonly deadLetters: number;
}

/** How a node does, with the reasons. */
export interface HealthView {
  readonly status: "ok" | "degraded" | "failing";
  readonly modules: Readonly<Record<string, { readonly status: string; readonly reasons: readonly string[] }>>;
}

/** A type that the node handles. */
export interface TypeView {
  readonly type: string;
  readonly version: string;
  readonly description: string;
  readonly member: string;
  readonly streaming: boolean;
  readonly ordered: boolean;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
}

/** Counters of one type since the start of the node. */
export interface StatsView {
  readonly type: string;
  readonly count: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly inFlight: number;
  readonly meanMs: number;
}

/** One process of a processor. */
export interface ProcessView {
  readonly id: string;
  readonly state: string;
  readonly pid?: number;
  readonly inFlight: number;
  readonly restarts: number;
  readonly startedAt?: string;
  readonly memoryBytes?: number;
  readonly runtime?: string;
  readonly lastError?: string;
}

/** A pool of processes. */
export interface ProcessorView {
  readonly name: string;
  readonly state: string;
  readonly command: readonly string[];
  readonly types: readonly Omit<TypeView, "member">[];
  readonly queued: number;
  readonly inFlight: number;
  readonly processes: readonly ProcessView[];
}

/** One line that a process wrote. */
export interface LogLineView {
  readonly process: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly at: string;
}

/** A message that was given up on. */
export interface DeadLetterView {
  readonly id: string;
  readonly stream: string;
  readonly consumer: string;
  readonly sequence: number;
  readonly attempts: number;
  readonly error: { readonly code: string; readonly message: string };
  readonly at: string;
  readonly edited: boolean;
  /** The message as a CloudEvent in the JSON format. */
  readonly message: Readonly<Record<string, unknown>>;
}
