import type { ActorNodeView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";
import { actorTree } from "../output/actors.ts";

/** `metanode actor tree` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const query = { limit: invocation.number("limit") };
  const answer = await client.json<{ roots: readonly ActorNodeView[]; isCut: boolean }>({ path: paths.actorTree, query });
  await output.show(answer, () => actorTree(output, answer.roots));
  if (output.format === "table" && answer.isCut) output.talk("there are more; a higher --limit shows them");
}
