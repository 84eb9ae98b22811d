import type { ActorView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Page } from "../api/workflows.ts";
import type { Invocation } from "../invocation.ts";
import { actorTable } from "../output/actors.ts";
import { showPage } from "../watch.ts";

/** `metanode actor ls` */
export async function run(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const query = { limit: invocation.number("limit"), cursor: invocation.text("cursor") };
  await showPage(invocation, {
    look: () => client.json<Page<ActorView>>({ path: paths.actors, query }),
    text: ({ items }) => actorTable(invocation.output, items),
  });
}
