import { paths } from "../api/paths.ts";
import type { DeclaredItems, RelationView } from "../api/workflows.ts";
import { confirm } from "../confirm.ts";
import { jsonObject } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import { relationDetails, relationTable } from "../output/workflows.ts";

/** `metanode relation ls` */
export async function list(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const query = { from: invocation.text("from"), to: invocation.text("to") };
  const answer = await client.json<DeclaredItems<RelationView>>({ path: paths.relations, query });
  await output.show(answer, () => relationTable(output, answer.items));
}

/** `metanode relation get` */
export async function get(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  await show(invocation, await client.json<RelationView>({ path: pathOf(invocation) }));
}

/** `metanode relation put` */
export async function put(invocation: Invocation): Promise<void> {
  const settings = await jsonObject(invocation.optionalArg(2), "the settings");
  const client = await invocation.client();
  const body = { settings, enabled: !invocation.has("disabled") };
  await show(invocation, await client.json<RelationView>({ method: "PUT", path: pathOf(invocation), body }));
}

/** `metanode relation rm` */
export async function remove(invocation: Invocation): Promise<void> {
  const name = `${invocation.arg(0)} -> ${invocation.arg(1)}`;
  const client = await invocation.client();
  await confirm(invocation, `Take relation ${name} out?`);
  await client.json({ method: "DELETE", path: pathOf(invocation) });
  invocation.output.talk(`relation ${name} is removed`);
}

function pathOf(invocation: Invocation): string {
  return paths.relation(invocation.arg(0), invocation.arg(1));
}

function show({ output }: Invocation, view: RelationView): Promise<void> {
  return output.show(view, () => relationDetails(view));
}
