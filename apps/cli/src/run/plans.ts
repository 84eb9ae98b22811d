import type { Declarations } from "@metanode/nature/declare";
import { paths } from "../api/paths.ts";
import type { PlanView } from "../api/workflows.ts";
import { confirm } from "../confirm.ts";
import { type ReadDeclarations, readDeclarations, tell } from "../declarations.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode meta plan` */
export async function plan(invocation: Invocation): Promise<void> {
  const { notes, ...declared } = await declaredIn(invocation);
  const client = await invocation.client();
  const body = { ...declared, prune: invocation.has("prune") };
  const view = await client.json<PlanView>({ method: "POST", path: paths.workflows("plan"), body });
  await invocation.output.show(view, () => view.text);
  tell(invocation.output, notes);
}

/** `metanode meta apply` */
export async function apply(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const { notes, ...found } = await declaredIn(invocation);
  const declared = { ...found, prune: invocation.has("prune") };
  const client = await invocation.client();
  const plan = await client.json<PlanView>({ method: "POST", path: paths.workflows("plan"), body: declared });
  if (plan.changes.length > 0 && !invocation.has("yes")) {
    output.talk(plan.text);
    await confirm(invocation, "Make these changes?");
  }
  // What was shown is what is done, or nothing.
  const body = { ...declared, ifVersion: plan.version };
  const done = await client.json<{ plan: PlanView }>({ method: "POST", path: paths.workflows("apply"), body });
  await output.show(done, () => done.plan.text);
  tell(output, notes);
}

/** What can be sent of a file: functions stay here. */
async function declaredIn(invocation: Invocation): Promise<Declarations & Pick<ReadDeclarations, "notes">> {
  const { declarations, notes } = await readDeclarations(invocation.arg(0));
  return { metas: declarations.metas, relations: declarations.relations, notes };
}
