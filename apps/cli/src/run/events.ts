import { followEvents } from "../api/follow.ts";
import { AFTER_ALL, rememberedSteps, type StepView } from "../api/journal.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";
import { stepLine } from "../output/steps.ts";

/** `metanode events` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const kinds = invocation.text("kind");
  const client = await invocation.client();
  const print = (step: StepView): Promise<void> => output.item(step, () => stepLine(output, step));
  if (!invocation.has("follow")) {
    for (const step of await rememberedSteps(client, kinds)) await print(step);
    return;
  }
  const tell = (reason: string): void => output.talk(`${reason}; trying again, and going on where it ended`);
  // What it begins with has an id, so that nothing is lost either if the connection breaks before the first step.
  const request = { path: paths.events, query: { kinds, since: AFTER_ALL } };
  let isBegun = false;
  for await (const { event: name, data } of followEvents(client, request, tell)) {
    if (name === "step") await print(JSON.parse(data) as StepView);
    else if (name === "resync" && isBegun) output.talk("some steps were missed: the node began anew, or too much happened");
    else if (name === "dropped") output.talk(`steps came faster than they were read; ${countOf(data)} were left out`);
    isBegun = true;
  }
}

function countOf(data: string): number {
  return (JSON.parse(data) as { readonly count: number }).count;
}
