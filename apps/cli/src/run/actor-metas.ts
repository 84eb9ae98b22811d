import { type MetaView, onlyActor } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { metaTable } from "../output/actors.ts";

/** `metanode actor metas` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const typed = invocation.optionalArg(0);
  const actor = typed === undefined ? undefined : onlyActor(typed, "has none of its own");
  const client = await invocation.client();
  const query = { actor, limit: invocation.number("limit"), cursor: invocation.text("cursor") };
  const answer = await client.json<Items<MetaView> & { readonly next?: string }>({ path: paths.actorMetas, query });
  await output.show(answer, () => metaTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
