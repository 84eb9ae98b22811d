import { randomBytes } from "node:crypto";
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { isWaitedFor } from "../message/orders.ts";
import type { RouterObserver } from "../router/router.ts";
import { type Journal, traceIdOf } from "./journal.ts";
import type { Spans } from "./spans.ts";

/** Upper bounds of the latency histogram, in seconds. */
const LATENCY_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** What is counted per type. Plain fields: one dispatch must cost next to nothing. */
class TypeCounters {
  readonly buckets: number[] = new Array<number>(LATENCY_BOUNDS.length + 1).fill(0);
  readonly failures = new Map<string, number>();
  count = 0;
  sumSeconds = 0;
  inFlight = 0;

  end(seconds: number, error: unknown): void {
    this.inFlight--;
    this.count++;
    this.sumSeconds += seconds;
    let index = 0;
    while (index < LATENCY_BOUNDS.length && seconds > (LATENCY_BOUNDS[index] ?? 0)) index++;
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    if (error === undefined) return;
    const code = codeOf(error) ?? "core.internal";
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }
}

/** Counters of one type, for status displays. */
export interface TypeStats {
  readonly type: string;
  readonly count: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly inFlight: number;
  readonly meanMs: number;
}

export interface Observation {
  readonly observer: RouterObserver;
  /** For the router: makes the trace of a message without one. With an SDK the spans do that. */
  readonly newTraceparent: (() => string) | undefined;
  /** Since the start of the node, by type. */
  stats(): TypeStats[];
  /** Messages that are being handled, orders to the node left out. */
  inFlight(): number;
}

/** Beyond this many types (a pattern can take any), the rest are counted together as `(other)`. */
const MAX_TYPES = 1_000;

/**
 * Metrics, traces and journal of every dispatch.
 * Metrics: `metanode_messages_total{type}`, `metanode_message_failures_total{type,code}`,
 * `metanode_message_duration_seconds{type}`, `metanode_messages_in_flight{type}`.
 * Traces: a message without a trace gets one; with an OpenTelemetry SDK registered, each dispatch is a span.
 */
export function createObservation(clock: Clock, registry: Registry, journal: Journal, spans?: Spans): Observation {
  const counters = new Map<string, TypeCounters>();
  exposeMetrics(registry, counters);
  const begin: RouterObserver["begin"] = (message, route) => {
    const name = counters.has(message.type) || counters.size < MAX_TYPES ? message.type : "(other)";
    let counter = counters.get(name);
    if (counter === undefined) {
      counter = new TypeCounters();
      counters.set(name, counter);
    }
    counter.inFlight++;
    const startMs = clock.now();
    const counted = counter;
    const end = (error: unknown): void => {
      const ms = clock.now() - startMs;
      counted.end(ms / 1_000, error);
      journal.add({
        kind: "message",
        what: message.id,
        type: message.type,
        member: route.memberId,
        source: message.source,
        subject: message.subject,
        traceId: traceIdOf(message.traceparent),
        ms,
        code: error === undefined ? undefined : (codeOf(error) ?? "core.internal"),
      });
    };
    if (spans === undefined) return { message, end };
    const span = spans.begin(message, route);
    return {
      message: span.message,
      end: (error) => {
        end(error);
        span.end(error);
      },
    };
  };
  return {
    observer: { begin },
    newTraceparent: spans === undefined ? newTraceparent : undefined,
    stats: () => [...counters].map(([type, counter]) => statsOf(type, counter)),
    inFlight: () => {
      let sum = 0;
      for (const [type, { inFlight }] of counters) if (isWaitedFor(type)) sum += inFlight;
      return sum;
    },
  };
}

function statsOf(type: string, counter: TypeCounters): TypeStats {
  return {
    type,
    count: counter.count,
    failures: Object.fromEntries(counter.failures),
    inFlight: counter.inFlight,
    meanMs: counter.count === 0 ? 0 : (counter.sumSeconds / counter.count) * 1_000,
  };
}

/** Where each copy of OpenTelemetry's API, in its first major version, keeps what is registered. */
const OTEL_GLOBAL = Symbol.for("opentelemetry.js.api.1");

/** Spans for dispatches, if somebody has registered an SDK. Only then OpenTelemetry's API is loaded: it is 44 files. */
export async function loadSpans(): Promise<Spans | undefined> {
  return OTEL_GLOBAL in globalThis ? (await import("./spans.ts")).activeSpans() : undefined;
}

/** Random bytes drawn in bulk: one system call for many traces. */
let pool = Buffer.alloc(0);
let used = 0;

/** A new W3C traceparent, not sampled: it joins what belongs together even where nobody records spans. */
export function newTraceparent(): string {
  if (used + 24 > pool.length) {
    pool = randomBytes(24 * 256);
    used = 0;
  }
  const ids = pool.toString("hex", used, used + 24);
  used += 24;
  return `00-${ids.slice(0, 32)}-${ids.slice(32)}-00`;
}

type Sample = { labels: Record<string, string | number>; value: number; metricName?: string };

/** A metric that is read from our counters when somebody asks, instead of being told of every message. */
function lazyMetric(registry: Registry, metric: { name: string; help: string; type: string }, read: () => Sample[]): void {
  const lazy = {
    ...metric,
    aggregator: "sum",
    get: async () => ({ ...metric, aggregator: "sum", values: read() }),
    reset: () => undefined,
  };
  registry.registerMetric(lazy as never);
}

function exposeMetrics(registry: Registry, counters: ReadonlyMap<string, TypeCounters>): void {
  const each = (read: (counter: TypeCounters, type: string) => Sample[]) => (): Sample[] =>
    [...counters].flatMap(([type, counter]) => read(counter, type));
  lazyMetric(
    registry,
    { name: "metanode_messages_total", help: "Messages dispatched and ended, by type.", type: "counter" },
    each((counter, type) => [{ labels: { type }, value: counter.count }]),
  );
  lazyMetric(
    registry,
    { name: "metanode_message_failures_total", help: "Messages that ended with an error, by type and code.", type: "counter" },
    each((counter, type) => [...counter.failures].map(([code, value]) => ({ labels: { type, code }, value }))),
  );
  lazyMetric(
    registry,
    { name: "metanode_messages_in_flight", help: "Messages dispatched and not yet ended, by type.", type: "gauge" },
    each((counter, type) => [{ labels: { type }, value: counter.inFlight }]),
  );
  const name = "metanode_message_duration_seconds";
  lazyMetric(
    registry,
    { name, help: "From dispatch to the end of a message, by type.", type: "histogram" },
    each((counter, type) => histogram(name, type, counter)),
  );
}

function histogram(name: string, type: string, counter: TypeCounters): Sample[] {
  let cumulative = 0;
  const samples: Sample[] = LATENCY_BOUNDS.map((le, index) => {
    cumulative += counter.buckets[index] ?? 0;
    return { labels: { le, type }, value: cumulative, metricName: `${name}_bucket` };
  });
  samples.push({ labels: { le: "+Inf", type }, value: counter.count, metricName: `${name}_bucket` });
  samples.push({ labels: { type }, value: counter.sumSeconds, metricName: `${name}_sum` });
  samples.push({ labels: { type }, value: counter.count, metricName: `${name}_count` });
  return samples;
}
