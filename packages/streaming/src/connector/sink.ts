import type { Action, StageHost } from "../stage/stage.ts";
import { type BatchingOptions, BatchingStage, type Writer } from "./batching.ts";

/** An action that writes what it gets, and gives on what is written. `open` acquires whatever it writes to. */
export function sinkAction(open: (host: StageHost) => Writer | Promise<Writer>, options: BatchingOptions): Action {
  return { stage: async (host) => new BatchingStage(await open(host), host, options) };
}
