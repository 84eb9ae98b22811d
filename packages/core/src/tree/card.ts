/** A node or a part of it that takes nothing new for a while, and what is known of it. */
export interface Maintenance {
  readonly state: "draining" | "drained" | "down" | "verifying";
  readonly reason: string;
  /** Who asked for it. */
  readonly by: string;
  readonly sinceMs: number;
  /** When somebody is to be told that it lasts too long. It does not end by itself. */
  readonly expiresMs?: number | undefined;
}

/** What a node says of itself to its manager, and what selectors go by. */
export interface NodeCard {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** Of the software that the node runs, as its starter named it. */
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What it handles itself: `type@version`, without the types of the platform. */
  readonly types: readonly string[];
  /** What the nodes below it handle. */
  readonly below: readonly string[];
  /** Nodes below it, as far as it knows. */
  readonly size: number;
  /** Of its host: `os`, `arch`, `cpus`, `memoryBytes`, `host` (the host's id) … */
  readonly facts: Readonly<Record<string, string | number>>;
  readonly maintenance?: Maintenance | undefined;
}

/** What of a node is its starter's to say. */
export interface NodeIdentity {
  readonly id: string;
  readonly name: string;
  readonly version: string;
}
