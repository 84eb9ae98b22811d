import {
  type Context,
  context as otelContext,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { codeOf } from "../errors.ts";
import type { Message } from "../message/message.ts";
import type { RouteInfo } from "../router/router.ts";

/** What an OpenTelemetry SDK is told of. */
export interface Spans {
  /** The message carries the span's trace. */
  begin(message: Message, route: RouteInfo): { readonly message: Message; end(error: unknown): void };
}

/** Spans by the SDK that is registered; undefined if none is: spans of the API's own no-op have no valid ids. */
export function activeSpans(): Spans | undefined {
  const tracer = trace.getTracer("@metanode/core");
  const probe = tracer.startSpan("probe", { root: true });
  if (!trace.isSpanContextValid(probe.spanContext())) return undefined;
  return {
    begin: (message, route) => {
      const { span, message: traced } = startSpan(tracer, message, route);
      return { message: traced, end: (error) => endSpan(span, error) };
    },
  };
}

function startSpan(tracer: Tracer, message: Message, route: RouteInfo): { span: Span; message: Message } {
  const carrier = { traceparent: message.traceparent, tracestate: message.tracestate };
  // An active span of the caller is the parent of a message that was made just now, without a trace of its own.
  const parent: Context = message.traceparent === undefined ? otelContext.active() : propagation.extract(ROOT_CONTEXT, carrier);
  const attributes = {
    "messaging.system": "metanode",
    "messaging.operation.type": "process",
    "messaging.destination.name": message.type,
    "messaging.message.id": message.id,
    "metanode.member": route.memberId,
    "metanode.type.version": route.version,
  };
  const span = tracer.startSpan(`process ${message.type}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  const out: { traceparent?: string; tracestate?: string } = {};
  propagation.inject(trace.setSpan(parent, span), out);
  return {
    span,
    message: {
      ...message,
      traceparent: out.traceparent ?? message.traceparent,
      tracestate: out.tracestate ?? message.tracestate,
    },
  };
}

function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    span.setAttribute("error.type", codeOf(error) ?? "core.internal");
  }
  span.end();
}
