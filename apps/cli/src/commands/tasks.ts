import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const ID: ArgumentSpec = { usage: "<id>", summary: "id of the task, as the lists show it" };
const FILTER: readonly OptionSpec[] = [
  { flags: "--to <meta>", summary: "only those that lead to this meta", complete: "meta" },
  { flags: "--from <key>", summary: "only those on this instance: meta|id|para|version, in quotes" },
];
const PAGE: readonly OptionSpec[] = [
  { flags: "--limit <count>", summary: "at most this many (default 100)", kind: "count" },
  { flags: "--cursor <cursor>", summary: "go on where the last page ended" },
];
const YES: OptionSpec = { flags: "-y, --yes", summary: "do not ask" };

const tasks = () => import("../run/tasks.ts");
const failed = () => import("../run/failed-tasks.ts");

/** Commands about the work between instances. */
export const taskCommands: readonly CommandSpec[] = [
  {
    path: "task ls",
    summary: "list the work that is not done yet, the oldest first",
    options: [...FILTER, ...PAGE],
    examples: [{ line: "task ls --to B:sale/state:1", does: "what waits, since when, and for which relation" }],
    load: () => tasks().then(({ list }) => ({ run: list })),
  },
  {
    path: "task get",
    summary: "show one task that is not done yet, with its mission",
    arguments: [ID],
    examples: [{ line: "task get 17", does: "everything about it" }],
    load: () => tasks().then(({ get }) => ({ run: get })),
  },
  {
    path: "task stats",
    summary: "show how the workflows do: what was done, what waits, what failed",
    examples: [{ line: "task stats", does: "numbers, by relation" }],
    load: () => tasks().then(({ stats }) => ({ run: stats })),
  },
  {
    path: "task failed",
    summary: "list tasks that were given up, or show one",
    arguments: [{ ...ID, usage: "[id]" }],
    options: [...FILTER, ...PAGE],
    examples: [
      { line: "task failed", does: "what failed, and why" },
      { line: "task failed 17", does: "one with its mission" },
    ],
    load: () => failed().then(({ show }) => ({ run: show })),
  },
  {
    path: "task replay",
    summary: "give failed tasks another first try",
    details: "With --all every one, or every one of a filter; ends with status 8 if some could not be replayed.",
    arguments: [{ ...ID, usage: "[id]" }],
    options: [
      { flags: "--all", summary: "all of them, as far as --to and --from say" },
      ...FILTER,
      { flags: "--mission <mission>", summary: "parts of the mission to replace: JSON, @file, or - for standard input" },
      YES,
    ],
    examples: [
      { line: "task replay 17", does: "try this one again" },
      {
        line: `task replay 17 --mission '{"executor":{"protocol":"http","url":"http://127.0.0.1:8082/pack"}}'`,
        does: "with another executor",
      },
    ],
    load: () => failed().then(({ replay }) => ({ run: replay })),
  },
  {
    path: "task drop",
    summary: "forget a failed task for good",
    arguments: [ID],
    options: [YES],
    examples: [{ line: "task drop 17 --yes", does: "nobody will try it again" }],
    load: () => failed().then(({ drop }) => ({ run: drop })),
  },
];
