import type { MetaString } from "../meta/meta-string.ts";

/** How an executor is reached. `auto` is made by the engine where a relation names none. */
export type Protocol = "http" | "https" | "local" | "builtin" | "processor" | "actor" | "stream" | "auto";

/** Who does the work of a relation, or filters before or after it. */
export interface ExecutorSpec {
  readonly protocol: Protocol;
  /** An address, or the name of a function, a built-in, a message type, an actor, a graph. */
  readonly url: string;
  /** Handed to the executor as it is; JSON by convention. @default "" */
  readonly settings?: string;
  /** Longest run, in milliseconds. @default the engine's */
  readonly timeoutMs?: number;
}

/** Conditions over a set of names, checked in this order: none, all, any. An empty one asks nothing. */
export interface Condition {
  readonly none?: readonly string[];
  readonly all?: readonly string[];
  readonly any?: readonly string[];
}

/** Which upstream instances a relation is for, looked at once: when they are stored. */
export interface Selector {
  /** Keys of the user's context. */
  readonly context?: Condition;
  /** Keys of the engine's context. */
  readonly sysContext?: Condition;
  readonly states?: Condition;
}

/** What becomes of the target. */
export interface TargetDemand {
  /** Leaf states of the target that are added to those of its last version. */
  readonly addStates?: readonly string[];
  readonly removeStates?: readonly string[];
  /** Indexes from 0 of parts of the upstream's para, in the order in which they are appended. */
  readonly appendPara?: readonly number[];
  /** Name under which the appended part is published to the next step's settings. */
  readonly dynamicPara?: string;
}

/** How instances of one meta become instances of another. */
export interface RelationSettings {
  readonly description?: string;
  readonly selector?: Selector;
  /** On the states of the target's last version, looked at when the work is done; unmet = tried again later. */
  readonly downSelector?: Condition;
  /** @default auto: one empty instance */
  readonly executor?: ExecutorSpec;
  /** Filters of the upstream, in this order. */
  readonly before?: readonly ExecutorSpec[];
  /** Filters of what the executor gave. */
  readonly after?: readonly ExecutorSpec[];
  /** Whether the target gets the upstream's id. @default false */
  readonly useUpstreamId?: boolean;
  readonly target?: TargetDemand;
  /** Wait before the work, in milliseconds. @default 0 */
  readonly delayMs?: number;
  /** Wait until a time that a part of the upstream's para tells (milliseconds since the Unix epoch), and `extraMs` longer. */
  readonly delayOnPara?: { readonly extraMs: number; readonly part: number };
  /** Hands the upstream's identity through to the next step. @default false */
  readonly idBridge?: boolean;
}

/** One relation; there is at most one from a meta to another. */
export interface Relation {
  readonly from: MetaString;
  readonly to: MetaString;
  readonly settings: RelationSettings;
  readonly enabled: boolean;
}
