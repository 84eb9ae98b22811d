import type { Instance, InstanceInput } from "../instance/instance.ts";
import type { MetaString } from "../meta/meta-string.ts";

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
  /** Nothing comes of it; a target of type N gets one empty instance. */
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
  /** Its meta is a D meta. It gets an id from what it says, or from its upstream, unless it has a para. */
  readonly instance: Output;
  /** At least one. */
  readonly converters: readonly SelfRouteConverter[];
}

/** One way on from an instance that is routed by itself. */
export interface SelfRouteConverter {
  /** A D meta: `D:key:1`, or its key alone. Undefined = N, nothing that counts is made. */
  readonly to?: string | undefined;
  readonly executor: { readonly protocol: string; readonly url: string; readonly settings?: string };
  /** @default false */
  readonly useUpstreamId?: boolean;
  /** @default 0 */
  readonly delayMs?: number;
}

/** What a filter is given besides what it filters. */
export interface FilterRequest {
  /** The filter's settings, dynamic parts filled in. */
  readonly settings: string;
  /** The meta that the relation leads to. */
  readonly to: MetaString;
  /** The W3C trace context of the upstream, if it carries one. */
  readonly traceparent: string | undefined;
  /** Aborted when the time is up, or the engine stops. */
  readonly signal: AbortSignal;
  /** When the time is up, in milliseconds since the Unix epoch. */
  readonly deadlineMs: number;
}

/**
 * Turns an upstream instance into downstream ones. A throw that carries a code is tried again if it says `retryable` and is final
 * otherwise; any other throw is tried again.
 */
export type Converter = (request: ConvertRequest) => ConvertResult | Promise<ConvertResult>;
/** Changes the upstream before it is converted; what is stored of it stays as it is. */
export type BeforeFilter = (instance: Instance, request: FilterRequest) => Instance | Promise<Instance>;
/** Changes what a converter gave. */
export type AfterFilter = (
  instances: readonly Output[],
  request: FilterRequest,
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
