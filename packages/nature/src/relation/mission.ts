import type { MetaString } from "../meta/meta-string.ts";
import type { Condition, ExecutorSpec, TargetDemand } from "./relation.ts";

/**
 * A relation at work on one upstream instance: frozen when that is stored, so that later edits of the relation do not touch
 * work already accepted.
 */
export interface Mission {
  readonly to: MetaString;
  readonly executor: ExecutorSpec;
  readonly before: readonly ExecutorSpec[];
  readonly after: readonly ExecutorSpec[];
  readonly downSelector: Condition | undefined;
  readonly target: TargetDemand;
  readonly useUpstreamId: boolean;
  readonly idBridge: boolean;
  /** Wait of each pass, in milliseconds. */
  readonly delayMs: number;
  /** A copy of the upstream's. */
  readonly sysContext: Readonly<Record<string, string>>;
}
