import { nearest } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { Executor, ExecutorResolver } from "../executor/executor.ts";
import type { WorkStore } from "../store/store.ts";
import { instanceLoader, type LoaderParts } from "./instance-loader.ts";
import { merge } from "./merge.ts";
import { paraAsKey } from "./para-as-key.ts";
import { random } from "./random.ts";
import { scatter } from "./scatter.ts";
import { taskChecker } from "./task-checker.ts";
import { timeRange } from "./time-range.ts";

/** What the built-ins stand on. */
export interface BuiltInParts extends LoaderParts {
  readonly store: Pick<WorkStore, "range" | "countTasks">;
}

/** What built-ins were called in earlier versions of Nature. */
const FORMER_NAMES: ReadonlyMap<string, string> = new Map([
  ["dimensionSplit", "scatter"],
  ["sum", "merge"],
  ["timer", "time_range"],
]);

/** Executors of protocol `builtin`. */
export function builtIns(parts: BuiltInParts): ExecutorResolver {
  const table = new Map<string, Executor>([
    ["scatter", { convert: scatter }],
    ["merge", { convert: merge }],
    ["time_range", { convert: timeRange }],
    ["random", { convert: random }],
    ["instance-loader", { before: instanceLoader(parts) }],
    ["para_as_key", { before: paraAsKey }],
    ["task-checker", { before: taskChecker(parts.store) }],
  ]);
  return {
    resolve: (url) => {
      const found = table.get(url);
      if (found !== undefined) return found;
      const names = [...table.keys()];
      const near = FORMER_NAMES.get(url) ?? nearest(url, names);
      const hint = near === undefined ? `there are ${names.join(", ")}` : `did you mean ${near}?`;
      throw natureError("executor.unknown", `there is no built-in ${JSON.stringify(url)}; ${hint}`, {
        details: { protocol: "builtin", url },
      });
    },
  };
}
