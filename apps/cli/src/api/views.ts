/** What the HTTP API answers with, by the types of its OpenAPI document. */
import type { AnswerOf, components } from "@metanode/client";

type Views = components["schemas"];

/** A list; some lists also have `next`. */
export interface Items<T> {
  readonly items: readonly T[];
}

export type NodeView = AnswerOf<"getNode">;
export type HealthView = NodeView["health"];
export type TypeView = AnswerOf<"listTypes">["items"][number];
export type StatsView = AnswerOf<"listStats">["items"][number];
export type ProcessorView = Views["Processor"];
export type ProcessView = ProcessorView["processes"][number];
export type LogLineView = AnswerOf<"getProcessorLogs">["items"][number];
/** A message that was given up on; the message as a CloudEvent in the JSON format. */
export type DeadLetterView = Views["DeadLetter"];
