import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** `metanode meta states` */
export async function run(invocation: Invocation): Promise<void> {
  const { printStates, stateRules } = await import("@metanode/nature/declare");
  const rules = stateRules(invocation.arg(0));
  const [from, add, remove] = ["from", "add", "remove"].map((name) => namesOf(invocation.text(name))) as [
    string[],
    string[],
    string[],
  ];
  // Each name is looked up, also one that makes no difference.
  rules.resolve([...from, ...remove]);
  const { states: remaining, conflicts } = rules.resolve([...from.filter((name) => !remove.includes(name)), ...add]);
  const result = { expression: printStates(rules.list), states: rules.names, remaining, conflicts };
  await invocation.output.show(result, () =>
    renderFields([
      ["states", rules.names.join(", ") || undefined],
      ["remaining", remaining.join(", ") || undefined],
      ["conflicts", conflicts.map(({ winner, loser }) => `${winner} instead of ${loser}`).join(", ") || undefined],
    ]),
  );
}

function namesOf(text = ""): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
