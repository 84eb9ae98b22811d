import { paths } from "../api/paths.ts";
import type { DeclaredItems, WorkflowMetaView } from "../api/workflows.ts";
import { confirm } from "../confirm.ts";
import { jsonObject } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import { metaDetails, metaTable } from "../output/workflows.ts";

/** `metanode meta ls` */
export async function list(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<DeclaredItems<WorkflowMetaView>>({ path: paths.metas });
  await output.show(answer, () => metaTable(output, answer.items));
}

/** `metanode meta get` */
export async function get(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  await show(invocation, await client.json<WorkflowMetaView>({ path: paths.meta(invocation.arg(0)) }));
}

/** `metanode meta put` */
export async function put(invocation: Invocation): Promise<void> {
  const { settings, ...given } = await jsonObject(invocation.optionalArg(1), "the definition");
  const [states, master, description] = [invocation.text("states"), invocation.text("master"), invocation.text("description")];
  const allSettings = { ...(settings as object | undefined), ...(master === undefined ? {} : { master }) };
  const body = {
    ...given,
    ...(Object.keys(allSettings).length === 0 ? {} : { settings: allSettings }),
    ...(states === undefined ? {} : { states }),
    ...(description === undefined ? {} : { description }),
  };
  const client = await invocation.client();
  await show(invocation, await client.json<WorkflowMetaView>({ method: "PUT", path: paths.meta(invocation.arg(0)), body }));
}

/** `metanode meta rm` */
export async function remove(invocation: Invocation): Promise<void> {
  const meta = invocation.arg(0);
  const client = await invocation.client();
  await confirm(invocation, `Take meta ${meta} out?`);
  await client.json({ method: "DELETE", path: paths.meta(meta) });
  invocation.output.talk(`meta ${meta} is removed`);
}

/** `metanode meta enable` */
export function enable(invocation: Invocation): Promise<void> {
  return act(invocation, "enable");
}

/** `metanode meta disable` */
export function disable(invocation: Invocation): Promise<void> {
  return act(invocation, "disable");
}

async function act(invocation: Invocation, action: "enable" | "disable"): Promise<void> {
  const client = await invocation.client();
  const path = paths.meta(invocation.arg(0), action);
  await show(invocation, await client.json<WorkflowMetaView>({ method: "POST", path }));
}

function show({ output }: Invocation, view: WorkflowMetaView): Promise<void> {
  return output.show(view, () => metaDetails(view));
}
