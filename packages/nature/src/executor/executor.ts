import type { Instance, InstanceInput } from "../instance/instance.ts";

/** What an executor is given. */
export interface ConvertRequest {
  /** The upstream, after the filters. */
  readonly from: Instance;
  /** The last version of the target, if it has states and is there; of a loop the running result. */
  readonly last: Instance | undefined;
  /** The instance of the upstream's master, if it has one. */
  readonly master: Instance | undefined;
  readonly taskId: number;
  /** What a callback shows; cannot be guessed. */
  readonly credential: string;
  /** The executor's settings, dynamic parts filled in. */
  readonly settings: string;
  /** Aborted when the time is up, or the engine stops. */
  readonly signal: AbortSignal;
  /** When the time is up, in milliseconds since the Unix epoch. */
  readonly deadlineMs: number;
}

/** An instance as an executor gives it; the engine sets meta, identity, version and upstream where its relation says so. */
export type Output = Partial<InstanceInput>;

/** What an executor answers. */
export type ConvertResult =
  /** Stored; none = the task is done with nothing stored. */
  | { readonly type: "instances"; readonly instances: readonly Output[] }
  /** Nothing comes of it. */
  | { readonly type: "none" }
  /** The answer comes by a callback within this time; without one the executor is asked again. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** Try again later. */
  | { readonly type: "environment"; readonly message: string }
  /** Never try again by itself. */
  | { readonly type: "logic"; readonly message: string }
  /** Instances of dynamic metas, each with its own way on. */
  | { readonly type: "self-route"; readonly instances: readonly SelfRoute[] };

/** An instance of a D meta with its own converters; relations are not looked at. */
export interface SelfRoute {
  readonly instance: Output;
  readonly converters: readonly {
    /** A D meta, or undefined for N. */
    readonly to: string | undefined;
    readonly executor: { readonly protocol: string; readonly url: string; readonly settings?: string };
    readonly useUpstreamId?: boolean;
    readonly delayMs?: number;
  }[];
}

/** Turns an upstream instance into downstream ones. A throw is tried again if it says `retryable`, and is final otherwise. */
export type Converter = (request: ConvertRequest) => ConvertResult | Promise<ConvertResult>;
/** Changes the upstream before it is converted. */
export type BeforeFilter = (instance: Instance, settings: string, signal: AbortSignal) => Instance | Promise<Instance>;
/** Changes what a converter gave. */
export type AfterFilter = (
  instances: readonly Output[],
  settings: string,
  signal: AbortSignal,
) => readonly Output[] | Promise<readonly Output[]>;

/** What can be done at one address. */
export interface Executor {
  readonly convert?: Converter;
  readonly before?: BeforeFilter;
  readonly after?: AfterFilter;
}

/** Finds executors of one protocol. @throws executor.unknown */
export interface ExecutorResolver {
  resolve(url: string): Executor;
}
