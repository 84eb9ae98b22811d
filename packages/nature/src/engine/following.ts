import type { EngineReport } from "./engine-report.ts";
import type { Planned, Stored } from "./stored.ts";

/**
 * Goes on with what was stored. Should that fail, by a defect, the tasks that belong to this engine by now are given back: they would wait for
 * the end of its lease.
 */
export async function following(
  { stored, report }: { readonly stored: Stored; readonly report: (report: EngineReport) => void },
  planned: readonly Planned[],
  work: () => void,
): Promise<void> {
  try {
    work();
  } catch (error) {
    report({ kind: "hook", text: "what was stored could not be gone on with; its tasks are given back", error });
    const tasks = planned.flatMap(({ jobs }) => jobs.map(({ task }) => task));
    await stored.giveBack(tasks, (error as Error).message);
  }
}
