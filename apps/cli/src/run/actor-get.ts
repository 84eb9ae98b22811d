import { type ActorView, actorPath, isMeta, type MetaView } from "../api/actors.ts";
import type { Invocation } from "../invocation.ts";
import { actorDetails, metaDetails } from "../output/actors.ts";

/** `metanode actor get` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const typed = invocation.arg(0);
  const client = await invocation.client();
  const view = await client.json({ path: actorPath(typed) });
  await output.show(view, () => (isMeta(typed) ? metaDetails(view as MetaView) : actorDetails(view as ActorView)));
}
