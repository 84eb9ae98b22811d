import { natureError } from "../errors.ts";
import type { BeforeFilter } from "../executor/executor.ts";
import { optionalText, refuse } from "../shape.ts";
import type { WorkStore } from "../store/store.ts";
import { parseSettings, windowOf, windowPartsOf } from "./settings.ts";

/** Above every key. */
const NO_BOUND = "\u{10ffff}";

/**
 * Lets work go on only when no task is left whose upstream has a key in a range, optionally in the window of time that the para tells;
 * otherwise it is tried again later. An empty bound is none.
 * @throws config.invalid; instance.invalid – the para has no window; executor.environment – there are such tasks
 */
export function taskChecker(store: Pick<WorkStore, "countTasks">): BeforeFilter {
  return async (instance, { settings }) => {
    const given = parseSettings("task-checker", settings, ["key_gt", "key_lt", "time_part"]);
    const keyGt = required("task-checker.key_gt", given.key_gt);
    const keyLt = required("task-checker.key_lt", given.key_lt) || NO_BOUND;
    const parts = windowPartsOf("task-checker.time_part", given.time_part);
    const window = parts === undefined ? undefined : windowOf(instance, parts);
    const waiting = await store.countTasks({
      keyGt,
      keyLt,
      ...(window === undefined ? {} : { dueGeMs: window.beginMs, createdLtMs: window.endMs }),
    });
    if (waiting === 0) return instance;
    throw natureError("executor.environment", `task-checker: ${waiting} tasks between ${keyGt} and ${keyLt} are not done`, {
      details: { waiting },
    });
  };
}

function required(path: string, value: unknown): string {
  return optionalText(path, value) ?? refuse(path, value, "a key or the beginning of one, empty for no bound");
}
