import type { Sampler } from "./contender.ts";
import type { FlowQuestion, FlowWork } from "./flows.ts";
import { startAsked } from "./processes.ts";

/** A system of workflows in a process of its own, with the load on it. */
export interface FlowProcess {
  /** Takes the figure of one kind of work, after which what is stored is counted. */
  sampler(work: FlowWork): Sampler;
  stop(): Promise<void>;
}

/** Opens a system in a process of its own. `where` is what it works on: a folder, or the address of its server. */
export async function startFlows(system: string, where: string): Promise<FlowProcess> {
  const { ask, stop } = await startAsked(new URL("./flow-worker.ts", import.meta.url), [system, where]);
  const sampler =
    (work: FlowWork): Sampler =>
    async (durationMs) =>
      (await ask({ work, durationMs } satisfies FlowQuestion)) as number;
  return { sampler, stop };
}
