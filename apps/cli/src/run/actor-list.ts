import type { ActorView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { actorTable } from "../output/actors.ts";

/** `metanode actor ls` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const query = { limit: invocation.number("limit"), cursor: invocation.text("cursor") };
  const answer = await client.json<Items<ActorView> & { readonly next?: string }>({ path: paths.actors, query });
  await output.show(answer, () => actorTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
