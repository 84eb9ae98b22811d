/** What the workflow routes of the HTTP API answer with. */
import type { AnswerOf, components } from "@metanode/client";

type Views = components["schemas"];

/** A list of what is declared. */
export interface DeclaredItems<T> {
  readonly version: number;
  readonly items: readonly T[];
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** A meta; asked for by itself also with what uses it. */
export type WorkflowMetaView = Views["WorkflowMeta"] & { readonly usedBy?: AnswerOf<"getMeta">["usedBy"] };
export type RelationView = Omit<Views["WorkflowRelation"], "settings"> & {
  readonly settings: Readonly<Record<string, unknown>> & {
    readonly executor?: { readonly protocol: string; readonly url: string };
    readonly description?: string;
  };
};
export type InstanceView = Views["WorkflowInstance"];
export type LocatorView = NonNullable<InstanceView["from"]>;
export type StoredView = AnswerOf<"putInstance", 201>;
export type TaskView = Views["WorkflowTask"];
export type FailedTaskView = Views["FailedWorkflowTask"];
export type PlanView = Views["WorkflowPlan"];
export type WorkflowStatsView = Views["WorkflowStats"];
