import type { EventView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { eventTable } from "../output/actors.ts";

/** `metanode actor events` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<EventView>>({ path: paths.actorEvents });
  await output.show(answer, () => eventTable(output, answer.items));
}
