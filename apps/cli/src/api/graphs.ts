/** What the HTTP API answers with about graphs. */
import type { AnswerOf, components } from "@metanode/client";

type Views = components["schemas"];

export type GraphView = Views["Graph"];
export type VersionView = AnswerOf<"getGraphHistory">["items"][number];
type Status = Views["GraphStatus"];
/** The numbers of a graph. */
export type StatusView = Omit<Status, "nodes" | "edges"> & {
  readonly nodes: readonly Status["nodes"][number][];
  readonly edges: readonly Status["edges"][number][];
};
export type ActionView = Views["Action"];
/** A line that a stage wrote. */
export type StageLineView = AnswerOf<"getStageLogs">["items"][number];

/** A record as a tap shows it, in an event: text, bytes in base64, or a value. */
export interface TappedView {
  readonly id: string;
  readonly at: string;
  readonly text?: string;
  readonly base64?: string;
  readonly value?: unknown;
}
